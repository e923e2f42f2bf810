"""Targets: what they say, and when one is reached."""

import configparser
import pathlib
import tempfile
import unittest

from sabench import claims, comparison, options, profiles, report, slices, suite, targets
from tests.test_page import result


def ratio(low, middle, high, rounds=5):
    return {'median': middle, 'interval': (low, high), 'rounds': rounds}


class Verdicts(unittest.TestCase):
    def test_at_least(self):
        target = targets.parse('tps smgr_atomic/stock >= 0.95')
        for found, verdict in ((ratio(0.95, 0.97, 0.99), 'reached'), (ratio(0.94, 0.97, 0.99), 'not shown'),
                               (ratio(0.90, 0.92, 0.94), 'not reached'), (None, 'not shown'),
                               (ratio(0.97, 0.98, 0.99, rounds=2), 'not shown')):
            self.assertEqual(targets.verdict(target, found), verdict, found)

    def test_at_most(self):
        target = targets.parse('accept_us pool/page-cache <= 2')
        for found, verdict in ((ratio(1.2, 1.5, 2.0), 'reached'), (ratio(1.9, 2.0, 2.1), 'not shown'),
                               (ratio(2.1, 2.2, 2.3), 'not reached')):
            self.assertEqual(targets.verdict(target, found), verdict, found)

    def test_nonsense(self):
        for text in ('tps stock >= 1', 'tps a/b > 1', 'a/b >= 1', 'tps stock/unsafe >= 1.2.3', 'tps stock/unsafe >= .',
                     'second_mean stock/unsafe >= 1', 'latency_average_ms stock/unsafe <= 1', 'tpz stock/unsafe >= 1'):
            with self.assertRaises(targets.TargetError):
                targets.parse(text)
            with self.assertRaises(options.PlanError):
                options.parse(['--target', text])

    def test_arms_must_take_part(self):
        with self.assertRaisesRegex(options.PlanError, 'not both arms take part'):
            options.parse(['--target', 'tps direct/stock >= 1'])


class Judged(unittest.TestCase):
    def test_losses_first(self):
        found = result(stock={'tps': [100, 101, 102]}, unsafe={'tps': [115, 116, 117]},
                       smgr_atomic={'tps': [99, 102, 103]})
        found.plan.target = ['tps unsafe/stock >= 1', 'tps smgr_atomic/stock >= 1', 'tps smgr_atomic/unsafe >= 0.95']
        rows = claims.targets([found])
        self.assertEqual([row[0] for row in rows], ['not reached', 'not shown', 'reached'])
        self.assertEqual(rows[2][1:3], ('a-comparison', 'TPS: stock, images off ÷ stock, images on ≥ 1'))
        self.assertRegex(rows[2][3], r'^1\.15 \(1\.14–1\.15\)$')

    def test_rounds_without_a_checkpoint_do_not_judge(self):
        found = result(stock={'tps': [100] * 3, 'p99_ms': [9] * 3, 'wal_per_transaction': [9000] * 3},
                       smgr_atomic={'tps': [200] * 3, 'p99_ms': [3] * 3, 'wal_per_transaction': [500] * 3})
        found.plan.target = ['tps smgr_atomic/stock >= 1', 'p99_ms smgr_atomic/stock <= 1',
                             'wal_per_transaction stock/smgr_atomic >= 14']
        found.records[-1]['checkpoints'] = []
        self.assertEqual([row[0] for row in claims.targets([found])],
                         ['not shown (no checkpoint)', 'not shown (no checkpoint)', 'reached'])
        self.assertEqual(claims.target_lines([found])[0], 'not shown (no checkpoint): a-comparison: TPS: smgr_atomic ÷ '
                         'stock, images on ≥ 1: 2.00 (2.00–2.00)')
        for timeout, verdict in (('5min', 'reached (between checkpoints)'), ('1h', 'reached (between checkpoints)'),
                                 ('60', 'not shown (no checkpoint)')):
            found.plan.checkpoint_timeout = timeout         # meant to have none, or not
            self.assertEqual(claims.targets([found])[0][0], verdict, timeout)
        found.plan.checkpoint_timeout, found.plan.duration = '5min', 600
        self.assertEqual(claims.targets([found])[0][0], 'not shown (no checkpoint)')

    def test_noisy_rounds_are_marked(self):
        found = result(stock={'tps': [100] * 3}, smgr_atomic={'tps': [200] * 3}, unsafe={'tps': [300] * 3})
        found.plan.target = ['tps smgr_atomic/stock >= 1', 'tps unsafe/stock >= 1']
        next(one for one in found.records if one['arm'] == 'smgr_atomic')['machine'] = {
            'background_cpu': 0.5, 'cpu_stolen_s': 0, 'cpu_used_s': 1}
        self.assertEqual([row[0] for row in claims.targets([found])], ['reached (noisy)', 'reached'])
        next(one for one in found.records if one['arm'] == 'unsafe')['machine'] = {
            'background_cpu': 0, 'cpu_stolen_s': 0.1, 'cpu_used_s': 1}      # by the host
        self.assertEqual([row[0] for row in claims.targets([found])], ['reached (noisy)', 'reached (noisy)'])

    def test_times(self):
        for text, seconds in (('30', 30), ('30s', 30), ('5min', 300), ('1h', 3600), ('1 d', 86400)):
            self.assertEqual(options.seconds(text), seconds)
        with self.assertRaises(options.PlanError):
            options.parse(['--checkpoint-timeout', '5 minutes'])

    def test_small_files_ask_for_figures_that_there_are(self):
        for name in profiles.names('suites'):
            parser = configparser.ConfigParser(interpolation=None, delimiters=('=',))
            parser.read(profiles.HOME / 'suites' / f'{name}.conf')
            count = 0
            for plan in suite.Suite.from_file(name, '/nowhere', []).plans.values():
                for target in plan.target_list():
                    self.assertIn(target.key, report.METRICS)
                    count += 1
            self.assertEqual(count, sum(text.count('/') for section in parser.values()
                                        for text in [section.get('target', '')]))


class Slices(unittest.TestCase):
    def test_neighbours_are_compared(self):
        """The machine slows down all the time; slice by slice the second arm is 1 % faster."""
        speeds = [100, 90, 80, 70, 60]
        found = {'stock': [{'tps': tps, 'cpu_us': 1000 / tps, 'transactions': tps, 'failed': 2} for tps in speeds],
                 'smgr_atomic': [{'tps': tps * 1.01, 'cpu_us': 1000 / tps, 'transactions': tps, 'failed': 0}
                                 for tps in speeds]}
        figures = slices.figures(found, 'smgr_atomic', 'stock')
        self.assertAlmostEqual(figures['tps_beside'], 1.01)
        self.assertAlmostEqual(figures['cpu_beside'], 1.0)
        base = slices.figures(found, 'stock', 'stock')
        self.assertEqual((base['tps_beside'], base['failed']), (1, 10))

    def test_other_arms_are_compared_slice_by_slice_too(self):
        slices_of = {'stock': (100, 50, 100), 'unsafe': (100, 100, 100), 'smgr_atomic': (90, 110, 80)}
        records = [{'round': number, 'arm': arm, 'figures': {}, 'slices': [{'tps': tps} for tps in rates]}
                   for number in (1, 2, 3) for arm, rates in slices_of.items()]
        self.assertEqual(report.compare(records, 'tps_beside', 'smgr_atomic', 'unsafe')['median'], 0.9)

    def test_no_limits_where_they_would_do_nothing(self):
        for words in (['--profile', 'slices-evictions', '--device-limit', 'slow-20'], ['--profile', 'accept', '--wal-volume']):
            with self.assertRaisesRegex(options.PlanError, 'do not go with --driver'):
                options.parse(words)


    def test_what_is_not_measured_is_not_judged(self):
        for words, key in (([], 'ready_s'), ([], 'tps_beside'), ([], 'task_s'), (['--no-drain'], 'drained_bytes_per_transaction'),
                           (['--profile', 'copy'], 'tps'), (['--profile', 'slices-evictions'], 'wal_per_transaction')):
            with self.assertRaisesRegex(options.PlanError, 'does not measure'):
                options.parse([*words, '--target', f'{key} smgr_atomic/stock >= 1'])
        options.parse(['--crash-seconds', '3', '--target', 'ready_s smgr_atomic/stock <= 1'])


class Resume(unittest.TestCase):
    def test_whole_rounds(self):
        with tempfile.TemporaryDirectory() as directory:
            plan, _ = options.parse(['--arms', 'stock,unsafe', '--rounds', '3', '--results', directory])
            half = comparison.Comparison.__new__(comparison.Comparison)
            half.plan, half.results = plan, pathlib.Path(directory)
            for number, arm in ((1, 'stock'), (1, 'unsafe'), (2, 'unsafe')):
                record = half.results / 'runs' / f'round-{number}-{arm}' / 'run.json'
                record.parent.mkdir(parents=True)
                record.touch()
            missing = half._missing()
            self.assertEqual([(number, arm.name) for number, arm in missing],
                             [(2, 'unsafe'), (2, 'stock'), (3, 'stock'), (3, 'unsafe')])
            half._forget(missing)
            self.assertFalse(record.exists())
            self.assertTrue((half.results / 'runs' / 'round-1-stock' / 'run.json').exists())


if __name__ == '__main__':
    unittest.main()
