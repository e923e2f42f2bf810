"""The HTML report, claims, the part of a README, and suites."""

import contextlib
import io
import pathlib
import tempfile
import types
import unittest
from html.parser import HTMLParser

from sabench import claims, figures, identity, measure, options, page, profiles, readme, report, suite

ENVIRONMENT = {'postgres': 'postgres 15', 'kernel': '6.18', 'processors': 2, 'processor': 'x <&>',
               'memory_mb': 2048, 'filesystem': 'xfs'}


POINT = {'from': 0.5, 'to': 2, 'begun': True, 'finished': True, 'buffers': 7, 'write_s': 1.4, 'sync_s': 0.1}


def record(arm, number, **figures):
    return {'arm': arm, 'round': number, 'tps_per_second': [100, 110, 90], 'checkpoints': [POINT],
            'histogram': {'100': 50, '130': 2}, 'extents_over_time': [[0, 1], [2, 9]], 'wal': None,
            'machine': {'background_cpu': 0, 'cpu_stolen_s': 0, 'cpu_used_s': 1},
            'figures': {'checkpoints_begun': 0, 'checkpoints_finished': 0, **figures}}


def result(driver='pgbench', **by_arm):
    """A comparison of three rounds; by_arm: {arm: {figure: [three values]}}."""
    plan = options.Plan(arms=','.join(by_arm), rounds=3, duration=3, driver=driver)
    records = [record(arm, number + 1, **{key: values[number] for key, values in figures.items()})
               for arm, figures in by_arm.items() for number in range(3)]
    return claims.Result('a-comparison', plan, records, ENVIRONMENT, report.summarise(plan, records),
                         [{'name': 'atomic-1', 'title': 'direct atomic', 'kind': 'atomic',
                           'refused': 'EOPNOTSUPP'}],
                         pathlib.Path('.'))


SLOWER = result(stock={'tps': [100, 110, 105], 'wal_per_transaction': [9000] * 3},
                unsafe={'tps': [120, 130, 125], 'wal_per_transaction': [500] * 3},
                smgr_atomic={'tps': [90, 93, 92], 'wal_per_transaction': [500] * 3})
UNFINISHED = [claims.Unfinished('failed-one', options.Plan(target=['tps smgr_atomic/stock >= 1']),
                                'pgbench ended with <1>\nlast line'), claims.Unfinished('not-made', options.Plan(), '')]
EQUAL = result(stock={'tps': [100, 110, 105]}, smgr_atomic={'tps': [101, 105, 106]})


def every_kind():
    """A comparison of each kind, with every part that a report can have."""
    every = list(profiles.names('arms'))
    load = {name: {key: [value] * 3 for key, value in {
        'tps': 1234, 'wal_per_transaction': 8123, 'drained_bytes_per_transaction': 20000, 'ready_s': 3.2, 'redo_s': 2.1,
        'repair_s': 0.2, 'p99_ms': 7}.items()} for name in every}
    loads = result(**load)
    loads.fio[:] = [{'name': f'{kind}-{depth}', 'title': f'direct {kind}, depth {depth}', 'kind': kind, 'iops': depth * 999.0,
                     'cpu_us': 5.1, 'tool': 'fio'} for kind in ('direct', 'atomic') for depth in (1, 8, 32)]
    loads.plan.target[:] = ['tps smgr_atomic/stock >= 1', 'wal_per_transaction stock/smgr_atomic >= 14',
                            'tps unsafe/stock <= 1.5']
    for one in loads.records:
        one['wal'] = {'bytes': 1e6, 'share': 0.5, 'kinds': {
            'XLOG/FPI_FOR_HINT': {'records': 9, 'bytes': 500, 'image_bytes': 73728, 'images': 9}}}
    task = result(**{name: {'task_s': [9.5] * 3, 'task_durable_s': [11.2] * 3, 'task_pages_per_s': [9999] * 3,
                            'wal_per_transaction': [1e8] * 3} for name in ('stock', 'smgr_atomic')})
    task.plan.task = 'checkpoint-100mb.sql'
    slices = result(**{name: {'tps': [9000] * 3, 'tps_beside': [1.001] * 3, 'cpu_beside': [1.0] * 3}
                       for name in ('stock', 'smgr_atomic')})
    slices.plan.driver = 'slices'
    rate = result(**{name: {'pages_per_s': [12000] * 3, 'page_machine_cpu_us': [50] * 3}
                     for name in profiles.WAYS['pagerate']}, driver='pagerate')
    accept = result(**{name: {'accept_us': [3.1] * 3, 'accept_beside': [1.0] * 3} for name in profiles.WAYS['accept']},
                    driver='accept')
    wear = result(stock={'bytes_per_page': [16000] * 3}, doublewrite={'bytes_per_page': [17000] * 3})
    wear.plan.profile = 'wear'
    for one in (task, slices, rate, accept):
        for run in one.records:
            run.update(tps_per_second=[], histogram={}, extents_over_time=[])
    return [loads, SLOWER, EQUAL, task, slices, rate, accept, wear]


class Balance(HTMLParser):
    """Whether every element that was opened is closed in order."""
    VOID = {'meta', 'br', 'line', 'rect', 'polyline'}

    def __init__(self):
        super().__init__()
        self.open, self.wrong = [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        if tag not in self.VOID and (not self.open or self.open.pop() != tag):
            self.wrong.append(tag)


class Claims(unittest.TestCase):
    def test_loss_is_named_with_its_interval(self):
        self.assertEqual(len(claims.losses(SLOWER)), 1)
        self.assertRegex(claims.losses(SLOWER)[0], r'^smgr_atomic: TPS 0\.88x \(0\.81–0\.94\): ')

    def test_no_difference_is_no_loss(self):
        self.assertEqual(claims.losses(EQUAL), [])

    def test_headline(self):
        (arm, cells, near), = claims.headline(SLOWER)
        self.assertEqual(arm.name, 'smgr_atomic')
        self.assertEqual(cells[0], ('18.0x less (18.0–18.0)', 'gain'))
        self.assertEqual(cells[1][1], 'loss')
        self.assertEqual(near, ('0.74x (0.69–0.78)', 'loss'))
        text, kind = claims.headline(EQUAL)[0][1][1]
        self.assertEqual((text.split(' (')[0], kind), ('no difference shown', ''))

    def test_every_reason_belongs_to_a_figure(self):
        for reasons in (claims.WHY, claims.WHY_STANDBY, *claims.WHY_METHOD.values()):
            for key in reasons:
                self.assertTrue(report.METRICS[key].better, key)

    def test_loss_without_a_known_reason_is_named(self):
        found = result(stock={'lag_most_bytes': [1e6] * 3}, smgr_atomic={'lag_most_bytes': [2e6] * 3})
        self.assertEqual(claims.losses(found), ['smgr_atomic: Standby: most behind, MB 2.00x more (2.00–2.00)'])


class Methods(unittest.TestCase):
    STATUS = {'mode_in_force': 'direct', 'protection': 'software'}

    def runs(self, *statuses):
        return [{**record('smgr_atomic', number + 1, tps=100), 'checks': {'status': status}}
                for number, status in enumerate(statuses)] + [record('stock', 1, tps=100)]

    def test_arm_is_named_after_the_method_in_force(self):
        plan = options.Plan(arms='stock,smgr_atomic,doublewrite')
        plan.methods = measure.methods(self.runs(self.STATUS))
        self.assertEqual([arm.title for arm in plan.arm_list()],
                         ['stock, images on', 'smgr_atomic (copy-on-write)', 'smgr_atomic, page journal'])

    def test_methods(self):
        for mode, protection, method in (('direct', 'hardware', 'hardware'),
                                         ('doublewrite', 'journal', 'page journal'),
                                         ('writethrough', 'software', 'writethrough'),
                                         ('new', 'thing', 'new, thing')):
            found = measure.methods(self.runs({'mode_in_force': mode, 'protection': protection}))
            self.assertEqual(found, {'smgr_atomic': method})

    def test_library_for_benchmarks_has_no_method(self):
        run = {**record('pool-unsafe', 1, tps=100), 'checks': {'status': self.STATUS}}
        self.assertEqual(measure.methods([run]), {})

    def test_runs_that_differ_are_not_hidden(self):
        found = measure.methods(self.runs(self.STATUS, {**self.STATUS, 'protection': 'hardware'}))
        self.assertEqual(found, {'smgr_atomic': 'copy-on-write and hardware'})

    def test_reasons_are_those_of_the_method(self):
        found = result(stock={'tps': [100] * 3, 'machine_cpu_us': [50] * 3},
                       smgr_atomic={'tps': [50, 51, 52], 'machine_cpu_us': [60] * 3})
        for method in ('hardware', 'writethrough'):
            found.plan.methods = {'smgr_atomic': method}
            self.assertEqual(len(claims.losses(found)), 2)
            self.assertNotRegex(' '.join(claims.losses(found)), 'copy-on-write|journal')
        found.plan.methods = {'smgr_atomic': 'copy-on-write'}
        self.assertIn('copy-on-write takes', claims.losses(found)[0])
        found.plan.methods = {'smgr_atomic': 'page journal'}
        self.assertIn('smgr_atomic (page journal): TPS', claims.losses(found)[0])
        self.assertIn('written twice', claims.losses(found)[0])

    def test_csv_has_the_method(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / 'results.csv'
            report._write_runs(path, self.runs(self.STATUS))
            lines = path.read_text().splitlines()
        self.assertRegex(lines[0], '^round,arm,method,')
        self.assertRegex(lines[1], '^1,smgr_atomic,copy-on-write,')
        self.assertRegex(lines[2], '^1,stock,,')


class Wear(unittest.TestCase):
    def test_only_its_profile_has_the_table(self):
        found = result(stock={'bytes_per_page': [16000] * 3, 'wal_bytes_per_page': [8000] * 3},
                       doublewrite={'bytes_per_page': [17000] * 3, 'wal_bytes_per_page': [300] * 3})
        self.assertEqual(claims.wear(found), [])
        found.plan.profile = 'wear'
        self.assertEqual(claims.wear(found)[1], ['smgr_atomic, page journal', '300', '–', '17,000',
                                                 '1.06x more (1.06–1.06)'])
        self.assertIn('| smgr_atomic, page journal | 300 |', readme.section([found]))
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / 'report.html'
            page.write([found], path, 'A title')
            text = path.read_text()
        balance = Balance()
        balance.feed(text)
        self.assertEqual((balance.open, balance.wrong), ([], []))
        self.assertIn('<h2>Wear</h2>', text)


class SameFile(unittest.TestCase):
    def test_checkpoint_beside_fio(self):
        found = result(smgr_atomic={'task_s': [2.0] * 3, 'task_durable_s': [2.1] * 3, 'task_pages_per_s': [5000] * 3,
                                    'file_fio_direct': [10000] * 3, 'task_fio_share': [0.5] * 3})
        found.plan.task = 'checkpoint-100mb.sql'
        self.assertEqual(claims.disk_share(found), [
            "smgr_atomic wrote 5,000 pages per second, 0.50 (0.50–0.50) of fio's direct writes of the same file at depth "
            '32 (10,000).'])


class Page(unittest.TestCase):
    def test_report(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / 'report.html'
            page.write([SLOWER, EQUAL], path, 'A title', UNFINISHED)
            text = path.read_text()
        balance = Balance()
        balance.feed(text)
        self.assertEqual((balance.open, balance.wrong), ([], []))
        self.assertLess(text.index('loses'), text.index('At a glance'))
        self.assertIn('refused: EOPNOTSUPP', text)
        self.assertIn('x &lt;&amp;&gt;', text)
        self.assertIn('Not finished: not-made.', text)
        self.assertIn('Failed: failed-one: pgbench ended with &lt;1&gt;', text)
        self.assertIn('<td class="verdict loss">failed</td><td class="words">failed-one</td>', text)

    def test_nothing_is_finished(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / 'report.html'
            page.write([], path, 'A title', UNFINISHED)
            text = path.read_text()
        balance = Balance()
        balance.feed(text)
        self.assertEqual((balance.open, balance.wrong), ([], []))
        self.assertIn('Failed: failed-one', text)
        self.assertNotRegex(text, '(src|href)=|<script|@import|url\\(')    # nothing from elsewhere


class Readme(unittest.TestCase):
    def test_each_file_has_a_picture_of_its_own(self):
        for file, picture in (('README.md', 'doc/tps.svg'), ('/a/README.md', '/a/doc/tps.svg'),
                              ('doc/full.md', 'doc/full-tps.svg')):
            self.assertEqual(readme.picture_of(pathlib.Path(file)), pathlib.Path(picture))

    def test_only_the_part_between_the_marks_changes(self):
        text = 'before\n<!-- result:begin -->\nold\n<!-- result:end -->\nafter\n'
        found = readme.replace(text, 'new')
        self.assertEqual(found, text.replace('old', 'new'))
        self.assertEqual(readme.replace(found, 'new'), found)

    def test_marks_must_be_there(self):
        for text in ('nothing', '<!-- result:begin -->', '<!-- result:end --> <!-- result:begin -->'):
            with self.assertRaises(options.PlanError):
                readme.replace(text, 'new')

    def test_parts(self):
        found = result(stock={'tps': [100] * 3, 'bytes_per_page': [9000] * 3},
                       doublewrite={'tps': [50] * 3, 'bytes_per_page': [17000] * 3})
        found.plan.profile, found.plan.target = 'wear', ['tps doublewrite/stock >= 1']
        for part, text in (('wear', '| smgr_atomic, page journal | – | – | 17,000 |'),
                           ('targets', '| **not reached** | a-comparison | TPS: smgr_atomic, page journal ÷ ')):
            self.assertIn(text, readme.PARTS[part]([found], [], None))
        for part in ('wear', 'targets'):
            self.assertEqual(readme.PARTS[part]([EQUAL], [], None), '')

    def test_what_failed_is_named(self):
        for text in (readme.section([EQUAL], UNFINISHED), readme.section([], UNFINISHED)):
            self.assertIn('**Failed: failed-one: pgbench ended with <1> last line**', text)
            self.assertIn('| **failed** | failed-one | TPS: smgr_atomic ÷ stock, images on ≥ 1 | – |', text)
            self.assertIn('**Not finished: not-made.**', text)

    def test_section(self):
        text = readme.section([SLOWER, EQUAL])
        self.assertLess(text.index('loses'), text.index('| comparison | arm | against |'))
        self.assertIn('| a-comparison | smgr_atomic | stock, images on | no limit |', text)
        self.assertIn('shared_buffers 1GB; xfs; disk: no limit.', text)
        self.assertIn('18.0x less (18.0–18.0)', text)
        self.assertIn('**unsafe**', text)


    def test_lines_name_the_comparison_only_where_there_are_several(self):
        self.assertIn('\n- smgr_atomic: TPS', readme.section([SLOWER]))
        self.assertIn('\n- a-comparison: smgr_atomic: TPS', readme.section([SLOWER, EQUAL]))


class Suites(unittest.TestCase):
    # In place of identity.of(), which asks for a server and the installed library, vars() of a plan is taken.

    def test_words(self):
        self.assertEqual(suite.asked(['--full', '--scale', '3', '--results=x']),
                         ('full', 'x', '', ['--scale', '3']))
        self.assertEqual(suite.asked(['--suite', 'mine', '--dry-run', '--only', 'a,b']),
                         ('mine', '', 'a,b', ['--dry-run']))
        self.assertEqual(suite.asked(['--scale', '3', '--results', 'y']),
                         ('', '', '', ['--scale', '3', '--results', 'y']))

    def test_only(self):
        todo = suite.Suite.from_file('full', '/nowhere', [], 'wear,tpcb')
        self.assertEqual(list(todo.plans), ['wear', 'tpcb'])
        with self.assertRaisesRegex(profiles.ProfileError, 'no "nothing"; there are: evictions,'):
            suite.Suite.from_file('full', '/nowhere', [], 'nothing')

    def test_what_needs_a_volume_is_left_out_in_a_directory(self):
        with tempfile.TemporaryDirectory() as directory:
            words = ['--directory', '/tmp']
            todo = suite.Suite.from_file('writebehind', directory, words)
            self.assertEqual(list(todo.left_out), ['evictions-slices-ext4', 'copy-cloud-3000'])
            self.assertFalse(set(todo.left_out) & set(todo.plans))
            self.assertIn('Left out: copy-cloud-3000: --device-limit', todo.describe())
            todo.save(vars)
            again = suite.Suite.from_results(directory)
            self.assertEqual(again.left_out, todo.left_out)
            left_out = 'Left out: evictions-slices-ext4: ext4 is made'
            self.assertIn(left_out, again.report())
            for report in ('report.html', 'report.md'):
                self.assertIn(left_out, (todo.results / report).read_text())
            self.assertEqual(suite.Suite.from_file('full', '/nowhere', words).left_out.keys(),
                             {'bandwidth-bound', 'wal-bound', 'cloud-3000', 'cloud-16000'})
            for name, only in (('limits', ''), ('writebehind', 'copy,copy-cloud-3000')):
                with self.assertRaisesRegex(options.PlanError, 'not with --directory'):
                    suite.Suite.from_file(name, '/nowhere', words, only)

    def test_they_fit_their_time(self):
        for name, minutes in (('quick', 10), ('full', 90), ('writebehind', 90), ('hugepages', 30), ('recovery', 10),
                              ('bandwidth', 25), ('limits', 30), ('cloud', 75)):
            todo = suite.Suite.from_file(name, '/nowhere', [])
            self.assertLess(todo.seconds(), minutes * 60, name)

    def test_targets_can_be_judged(self):
        for name in profiles.names('suites'):
            for title, plan in suite.Suite.from_file(name, '/nowhere', []).plans.items():
                until = plan.warmup + figures.LEAD + plan.duration - options.seconds(plan.checkpoint_timeout)
                for target in plan.target_list() if plan.is_load() and not plan.means_no_checkpoint() else []:
                    if target.key in report.BETWEEN_CHECKPOINTS:
                        self.assertGreater(until / plan.duration, report.CHECKPOINT_SHARE, f'{name}: {title}')

    def test_command_line_wins(self):
        todo = suite.Suite.from_file('quick', '/nowhere', ['--scale', '2'])
        self.assertEqual({plan.scale for plan in todo.plans.values()}, {2})

    def test_saved_and_read_back(self):
        with tempfile.TemporaryDirectory() as directory:
            todo = suite.Suite.from_file('quick', directory, [])
            todo.save(vars)
            again = suite.Suite.from_results(directory)
            self.assertEqual(again.plans, todo.plans)
            self.assertFalse(any(map(suite.complete, again.plans.values())))
            self.assertIn('Not finished: tpcb, bandwidth-bound.', again.report())

    def test_another_plan_is_refused(self):
        with tempfile.TemporaryDirectory() as directory:
            suite.Suite.from_file('quick', directory, []).save(vars)
            suite.Suite.from_file('quick', directory, []).save(vars)
            for words, only in (([], 'tpcb'), (['--scale', '2'], ''), (['--device-limit', 'slow-20'], '')):
                with self.assertRaisesRegex(options.PlanError, 'another plan', msg=(words, only)):
                    suite.Suite.from_file('quick', directory, words, only).save(vars)
            with self.assertRaisesRegex(options.PlanError, 'of a suite'):
                identity.settle(options.Plan(), pathlib.Path(directory), False)

    def test_resume_refuses_what_was_begun_with_another(self):
        with tempfile.TemporaryDirectory() as directory:
            directory = pathlib.Path(directory)
            script = directory / 'script.sql'
            script.write_text('SELECT 1;')
            plan = options.Plan(script=str(script), arms='stock')
            try:
                identity.settle(plan, directory, False)
            except options.PlanError as error:
                self.skipTest(str(error))       # no pg_config
            identity.settle(options.Plan.load(directory / 'plan.json'), directory, False)
            script.write_text('SELECT 2;')
            with self.assertRaisesRegex(options.PlanError, 'begun with another: --script;'):
                identity.settle(plan, directory, False)
            identity.settle(plan, directory, True)      # all runs are there: only the report is made again
            plan.scale += 1
            with self.assertRaisesRegex(options.PlanError, 'another plan'):
                identity.settle(plan, directory, True)

    def test_what_is_another(self):
        for saved, now, found in (({'a': 1}, {'a': 1}, []), ({'a': 1, 'b': [0]}, {'a': 1, 'b': [9]}, ['b']),
                                  ({}, {'c': 1}, ['c']), ({'d': 1}, {}, ['d'])):
            self.assertEqual(identity.differences(saved, now), found)

    def test_a_failure_is_kept_until_it_is_made_good(self):
        class Broken:
            progress = types.SimpleNamespace(note=lambda _text: None)

            def run(self):
                raise OSError('no space')

        with tempfile.TemporaryDirectory() as directory:
            todo = suite.Suite.from_file('quick', directory, [], 'tpcb')
            todo.save(vars)
            with contextlib.redirect_stdout(io.StringIO()):
                self.assertEqual(todo.run(lambda *_: Broken()), 1)
            for name in ('report.html', 'report.md'):
                self.assertIn('Failed: tpcb: no space', (pathlib.Path(directory) / name).read_text())
            self.assertIn('failed: tpcb: TPS: ', todo.report())
            Broken.run = lambda self: None
            with contextlib.redirect_stdout(io.StringIO()):
                self.assertEqual(todo.run(lambda *_: Broken()), 0)
            self.assertFalse((pathlib.Path(directory) / 'tpcb' / suite.FAILED).exists())


if __name__ == '__main__':
    unittest.main()
