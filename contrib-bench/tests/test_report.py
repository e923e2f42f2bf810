"""Tables: medians, ratios, and that a doubtful one is marked."""

import unittest

from sabench import figures, options, report

TPS = report.Metric('tps', 'TPS', 'more')
WAL = report.Metric('wal_per_transaction', 'WAL', 'less')


def record(arm, number, **values):
    return {'arm': arm, 'round': number, 'figures': values}


class Ratios(unittest.TestCase):
    def setUp(self):
        self.plan = options.Plan(arms='stock,unsafe', rounds=3)
        self.summary = report.summarise(self.plan, [
            record('stock', 1, tps=100, wal_per_transaction=9000, drain_s=None),
            record('unsafe', 1, tps=120, wal_per_transaction=500, drain_s=None),
            record('stock', 2, tps=200, wal_per_transaction=9000, drain_s=None),
            record('unsafe', 2, tps=190, wal_per_transaction=500, drain_s=None),
            record('stock', 3, tps=150, wal_per_transaction=9000, drain_s=None),
            record('unsafe', 3, tps=160, wal_per_transaction=500, drain_s=None)])

    def test_values(self):
        self.assertEqual(report.value_text(self.summary['stock']['tps'], TPS), '150 (100–200)')
        self.assertEqual(report.value_text(self.summary['stock']['wal_per_transaction'], WAL),
                         '9,000')
        self.assertEqual(report.value_text(self.summary['stock']['drain_s'], TPS), '–')

    def test_doubtful_ratio_is_marked(self):
        self.assertEqual(report.ratio_text(self.summary['unsafe']['tps'], TPS), '~1.07x')
        self.assertEqual(report.claim_text(self.summary['unsafe']['tps'], TPS),
                         'no difference shown (0.80–1.43)')

    def test_clear_ratio(self):
        self.assertEqual(report.ratio_text(self.summary['unsafe']['wal_per_transaction'], WAL),
                         '18.0x less')
        self.assertEqual(report.claim_text(self.summary['unsafe']['wal_per_transaction'], WAL),
                         '18.0x less (18.0–18.0)')

    def test_none_left_in_every_round(self):
        summary = report.summarise(self.plan, [
            record(arm, number, wal_per_transaction=wal) for number in (1, 2, 3)
            for arm, wal in (('stock', 9000), ('unsafe', 0))])
        self.assertEqual(report.claim_text(summary['unsafe']['wal_per_transaction'], WAL),
                         'none left (in every round)')

    def test_too_few_rounds(self):
        summary = report.summarise(self.plan, [
            record(arm, number, tps=tps) for number in (1, 2)
            for arm, tps in (('stock', 100), ('unsafe', 300))])
        self.assertEqual(report.ratio_text(summary['unsafe']['tps'], TPS), '?3.00x')
        self.assertEqual(report.claim_text(summary['unsafe']['tps'], TPS),
                         '3.00x (too few rounds to claim)')

    def test_rows_without_values_are_left_out(self):
        labels = [label for label, _ in report.rows(self.plan, self.summary)]
        self.assertIn('TPS', labels)
        self.assertNotIn('until all was on disk, s', labels)

    def test_tables_name_the_unsafe_arm(self):
        for table in (report.text_table, report.markdown_table):
            self.assertIn('UNSAFE', table(self.plan, self.summary))


class Checkpoints(unittest.TestCase):
    def run_of(self, arm, number, points, tps=(1, 2)):
        return {'arm': arm, 'round': number, 'checkpoints': points, 'tps_per_second': list(tps)}

    def test_rounds_without_one_are_named(self):
        point = {'from': 1, 'to': 2}
        found = report.without_checkpoint([self.run_of('stock', 1, [point]), self.run_of('stock', 2, [point]),
                                           self.run_of('unsafe', 1, []), self.run_of('unsafe', 2, [point])])
        self.assertEqual(len(found), 1)
        self.assertIn('of unsafe: round 1:', found[0])

    def test_none(self):
        self.assertIn('any run', report.without_checkpoint([self.run_of('stock', 1, [])])[0])
        self.assertEqual(report.without_checkpoint([self.run_of('stock', 1, [], tps=())]), [])     # no load


class Standby(unittest.TestCase):
    def test_one_that_does_not_catch_up_is_named(self):
        runs = [{'arm': 'stock', 'round': number, 'checkpoints': [], 'tps_per_second': [],
                 'replica': {'lag_most_bytes': 9, 'lag_end_bytes': 9, 'catch_up_s': seconds}}
                for number, seconds in ((1, 12.5), (2, None))]
        self.assertIsNone(figures.replica(runs[1]['replica'])['catch_up_s'])
        self.assertEqual(report.remarks(runs), ['The standby needed more than 180 s to catch up and was not waited for '
                                                'any longer: stock: round 2.'])
        self.assertEqual(report.remarks(runs[:1]), [])

    def test_its_time_is_estimated(self):
        plain, slow, slower = (options.Plan(standby_mb_s=speed).estimates()[1] for speed in (0, 8, 0.001))
        self.assertGreater(slow - plain, 100)       # 970 MB
        self.assertLess(slower - plain, 200)


class Noise(unittest.TestCase):
    def run_of(self, number, arm, background, others):
        return {'round': number, 'arm': arm, 'machine': {
            'background_cpu': background, 'others_cpu_s': others, 'cpu_used_s': 15.0, 'cpu_idle_s': 5.0,
            'cpu_iowait_s': 0.0, 'cpu_stolen_s': 0.0}}

    def test_others_before_and_during_a_run(self):
        found = report.noise_of([self.run_of(1, 'stock', 0.0, 0.1), self.run_of(2, 'stock', 0.2, 0.0),
                                 self.run_of(3, 'unsafe', 0.0, 6.0)])
        self.assertEqual(len(found), 1)
        self.assertIn('NOISY: other programs used up to 30% of the processors in round 2 (stock), 3 (unsafe)', found[0])

    def test_quiet(self):
        self.assertEqual(report.noise_of([self.run_of(1, 'stock', 0.01, 0.1)]), [])


if __name__ == '__main__':
    unittest.main()
