"""What is read from pg_waldump, recovery, sysbench, fio, /proc and the filesystem."""

import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

from sabench import extents, figures, fio, link, options, processes, profiles, recovery, sysbench, task, volume, wal

STATS = '''WAL statistics between 0/21960D0 and 0/2196380:
Type                                           N      (%)          Record size      (%)             FPI size      (%)        Combined size      (%)
----                                           -      ---          -----------      ---             --------      ---        -------------      ---
XLOG/FPI_FOR_HINT                              3 ( 10.00)                  147 (  5.05)                24300 ( 90.00)                24447 (  5.05)
Heap/HOT_UPDATE+INIT                           9 ( 90.00)                  639 ( 94.95)                    0 (  0.00)                  639 ( 94.95)
Btree/INSERT_LEAF                              0 (  0.00)                    0 (  0.00)                    0 (  0.00)                    0 (  0.00)
                                        --------                      --------                      --------                      --------
Total                                         12                           786 [5.05%]                24300 [94.95%]                25086 [100%]
'''
IMAGES = '''rmgr: Heap        len (rec/tot):     59/  7987, tx:        740, lsn: 0/0155A7D8, prev 0/0155A7A0, desc: HOT_UPDATE off 17 xmax 740 flags 0x20 ; new off 18 xmax 0, blkref #0: rel 1663/5/16388 blk 0 FPW
rmgr: Btree       len (rec/tot):     53/ 12345, tx:        740, lsn: 0/0155C728, prev 0/0155A7D8, desc: SPLIT_R level 0, blkref #0: rel 1663/5/16390 blk 2 FPW, blkref #1: rel 1663/5/16390 blk 9 FPW
rmgr: XLOG        len (rec/tot):     49/  8137, tx:          0, lsn: 0/0155F7F0, prev 0/0155C728, desc: FPI_FOR_HINT , blkref #0: rel 1663/5/1259 blk 3 FPW
'''
RECOVERY = '''1795570020.477 3998 LOG:  redo starts at 0/2A000028
1795570021.977 3998 LOG:  redo done at 0/2B000028 system usage: CPU: user: 0.80 s, system: 0.21 s, elapsed: 1.49 s
'''
SYSBENCH = '''[ 1s ] thds: 4 tps: 100.10 qps: 600.60 (r/w/o: 0.00/400.40/200.20) lat (ms,99%): 99.00 err/s: 0.00 reconn/s: 0.00
[ 2s ] thds: 4 tps: 200.20 qps: 1201.20 (r/w/o: 0.00/800.80/400.40) lat (ms,99%): 88.00 err/s: 0.00 reconn/s: 0.00
[ 2s ] Checkpoint report:
SQL statistics:
    transactions:                        300    (150.03 per sec.)
    ignored errors:                      2      (1.00 per sec.)

Latency (ms):
         min:                                    0.20
         avg:                                   30.00
         max:                                  250.00

[ 3s ] thds: 4 tps: 518.93 qps: 3113.60 (r/w/o: 0.00/2075.73/1037.87) lat (ms,99%): 27.66 err/s: 0.00 reconn/s: 0.00
[ 4s ] thds: 4 tps: 787.74 qps: 4726.42 (r/w/o: 0.00/3150.95/1575.47) lat (ms,99%): 21.50 err/s: 0.00 reconn/s: 0.00
Latency histogram (values are in milliseconds)
       value  ------------- distribution ------------- count
       0.230 |*                                        1
       1.013 |****************************************  98
      17.320 |*                                        1

SQL statistics:
    transactions:                        4201   (840.03 per sec.)
    ignored errors:                      20     (4.00 per sec.)

Latency (ms):
         min:                                    0.23
         avg:                                    4.75
         max:                                   17.41
'''
FIO = '''fio: some warning
{"jobs": [{"job_runtime": 2000, "usr_cpu": 5.0, "sys_cpu": 15.0, "write": {"iops": 1000.0, "total_ios": 2000,
 "clat_ns": {"percentile": {"50.000000": 900000, "99.000000": 5000000}}}}]}'''


class Wal(unittest.TestCase):
    def test_stats(self):
        self.assertEqual(wal.parse_stats(STATS), {
            'XLOG/FPI_FOR_HINT': {'records': 3, 'bytes': 147, 'image_bytes': 24300},
            'Heap/HOT_UPDATE+INIT': {'records': 9, 'bytes': 639, 'image_bytes': 0}})

    def test_images_by_kind(self):
        self.assertEqual(wal.count_images(IMAGES.splitlines()), {
            'Heap/HOT_UPDATE': 1, 'Btree/SPLIT_R': 2, 'XLOG/FPI_FOR_HINT': 1})

    def test_position(self):
        self.assertEqual(wal.lsn(0x1_2A00_0028), '1/2A000028')

    def files(self, directory, *numbers):
        for number in numbers:
            path = pathlib.Path(directory) / f'00000001{number >> 8:08X}{number & 0xFF:08X}'
            path.write_bytes(b'\0' * 64)

    def test_sample_has_no_gap(self):
        """Segment 5 was recycled: the sample begins at 6, although 4 is still there."""
        size = 1 << 24
        with tempfile.TemporaryDirectory() as directory:
            self.files(directory, 3, 4, 6, 7, 8)
            self.assertEqual(wal.begin_of_sample(directory, 3 * size + 5, 8 * size + 9, size), 6 * size)
            self.assertEqual(wal.begin_of_sample(directory, 7 * size + 5, 8 * size + 9, size),
                             7 * size + 5)

    def test_kept_files_outlive_the_checkpoint(self):
        """Recycled and removed ones are still there under the name of their content."""
        with tempfile.TemporaryDirectory() as directory:
            live, kept = pathlib.Path(directory) / 'pg_wal', pathlib.Path(directory) / 'wal-kept'
            (live / 'archive_status').mkdir(parents=True)
            self.files(live, 3, 4, 5)
            wal.keep(live, kept)
            first, second, _ = sorted(path for path in live.iterdir() if path.is_file())
            first.rename(live / f'00000001{0:08X}{9:08X}')
            second.unlink()
            found = wal.segments(kept, 0, 1 << 32, 1 << 24)
            self.assertEqual([(number >> 24, len(path.read_bytes())) for number, path in found],
                             [(number, 64) for number in (3, 4, 5)])

    def test_segments_of_the_next_log(self):
        size = 1 << 24
        with tempfile.TemporaryDirectory() as directory:
            self.files(directory, 255, 256)
            found = wal.segments(directory, 0, 300 * size, size)
            self.assertEqual([position // size for position, _ in found], [255, 256])

    def test_compressed_share(self):
        with tempfile.TemporaryDirectory() as directory:
            path = pathlib.Path(directory) / f'{1:08X}{0:08X}{1:08X}'
            path.write_bytes(os.urandom(1 << 19) + bytes(1 << 19))
            share = wal.compressed_share(directory, 1 << 20, 2 << 20, 1 << 20)
            self.assertAlmostEqual(share, 0.5, delta=0.02)
            self.assertIsNone(wal.compressed_share(directory, 5 << 20, 6 << 20, 1 << 20))


class Recovery(unittest.TestCase):
    def test_redo(self):
        self.assertEqual(recovery.parse(RECOVERY), {'redo_s': 1.49, 'redo_bytes': 1 << 24})

    def test_repair_from_the_page_journal(self):
        line = ('1795570020.1 39 LOG:  smgr_atomic: page journal: 12 batches, 340 pages checked, 7 restored, 2 emptied, 5 rewritten, '
                '0 of files that are gone, 1 not finished, 20 void; 113 ms\n')
        self.assertEqual(recovery.parse(line + RECOVERY),
                         {'redo_s': 1.49, 'redo_bytes': 1 << 24, 'repaired_pages': 7, 'repair_s': 0.113})

    def test_no_redo_needed(self):
        self.assertEqual(recovery.parse('LOG:  redo is not required\n')['redo_s'], 0)

    def test_figures(self):
        found = figures.recovery({'ready_s': 2.0, 'redo_s': 1.5, 'redo_bytes': 5, 'transactions': 1000,
                                  'end_checkpoint_s': 0.3})
        self.assertAlmostEqual(found['redo_us'], 1500)
        self.assertEqual(figures.recovery(None), {})


class Place(unittest.TestCase):
    def test_one_that_cannot_be_removed_does_not_keep_the_rest(self):
        removed = []

        class Kind(volume.Place):
            def __init__(self, name):
                self.name = name

            def _remove(self):
                removed.append(self.name)
                if self.name != 'main':
                    raise volume.VolumeError(self.name)

        place = Kind('main')
        place.wal, place.second = Kind('wal'), Kind('standby')
        with self.assertRaises(volume.VolumeError):
            place.close()
        self.assertEqual(sorted(removed), ['main', 'standby', 'wal'])


class Limits(unittest.TestCase):
    """Which of two volumes gets which limit; lab/volume itself is not called."""

    def setUp(self):
        self.asked, tool = [], volume._tool
        volume._tool = lambda *words: self.asked.append(words)
        self.addCleanup(setattr, volume, '_tool', tool)
        self.place, self.place.wal = self.volume('data'), self.volume('wal')

    @staticmethod
    def volume(name):
        made = volume.Volume.__new__(volume.Volume)
        made.path, made.limited, made.own_limit = name, False, None
        return made

    def test_wal_has_the_same(self):
        self.place.limit(profiles.disk('slow-20'))
        self.assertEqual(sorted(self.asked), [('throttle', name, '--iops', 0, '--bandwidth', 20)
                                              for name in ('data', 'wal')])

    def test_wal_has_its_own(self):
        self.place.wal.own_limit = profiles.disk('slow-10')
        for disk, wanted in (('none', []), ('slow-20', [('throttle', 'data', '--iops', 0, '--bandwidth', 20)])):
            self.asked.clear()
            self.place.limit(profiles.disk(disk))
            self.assertEqual(sorted(self.asked), [*wanted, ('throttle', 'wal', '--iops', 0, '--bandwidth', 10)])

    def test_all_are_taken_off(self):
        self.place.wal.own_limit = profiles.disk('slow-10')
        self.place.limit(profiles.disk('none'))
        self.asked.clear()
        self.place.unlimit()
        self.place.unlimit()
        self.assertEqual(self.asked, [('unthrottle', 'wal')])


class Interrupt(unittest.TestCase):
    PROGRAM = '''
import os, signal, sys
from sabench import interrupt
interrupt.catch()
try:
    os.kill(os.getpid(), signal.SIGINT)
finally:
    for number in interrupt.SIGNALS:
        os.kill(os.getpid(), number)
    print('cleaned up')
'''

    HELD = '''
import os, signal
from sabench import interrupt
interrupt.catch()
try:
    with interrupt.held():
        os.kill(os.getpid(), signal.SIGTERM)
        print('done')
    print('not reached')
finally:
    with interrupt.held():
        print('cleaned up')
    print('to the end')
'''

    def check(self, program, printed):
        done = subprocess.run([sys.executable, '-B', '-c', program], text=True, capture_output=True,
                              cwd=pathlib.Path(__file__).resolve().parent.parent)
        self.assertEqual((done.returncode, done.stdout, done.stderr), (130, printed, ''))

    def test_only_the_first_signal_counts(self):
        self.check(self.PROGRAM, 'cleaned up\n')

    def test_a_step_that_is_held_ends_first(self):
        self.check(self.HELD, 'done\ncleaned up\nto the end\n')


class Pages(unittest.TestCase):
    """Figures per page are made only where the server counts every page."""
    COUNTERS = {'wal_lsn': 100, 'wal_bytes': 90, 'wal_records': 2, 'wal_fpi': 1, 'buffers_checkpoint': 10,
                'buffers_bgwriter': 0, 'buffers_backend': 0, 'device_write_bytes': 81920}

    def figures(self, profile):
        plan, _ = options.parse(['--profile', profile])
        repeat = {'seconds': 2.0, 'durable_seconds': 5.0, 'drained': self.COUNTERS}
        summary = task.summary([repeat, {**repeat, 'seconds': 4.0}], plan.times_checkpoint())
        return figures.of_run(plan, summary, {}, [], self.COUNTERS, [], {**self.COUNTERS, 'seconds': 1}, None)

    def test_tasks(self):
        for profile, *expected in (('copy', None, None), ('create-index', None, None), ('vacuum', None, None),
                                   ('wear', 8192, None), ('checkpoint-100mb', 8192, 3.75)):
            found = self.figures(profile)
            self.assertEqual([found.get(name) for name in ('bytes_per_page', 'task_pages_per_s')], expected, profile)
            self.assertEqual((found['task_s'], found['drained_bytes_per_transaction']), (3.0, 40960))

    def test_loads(self):
        self.assertFalse(options.parse(['--profile', 'tpcb'])[0].counts_pages())


class Sysbench(unittest.TestCase):
    def test_summary(self):
        """TPS and latency of the last report; transactions and errors of both, as the counters are."""
        whole, measured = sysbench.reports(SYSBENCH)
        self.assertEqual(whole, {'transactions': 4501, 'failed': 22, 'tps': 840.03, 'latency_average_ms': 4.75})

    def test_seconds(self):
        tps, rows = sysbench.seconds(SYSBENCH, 2)
        self.assertEqual(tps, [518.93, 787.74])
        self.assertEqual(rows[1], {'second': 1, 'tps': 787.74, 'p99_ms': 21.5})
        self.assertEqual(len(sysbench.seconds(SYSBENCH, 3)[0]), 2)     # the last report is missing

    def test_a_second_without_report_is_zero(self):
        text = SYSBENCH.replace('[ 3s ]', '[ 5s ]')
        self.assertEqual(sysbench.seconds(text, 3)[0], [0.0, 787.74, 518.93])

    def test_latency(self):
        measured = sysbench.reports(SYSBENCH)[1]
        counts = sysbench.buckets(measured)
        self.assertEqual(counts, [(0.23, 1), (1.013, 98), (17.32, 1)])
        found = sysbench.latency(counts, measured)
        self.assertEqual((found['p50_ms'], found['p99_ms'], found['p999_ms'], found['max_ms']),
                         (1.013, 1.013, 17.32, 17.41))
        self.assertEqual(sum(sysbench.histogram(counts).values()), 100)


class Fio(unittest.TestCase):
    def test_parse(self):
        self.assertEqual(fio.parse(FIO), {'tool': 'fio', 'iops': 1000.0, 'p50_ms': 0.9, 'p99_ms': 5.0,
                                          'cpu_us': 200.0})

    def test_atomic_of_an_old_fio_is_another_thing(self):
        self.assertFalse(fio.knows_atomic('fio-3.33\n'))
        self.assertTrue(fio.knows_atomic('fio-3.41\n'))
        self.assertFalse(fio.knows_atomic('sh: fio: not found'))


class Processes(unittest.TestCase):
    def test_work_of_children_counts(self):
        burn = 'import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass'
        process = subprocess.Popen(['sh', '-c', f'python3 -c "{burn}"; read line'],
                                   stdin=subprocess.PIPE)
        try:
            limit, used = time.monotonic() + 60, 0
            while used < 0.25 and time.monotonic() < limit:
                time.sleep(0.05)
                used = processes.cpu_seconds(process.pid)
            self.assertGreaterEqual(used, 0.25)
        finally:
            process.communicate(b'\n')

    def test_kill_all(self):
        process = subprocess.Popen(['sh', '-c', 'sleep 60 & sleep 60'])
        limit = time.monotonic() + 30
        while len(processes.tree(process.pid)) < 3 and time.monotonic() < limit:
            time.sleep(0.02)
        pids = processes.tree(process.pid)
        processes.kill_all(process.pid)
        process.wait()
        self.assertEqual(len(pids), 3)
        self.assertFalse([pid for pid in pids if os.path.exists(f'/proc/{pid}')])


class Others(unittest.TestCase):
    """Who else worked: (parent, seconds, those of its children) by process, before and after."""

    def test_growth(self):
        self.assertEqual(processes.grown({7: (1, 3.0, 0)}, {7: (1, 5.0, 0), 9: (7, 1.0, 0)}), 3)

    def test_one_that_ended_is_not_counted_twice(self):
        """8 and 9 have ended, and 7, who waited for 8, has their 100 s and 1 s more."""
        before = {7: (1, 3.0, 0), 8: (7, 40.0, 0), 9: (8, 60.0, 0)}
        self.assertEqual(processes.grown(before, {7: (1, 3.0, 101.0)}), 1)

    def test_one_nobody_waited_for_takes_nothing_away(self):
        before = {7: (1, 3.0, 0), 8: (1, 40.0, 0), 9: (7, 50.0, 0)}
        self.assertEqual(processes.grown(before, {7: (1, 5.0, 0)}), 2)

    def test_we_and_those_above_us_are_no_others(self):
        found = processes.others()
        self.assertNotIn(os.getpid(), found)
        self.assertNotIn(os.getppid(), found)


class Extents(unittest.TestCase):
    def test_look(self):
        with tempfile.TemporaryDirectory() as directory:
            base = pathlib.Path(directory) / 'base' / '5'
            base.mkdir(parents=True)
            (base / '1').write_bytes(b'x' * 8192)
            (base / '2').write_bytes(b'x' * 300_000)
            self.assertEqual([path.name for path in extents.largest(directory)], ['2', '1'])
            found = extents.look(directory)
            self.assertEqual(found['files']['2']['bytes'], 300_000)
            self.assertGreater(found['read_mb_s'], 0)
            self.assertIsNone(extents.look(base))

    def test_figures_without_files(self):
        self.assertIsNone(figures.extents({'before': None, 'after': None})['extents_after'])


class Amplification(unittest.TestCase):
    def test_wal_left_out(self):
        result = {'transactions': 10, 'buffers_checkpoint': 4, 'buffers_bgwriter': 0,
                  'buffers_backend': None}
        drained = {'device_write_bytes': 40_000, 'wal_lsn': 8_000}
        found = figures._amplification(result, drained)
        self.assertEqual((found['bytes_per_page'], found['data_bytes_per_page']), (10_000, 8_000))
        self.assertIsNone(figures._amplification(result, None)['bytes_per_page'])


class Devices(unittest.TestCase):
    def test_two_places_on_one_device_count_once(self):
        with tempfile.TemporaryDirectory() as directory:
            place = volume.Place()
            place.path = pathlib.Path(directory)
            place.wal = volume.Place()
            place.wal.path = pathlib.Path(directory)
            self.assertLessEqual(len(place.devices()), 1)

    def test_counters_of_several_add_up(self):
        with tempfile.TemporaryDirectory() as directory:
            devices = [pathlib.Path(directory) / name for name in 'ab']
            for device in devices:
                device.mkdir()
                (device / 'stat').write_text('10 0 80 5 200 3 1600 40 0 33 45 0 0 0 0 7 2')
            self.assertEqual(volume.device_counters(devices)['writes'], 400)
            self.assertEqual(volume.device_counters([]), {})


class Link(unittest.TestCase):
    def test_bucket_keeps_the_rate(self):
        started = time.monotonic()
        bucket = link.Bucket(100_000)
        for _ in range(5):
            bucket.pay(4_000)
        self.assertGreaterEqual(time.monotonic() - started, 0.199)


if __name__ == '__main__':
    unittest.main()
