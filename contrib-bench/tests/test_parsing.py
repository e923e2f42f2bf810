"""What is read from pgbench, the server's log, the kernel and the small files."""

import pathlib
import shlex
import tempfile
import unittest
from array import array
from unittest import mock

from sabench import figures, hugepages, load, measure, options, profiles, sampler, volume

REPORT = '''transaction type: <builtin: TPC-B (sort of)>
number of clients: 16
number of transactions actually processed: 61234
number of failed transactions: 2 (0.003%)
latency average = 10.123 ms
initial connection time = 12.345 ms
tps = 1580.250000 (without initial connection time)
'''

LOG = '''1763856000.100 4242 LOG:  checkpoint starting: immediate force wait
1763856000.900 4242 LOG:  checkpoint complete: wrote 10 buffers (0.0%); 0 WAL file(s) added, 0 removed, 0 recycled; write=0.700 s, sync=0.050 s, total=0.800 s; sync files=3, longest=0.040 s, average=0.017 s; distance=1 kB, estimate=1 kB
1763856030.200 4242 LOG:  checkpoint starting: time
1763856030.300 4999 ERROR:  division by zero
1763856057.400 4242 LOG:  checkpoint complete: wrote 84000 buffers (64.1%); 0 WAL file(s) added, 0 removed, 28 recycled; write=26.950 s, sync=0.200 s, total=27.200 s; sync files=12, longest=0.100 s, average=0.020 s; distance=460000 kB, estimate=460000 kB
1763856060.200 4242 LOG:  checkpoint starting: time
'''


class HugePages(unittest.TestCase):

    def test_promised_pages_are_not_free(self):
        meminfo = 'MemTotal:  24683632 kB\nHugePages_Total:      80\nHugePages_Free:       50\nHugePages_Rsvd:       20\n'
        self.assertEqual(hugepages.free(meminfo), 30)

    def test_reserve(self):
        """Files in place of the kernel's; it has no compact_memory.  Somebody else takes 7 more meanwhile."""
        with tempfile.TemporaryDirectory() as directory:
            reserved, memory = (pathlib.Path(directory) / name for name in ('nr_hugepages', 'meminfo'))
            reserved.write_text('80\n')
            memory.write_text('HugePages_Free:  50\nHugePages_Rsvd:  20\n')
            with mock.patch.multiple(hugepages, RESERVED=reserved, MEMORY=memory,
                                     COMPACT=pathlib.Path(directory) / 'no' / 'compact_memory'):
                found = hugepages.HugePages()
                found.reserve(30)
                self.assertEqual((found.added, reserved.read_text()), (0, '80\n'))
                found.reserve(100)
                self.assertEqual((found.added, reserved.read_text()), (70, '150'))
                reserved.write_text('157')
                found.close()
                self.assertEqual(reserved.read_text(), '87')

    def test_as_many_as_are_up_at_once(self):
        for words, pages in (([], 9), (['--driver', 'slices'], 14), (['--standby-mb-s', '8'], 18)):
            self.assertEqual(hugepages.needed(options.parse(words)[0], [5, 9]), pages, words)
        for driver in ('pagerate', 'accept'):
            with self.assertRaisesRegex(options.PlanError, '--huge-pages does not go'):
                options.parse(['--profile', driver, '--huge-pages'])

    def test_every_arm_gets_them(self):
        plan, _ = options.parse(['--huge-pages', '--set', 'work_mem=8MB'])
        self.assertIn('--huge-pages', shlex.split(plan.command()))
        self.assertEqual(plan.more_settings(), ', huge pages, work_mem=8MB')


class Pgbench(unittest.TestCase):
    def test_summary(self):
        self.assertEqual(load.summary(REPORT), {
            'transactions': 61234, 'failed': 2, 'tps': 1580.25, 'latency_average_ms': 10.123})

    def test_summary_of_a_standstill(self):
        """pgbench has no line of TPS then; a warm-up of a second on a busy machine can be that."""
        text = REPORT.replace('61234', '0').replace('latency average = 10.123 ms\n', '')
        found = load.summary(text[:text.index('initial connection')])
        self.assertEqual((found['transactions'], found['tps']), (0, 0.0))

    def test_summary_refuses_nonsense(self):
        with self.assertRaises(load.LoadError):
            load.summary('pgbench: error: connection failed')

    def test_progress(self):
        found = load.PROGRESS.match('progress: 3.0 s, 1834.0 tps, lat 8.7 ms stddev 5.1, 0 failed')
        self.assertEqual(found.groups(), ('3.0', '1834.0', '8.7'))
        self.assertTrue(load.PROGRESS.match('progress: 4.0 s, 0.0 tps, lat NaN ms stddev NaN'))
        self.assertIsNone(load.PROGRESS.match('pgbench (15.20)'))

    def test_transactions(self):
        latencies, ends = array('q'), array('q')
        measure.read_transactions(['0 1 2500 0 1763856000 250000\n', '1 1 failed 0 1763856000 1\n',
                                   '1 2 900 0 1763856001 5\n', '1 3 9\n'], latencies, ends)
        self.assertEqual(list(latencies), [2500, 900])
        self.assertEqual(list(ends), [1763856000250000, 1763856001000005])

    def test_seconds(self):
        groups = measure.seconds([5, 6, 7, 8], [10_000_000, 10_999_999, 12_000_000, 13_000_000],
                                 10_000_000, 3)
        self.assertEqual([list(group) for group in groups], [[5, 6], [], [7]])

    def test_second_without_transactions(self):
        rows = measure.second_rows([array('q', [1000, 3000]), array('q')], [2, 0])
        self.assertEqual(rows[0]['max_ms'], 3)
        self.assertEqual(rows[1]['tps'], 0)
        self.assertIsNone(rows[1]['p99_ms'])

    def test_sample_rate(self):
        plan = options.Plan(duration=998)       # and the 2 s before
        self.assertEqual(load.sample_rate(plan, 1500), 1.0)
        self.assertEqual(load.sample_rate(plan, 20000), 0.1)

    def outcome(self, lines, rate=1.0, progress=(), duration=2):
        with tempfile.TemporaryDirectory() as directory:
            (pathlib.Path(directory) / 'transactions.7').write_text(''.join(lines))
            found = load.Pgbench(options.Plan(duration=duration))
            found.rate = rate
            return found._read(REPORT, progress, pathlib.Path(directory), [], 1000.0)

    def test_the_begin_is_not_measured(self):
        """Four transactions in 2 slow seconds, then six in the first and two in the second measured one.  The first
        began at 1000.0, 12.345 ms after pgbench's clock."""
        lines = [f'0 1 {latency} 0 {second} {part}\n' for second, latency, parts in (
            (1000, 500000, (500000, 999999)), (1001, 700000, (800000, 900000)),
            (1001, 1000, (987656, 999999)), (1002, 1000, (1, 2, 3, 987654)), (1002, 3000, (987656,)),
            (1003, 3000, (987654,)), (1003, 9000, (987656,))) for part in parts]
        found = self.outcome(lines)
        self.assertEqual((round(found.start, 6), found.tps), (1001.987655, [6, 2]))
        self.assertEqual(found.summary, {'transactions': 61234, 'failed': 2, 'tps': 4.0, 'latency_average_ms': 1.5})
        self.assertEqual(found.latency['max_ms'], 3.0)

    def test_the_begin_is_not_measured_with_a_sampled_log_either(self):
        found = self.outcome([], 0.5, [(1.0, 5.0), (2.0, 6.0), (3.0, 20.0), (4.0, 30.0), (5.0, 1.0)])
        self.assertEqual((found.tps, found.summary['tps']), ([20.0, 30.0], 25.0))


class Checkpoints(unittest.TestCase):
    def setUp(self):
        self.points = measure.checkpoints(LOG.splitlines())

    def test_all(self):
        self.assertEqual(len(self.points), 3)
        self.assertEqual(self.points[1]['buffers'], 84000)
        self.assertEqual(self.points[1]['why'], 'time')
        self.assertIsNone(self.points[2]['end'])

    def test_within(self):
        shown = measure.within(self.points, 1763856005.2, 1763856065.2)
        self.assertEqual([(point['from'], point['to']) for point in shown],
                         [(25.0, 52.2), (55.0, 60.0)])
        self.assertEqual([point['finished'] for point in shown], [True, False])

    def test_cut_at_both_ends(self):
        shown = measure.within(self.points, 1763856040.2, 1763856050.2)
        self.assertEqual((shown[0]['from'], shown[0]['to']), (0, 10))
        self.assertFalse(shown[0]['begun'] or shown[0]['finished'])

    def test_figures(self):
        shown = measure.within(self.points, 1763856005.2, 1763856065.2)
        found = figures._checkpoints(shown)
        self.assertEqual((found['checkpoints_begun'], found['checkpoints_finished']), (2, 1))
        self.assertAlmostEqual(found['checkpoint_write_s'], 26.95 + 5.0)
        self.assertAlmostEqual(found['checkpoint_sync_s'], 0.2)

    def test_counters_that_may_be_missing(self):
        """No counter from a checkpointer at work means unknown, not zero."""
        none = {'buffers_checkpoint': 0, 'buffers_bgwriter': 0, 'buffers_backend': 0}
        work = {'pages': 10, 'accepted': 4, 'write_time_ms': 2.0}
        self.assertIsNone(figures._pages([{'finished': False}], none, None, None)
                          ['buffers_checkpoint'])
        self.assertEqual(figures._pages([{'finished': True}], none, None, None)
                         ['buffers_checkpoint'], 0)
        found = figures._pages([{'finished': False}], none, {**none, 'buffers_checkpoint': 7}, work)
        self.assertEqual((found['buffers_checkpoint'], found['library_us_per_page']), (7, 200))


class Status(unittest.TestCase):
    def test_active(self):
        row = {'attached': True, 'state': 'active', 'full_page_writes': False}
        self.assertTrue(measure.status_active(row))
        self.assertTrue(measure.status_active({**row, 'full_page_writes': 'off'}))
        for change in ({'attached': False}, {'state': 'waiting'}, {'full_page_writes': True},
                       {'full_page_writes': 'on'}, {'full_page_writes': None}):
            self.assertFalse(measure.status_active({**row, **change}), change)

    def test_no_page_written(self):
        rows = [{'pages': 5, 'bytes': 40960, 'accepted': 0, 'retries': 0, 'errors': 0, 'write_time_ms': 1.0}]
        with self.assertRaises(measure.CheckError):
            measure.library_work(rows, rows, {'buffers_checkpoint': 10})
        self.assertEqual(measure.library_work(rows, rows, {'buffers_checkpoint': 0})['pages'], 0)


class Device(unittest.TestCase):
    LINE = '  10 0 80 5 200 3 1600 40 0 33 45 0 0 0 0 7 2\n'

    def test_counters(self):
        self.assertEqual(volume.parse_device_counters(self.LINE), {
            'reads': 10, 'read_bytes': 40960, 'writes': 200, 'write_bytes': 819200,
            'busy_ms': 33, 'flushes': 7})

    def test_per_second(self):
        samples = [(100.0, {'writes': 0}), (101.0, {'writes': 10}), (102.0, {'writes': 40})]
        self.assertEqual(sampler.per_second(samples, 'writes', 100.5, 2), [20, None])
        self.assertEqual(sampler.per_second([], 'writes', 0, 2), [None, None])


class SmallFiles(unittest.TestCase):
    def test_every_file_can_be_read(self):
        for name in profiles.names('arms'):
            arm = profiles.arm(name)
            self.assertIn(arm.full_page_writes, ('on', 'off'))
            self.assertRegex(arm.colour, '^#[0-9a-f]{6}$')
        for name in profiles.names('disks'):
            profiles.disk(name)
        for name in profiles.names('profiles'):
            options.parse(['--profile', name])

    def test_unknown_name(self):
        with self.assertRaisesRegex(profiles.ProfileError, 'cloud-3000'):
            profiles.disk('no-such-disk')


class Options(unittest.TestCase):
    def test_command_line_wins_over_profile(self):
        plan, _ = options.parse(['--profile', 'demo', '--scale', '7'])
        self.assertEqual((plan.scale, plan.duration), (7, 22))

    def test_sizes(self):
        self.assertEqual(options.megabytes('4GB'), 4096)
        self.assertEqual(options.megabytes('512M'), 512)
        with self.assertRaises(options.PlanError):
            options.megabytes('much')

    def test_refusals(self):
        for words in (['--scale', '0'], ['--set', 'fsync'], ['--arms', 'stock,stock'],
                      ['--script', '/no/such/file'], ['--resume', 'x', '--scale', '1'],
                      ['--directory', '/', '--device-limit', 'cloud-3000'],
                      ['--wal-limit', 'slow-10'], ['--directory', '/', '--wal-volume', '--wal-limit', 'slow-10']):
            with self.assertRaises(options.PlanError, msg=words):
                options.parse(words)

    def test_command_repeats_the_plan(self):
        plan, _ = options.parse(['--profile', 'quick', '--set', 'a=1', '--set', 'b=x y', '--no-drain',
                                 '--initdb-options=--data-checksums -g'])
        words = shlex.split(plan.command())[2:]
        again, _ = options.parse(words)
        again.results, again.profile = plan.results, plan.profile
        self.assertEqual(again, plan)

    def test_limits_of_wal(self):
        plan, _ = options.parse(['--profile', 'wal-bound'])
        self.assertEqual((plan.disk().bandwidth, plan.wal_disk().bandwidth), (0, 10))
        self.assertEqual(plan.disk_title(), 'no limit, WAL 10 MB/s')
        plan, _ = options.parse(['--wal-volume', '--device-limit', 'slow-20'])
        self.assertEqual((plan.wal_disk().bandwidth, plan.disk_title()), (20, '20 MB/s'))

    def test_order_rotates(self):
        plan = options.Plan(arms='stock,unsafe')
        self.assertEqual([[arm.name for arm in plan.order(number)] for number in (1, 2, 3)],
                         [['stock', 'unsafe'], ['unsafe', 'stock'], ['stock', 'unsafe']])

    def test_order_is_balanced(self):
        """Each arm is once in each place in as many rounds as there are arms, and follows each neighbour."""
        self.assertEqual([''.join(options.in_turn('abc', number)) for number in range(1, 7)],
                         ['abc', 'bac', 'cab', 'acb', 'bca', 'cba'])
        for arms in ('ab', 'abc', 'abcd', 'abcde'):
            rounds = [options.in_turn(arms, number) for number in range(1, 2 * len(arms) + 1)]
            for place in range(len(arms)):
                self.assertEqual(sorted(one[place] for one in rounds), sorted(2 * arms), arms)
            for first, second in zip(arms, arms[1:]):
                self.assertTrue(any(first + second in one for one in rounds), arms)
                self.assertTrue(any(second + first in one for one in rounds), arms)

    def test_plan_survives_the_file(self):
        plan, _ = options.parse(['--profile', 'quick', '--set', 'a=1'])
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / 'plan.json'
            plan.save(path)
            self.assertEqual(options.Plan.load(path), plan)


if __name__ == '__main__':
    unittest.main()
