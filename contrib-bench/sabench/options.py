"""The command line and the plan that comes of it."""

import argparse
import dataclasses
import datetime
import json
import os
import pathlib
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass

from . import figures, fio, profiles, report, standby, targets
from .sysbench import MB_PER_ROW, ROWS_PER_SCALE

MB_PER_SCALE = 15.5         # tables and index of "pgbench -i", per unit of scale
COPY_MB_PER_SECOND = 400    # for estimates of time only, as the next one
TASK_SECONDS = 6
DEFAULT_TIMEOUT = 300       # checkpoint_timeout of PostgreSQL, s
RUN_SECONDS = 5.5           # of a run of a load beside its seconds: starts, checks, a look at its WAL
SLICE_SECONDS = 0.4         # between two slices
PAGES_PREPARE_SECONDS, PAGES_SECONDS = 45, 5        # of --driver pagerate and accept
WAL_FILES_MB = 640          # more than stock writes until it uses old ones again
TASK_MB_PER_SCALE = 12      # of the tables in profiles/sql, with what a task adds
DRIVERS = {'pgbench': '', 'sysbench': '', 'slices': '', 'pagerate': 'page writes of a server and of the kernel',
           'accept': 'a page write by a process that evicts it'}     # with titles of those that run no load


LISTS = ('set', 'target')   # options that may be repeated; in a small file with ";" between


class PlanError(Exception):
    """The run cannot start as asked; the message says what to change."""


class NoVolumeError(PlanError):
    """It needs a volume that is made for it, and a directory was named."""


@dataclass
class Plan:
    """Everything that decides what a run does; saved as plan.json."""
    profile: str = ''
    arms: str = 'stock,unsafe,smgr_atomic'
    driver: str = 'pgbench'
    builtin: str = 'tpcb-like'
    script: str = ''
    test: str = 'oltp_write_only'
    tables: int = 4
    setup: str = ''
    prepare: str = ''
    task: str = ''
    repeat: int = 3
    scale: int = 60
    clients: int = 16
    jobs: int = 2
    protocol: str = 'prepared'
    rate: float = 0.0
    duration: int = 60
    warmup: int = 10
    rounds: int = 3
    seed: int = 1
    checkpoint_timeout: str = '30s'
    shared_buffers: str = '1GB'
    max_wal_size: str = '4GB'
    huge_pages: bool = False
    set: list = dataclasses.field(default_factory=list)
    initdb_options: str = ''
    device_limit: str = 'none'
    wal_volume: bool = False
    wal_limit: str = ''
    volume_size: str = 'auto'
    filesystem: str = 'xfs'
    mkfs_options: str = ''
    directory: str = ''
    work_dir: str = ''
    pg_config: str = 'pg_config'
    results: str = ''
    sample_rate: float = 0.0
    no_drain: bool = False
    fio_seconds: int = 3
    crash_seconds: int = 0
    standby_mb_s: float = 0.0
    file_fio_seconds: int = 0
    target: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self.methods = {}       # {arm: method in force}, from records; no option

    def sql(self, name):
        """Path of a file of statements: as given, else one of profiles/sql."""
        given = pathlib.Path(getattr(self, name))
        ours = profiles.HOME / 'profiles' / 'sql' / given
        return given if given.is_file() or not ours.is_file() else ours

    def load_title(self):
        """The load in a few words."""
        if self.task:
            return pathlib.Path(self.task).stem.replace('-', ' ')
        if DRIVERS[self.driver]:
            return DRIVERS[self.driver]
        if self.driver == 'sysbench':
            return f'sysbench {self.test}'
        load = pathlib.Path(self.script).stem.replace('-', ' ') if self.script else f'pgbench {self.builtin}'
        return f'{load}, {self.rate:g} a second' if self.rate else load

    def is_load(self):
        """Whether runs are loads of some seconds, with TPS and checkpoints."""
        return not self.task and self.driver in ('pgbench', 'sysbench')

    def means_no_checkpoint(self):
        """Whether a load is meant to end before a checkpoint comes: not one whose checkpoints come often otherwise."""
        timeout = seconds(self.checkpoint_timeout)
        return timeout >= DEFAULT_TIMEOUT and timeout > self.warmup + figures.LEAD + self.duration

    def times_checkpoint(self):
        """Whether the task is a CHECKPOINT and nothing else."""
        return bool(self.task) and re.sub('--.*', '', self.sql('task').read_text()).strip().upper() == 'CHECKPOINT;'

    def counts_pages(self):
        """Whether the server's counters know of every page that is written, so that a figure per page is one.

        They miss writes past shared buffers, as of CREATE INDEX, and in 15 count the making of a page and its
        writing.
        """
        return self.profile == 'wear' or self.times_checkpoint()

    def measures(self, key):
        """Whether runs have this figure, as far as the options decide."""
        if key == 'tps' or key in report.SLICED:
            return self.driver == 'slices' or self.is_load() and key == 'tps'
        if self.no_drain and key in ('drain_s', 'drained_bytes_per_transaction'):
            return False
        counted = bool(self.task) or self.is_load()
        return bool({'Time of one repetition': self.task, 'Page writes': DRIVERS[self.driver],
                     'Throughput': self.is_load(), 'Latency, ms': self.is_load(), 'WAL': counted, 'Device': counted,
                     'Recovery after kill -9': self.crash_seconds,
                     'Standby': self.standby_mb_s}.get(report.section_of(key), True))

    def has_server_settings(self):
        """Whether the plan's scale and settings are in force, as with all but page writes alone."""
        return not DRIVERS[self.driver]

    def more_settings(self):
        """Settings of all arms beside those with options of their own, to go on a list."""
        return ''.join(f', {setting}' for setting in (['huge pages'] if self.huge_pages else []) + self.set)

    def work(self):
        """What a run of one arm does, in a few words."""
        if self.task:
            return f'{self.repeat} repetitions'
        if DRIVERS[self.driver]:
            return 'a turn'
        return f'{self.repeat} slices of {self.duration} s' if self.driver == 'slices' else f'{self.duration} s'

    def arm_list(self):
        return [profiles.taking_part(self.driver, name).found(self.methods.get(name))
                for name in self.arms.split(',')]

    def target_list(self):
        return [targets.parse(text) for text in self.target]

    def disk(self):
        return profiles.disk(self.device_limit)

    def wal_disk(self):
        """Limits of the volume of WAL, where it is one of its own."""
        return profiles.disk(self.wal_limit or self.device_limit)

    def disk_title(self):
        """What limits the volume; of that of WAL too if it has other limits."""
        return self.disk().title + (f', WAL {self.wal_disk().title}' if self.wal_limit else '')

    def order(self, round_number):
        """Arms in the order of one round (from 1)."""
        return in_turn(self.arm_list(), round_number)

    def data_mb(self):
        if self.task:
            return int(self.scale * TASK_MB_PER_SCALE) + 40
        if self.driver == 'sysbench':
            return int(self.tables * self.scale * ROWS_PER_SCALE * MB_PER_ROW) + 40
        return int(self.scale * MB_PER_SCALE) + 40

    def wal_files_mb(self):
        """WAL files of the initial data, ready to be used again."""
        return min(WAL_FILES_MB, megabytes(self.max_wal_size))

    def wal_mb(self):
        """Size of a volume for WAL only."""
        return 2048 + 2 * megabytes(self.max_wal_size)

    def volume_mb(self):
        """Size of the volume: the initial data and those of all servers that are up at once, their WAL, and room for
        copy-on-write."""
        if self.volume_size != 'auto':
            return megabytes(self.volume_size)
        copies = 1 + (len(self.arm_list()) if self.driver == 'slices' else 1)
        return max(8192, copies * (2 * self.data_mb() + megabytes(self.max_wal_size)))

    def estimates(self):
        """Expected seconds: of the preparation, and of one run of one arm."""
        copy = (self.data_mb() + max(self.data_mb(), self.wal_files_mb())) / COPY_MB_PER_SECOND
        prepare = 5 + self.data_mb() * 0.016 + fio.estimate(self.fio_seconds, self.disk())
        if self.task:
            return prepare, copy + 5 + self.repeat * TASK_SECONDS + 2 * self.file_fio_seconds
        if self.driver == 'slices':
            return prepare, copy + 4 + self.warmup + self.repeat * (self.duration + SLICE_SECONDS)
        if DRIVERS[self.driver]:
            return PAGES_PREPARE_SECONDS, PAGES_SECONDS
        drain = 0 if self.no_drain else 2 + self._drain_seconds()
        more = self.crash_seconds + 8 if self.crash_seconds else 0
        if self.standby_mb_s:           # at worst an image of every page waits for the link
            more += copy / 2 + 8 + min(self.data_mb() / self.standby_mb_s, standby.CATCH_UP_SECONDS)
        return prepare, copy + RUN_SECONDS + self.warmup + figures.LEAD + self.duration + drain + more

    def _drain_seconds(self):
        """How long a limited disk takes for the pages left in memory: all of the data at worst, in runs of
        some neighbours."""
        disk = self.disk()
        by_bandwidth = self.data_mb() / disk.bandwidth if disk.bandwidth else 0
        return max(by_bandwidth, self.data_mb() * 128 / 8 / disk.iops if disk.iops else 0)

    def total_seconds(self):
        prepare, run = self.estimates()
        return prepare + run * self.rounds * len(self.arm_list())

    def command(self):
        """The command that repeats this run, every option spelled out."""
        words = ['sudo', 'contrib-bench/bench']
        for item in dataclasses.fields(self):
            value = getattr(self, item.name)
            if item.name in ('profile', 'results', 'work_dir') or value == item.default:
                continue
            option = '--' + item.name.replace('_', '-')
            if item.name in LISTS:
                words += [word for setting in value for word in (option, setting)]
            elif value is True:
                words.append(option)
            elif str(value).startswith('-'):
                words.append(f'{option}={value}')
            else:
                words += [option, str(value)]
        for name in ('arms', 'scale', 'clients', 'jobs', 'duration', 'warmup', 'rounds', 'seed',
                     'checkpoint_timeout', 'shared_buffers', 'device_limit'):
            option = '--' + name.replace('_', '-')
            if option not in words:
                words += [option, str(getattr(self, name))]
        return shlex.join(words)

    def save(self, path):
        path.write_text(json.dumps(dataclasses.asdict(self), indent=2) + '\n')

    @classmethod
    def load(cls, path):
        return cls(**json.loads(path.read_text()))


def in_turn(items, number):
    """Items in the order of one round (from 1): each starts one further, and every second one goes backwards, so that
    none always follows the same one."""
    start = (number - 1) % len(items)
    return items[start:] + items[:start] if number % 2 else items[start::-1] + items[:start:-1]


def seconds(text):
    """"30s", "5min", "1h" -> s; a number alone is in s, as PostgreSQL reads checkpoint_timeout."""
    found = re.fullmatch(r'(\d+(?:\.\d+)?) *(|s|min|h|d)', text.strip())
    if not found:
        raise PlanError(f'"{text}" is not a time such as 30s or 5min')
    return float(found[1]) * {'': 1, 's': 1, 'min': 60, 'h': 3600, 'd': 86400}[found[2]]


FLAGS = {item.name for item in dataclasses.fields(Plan) if item.type is bool}       # in a small file "yes"


def megabytes(text):
    """"8GB", "512MB", "4G" -> MB."""
    units = {'K': 1 / 1024, 'M': 1, 'G': 1024, 'T': 1024 * 1024}
    stripped = text.strip().upper().removesuffix('B')
    try:
        return int(float(stripped[:-1]) * units[stripped[-1]])
    except (KeyError, ValueError, IndexError):
        raise PlanError(f'"{text}" is not a size such as 512MB or 8GB') from None


def _add_what(parser):
    what = parser.add_argument_group('what to compare')
    what.add_argument('--profile', metavar='NAME', help='start from these options')
    what.add_argument('--full', action='store_true',
                      help='everything, in under 90 minutes: the same as --suite full')
    what.add_argument('--quick', action='store_true',
                      help='a look at the most important, in under 10: --suite quick')
    what.add_argument('--suite', metavar='NAME',
                      help='the comparisons of suites/NAME.conf; other options go to each of them')
    what.add_argument('--only', metavar='A,B,...',
                      help='of a suite: these comparisons, in this order')
    what.add_argument('--arms', metavar='A,B,...',
                      help='first one is what the others are compared with (%(default)s)')
    what.add_argument('--rounds', type=int, metavar='N',
                      help='how often every arm runs (%(default)s)')
    what.add_argument('--target', action='append', metavar='TEXT',
                      help='what the report is to judge, such as "tps smgr_atomic/stock >= 0.95": a figure by its '
                      'column in results.csv, two arms, and the least or the largest ratio; may be repeated')


def _add_load(parser):
    load = parser.add_argument_group('load')
    load.add_argument('--driver', choices=tuple(DRIVERS),
                      help='slices: pgbench for --duration s at a time, --repeat times in each round on each of '
                      'several servers that all run; pagerate, accept: page writes, see profiles (%(default)s)')
    load.add_argument('--builtin', metavar='NAME', help='pgbench script (%(default)s)')
    load.add_argument('--script', metavar='FILE', help='own pgbench script instead')
    load.add_argument('--test', metavar='NAME', help='sysbench test (%(default)s)')
    load.add_argument('--tables', type=int, metavar='N', help='of sysbench (%(default)s)')
    load.add_argument('--setup', metavar='FILE', help='more statements for the initial data')
    load.add_argument('--task', metavar='FILE',
                      help='time this file of statements as a whole instead of a load')
    load.add_argument('--prepare', metavar='FILE', help='run this before each repetition of it')
    load.add_argument('--repeat', type=int, metavar='N',
                      help='repetitions of the task, or slices, in each run (%(default)s)')
    load.add_argument('--scale', type=int, metavar='N',
                      help='pgbench scale, 15.5 MB each; sysbench: 10000 rows in each table; '
                      ':scale in files (%(default)s)')
    load.add_argument('--clients', type=int, metavar='N', help='sessions (%(default)s)')
    load.add_argument('--jobs', type=int, metavar='N', help='threads of pgbench (%(default)s)')
    load.add_argument('--protocol', choices=('simple', 'extended', 'prepared'),
                      help='query protocol (%(default)s)')
    load.add_argument('--rate', type=float, metavar='N',
                      help='transactions that are begun each second, however long they take; latencies count from when '
                      'each was due; 0: as many as it can (%(default)g)')
    load.add_argument('--duration', type=int, metavar='S',
                      help='measured seconds per run (%(default)s)')
    load.add_argument('--warmup', type=int, metavar='S',
                      help=f'seconds of load before it, not measured; {figures.LEAD} more follow with the measured '
                      'sessions (%(default)s)')
    load.add_argument('--seed', type=int, metavar='N',
                      help='random seed; round r uses N + r for all arms (%(default)s)')
    load.add_argument('--sample-rate', type=float, metavar='F',
                      help='share of transactions logged for latencies; 0 chooses (%(default)s)')


def _add_server(parser):
    server = parser.add_argument_group('server')
    server.add_argument('--checkpoint-timeout', metavar='T', help='(%(default)s)')
    server.add_argument('--shared-buffers', metavar='SIZE', help='(%(default)s)')
    server.add_argument('--max-wal-size', metavar='SIZE', help='(%(default)s)')
    server.add_argument('--huge-pages', action='store_true',
                        help='reserve huge pages for the time of the run, all servers use them')
    server.add_argument('--set', action='append', metavar='NAME=VALUE',
                        help='one more setting for all arms; may be repeated')
    server.add_argument('--initdb-options', metavar='TEXT', help='such as --data-checksums')
    server.add_argument('--pg-config', metavar='FILE', help='which PostgreSQL (%(default)s)')


def _add_disk(parser):
    disk = parser.add_argument_group('disk')
    disk.add_argument('--device-limit', metavar='NAME',
                      help='limit on the volume while measuring (%(default)s)')
    disk.add_argument('--wal-volume', action='store_true',
                      help='WAL on a volume of its own, with the same limits')
    disk.add_argument('--wal-limit', metavar='NAME', help='other limits for that volume')
    disk.add_argument('--volume-size', metavar='SIZE', help='(%(default)s: from the scale)')
    disk.add_argument('--filesystem', '--fs', choices=('xfs', 'ext4', 'btrfs'),
                      help='of the volume (%(default)s)')
    disk.add_argument('--mkfs-options', metavar='TEXT', help='for the volume')
    disk.add_argument('--directory', metavar='DIR',
                      help='use a new directory inside DIR, make no volume (a suite leaves out what needs one)')
    disk.add_argument('--work-dir', metavar='DIR',
                      help='where the image of the volume lies (TMPDIR or /var/tmp)')


def _add_run(parser):
    run = parser.add_argument_group('run')
    run.add_argument('--results', metavar='DIR',
                     help='new directory for the results (contrib-bench/results/TIME)')
    run.add_argument('--no-drain', action='store_true',
                     help='do not wait after each run until all is on disk; writes that come late '
                     'are not counted then')
    run.add_argument('--fio-seconds', type=int, metavar='S',
                     help='measure first what the disk can do by itself, S seconds for each of '
                     '7 ways; 0: not (%(default)s)')
    run.add_argument('--file-fio-seconds', type=int, metavar='S',
                     help='after a task: fio at depth 32 on the largest file of each run, S seconds for each of '
                     '2 ways; 0: not (%(default)s)')
    run.add_argument('--crash-seconds', type=int, metavar='S',
                     help='at the end of each run: load for S seconds after a checkpoint, kill '
                     'the server, time its recovery; 0: not (%(default)s)')
    run.add_argument('--standby-mb-s', type=float, metavar='MB',
                     help='a standby on this machine behind a link of MB million bytes/s; 0: none '
                     '(%(default)s)')
    run.add_argument('--dry-run', action='store_true', help='print the plan and its time')
    run.add_argument('--resume', metavar='DIR',
                     help='finish the run whose results are in DIR; takes no other option')
    run.add_argument('--readme', metavar='DIR',
                     help='measure nothing: put the results in DIR into a Markdown file, each part between '
                     'marks such as "<!-- result:begin -->" and "<!-- result:end -->"')
    run.add_argument('--readme-parts', metavar='A,B', default='result',
                     help='result, wear (bytes written per page) and targets (%(default)s)')
    run.add_argument('--readme-file', metavar='FILE', default='README.md', help='(%(default)s)')


def _parser():
    parser = argparse.ArgumentParser(
        prog='bench', formatter_class=argparse.RawDescriptionHelpFormatter,
        description='''Compares ways of running PostgreSQL side by side: stock with full-page images,
stock without them (unsafe, the upper bound) and smgr_atomic. All arms start from identical
files on the same volume and take turns in each round, so that noise shows as spread.''',
        epilog=f'''arms:     {", ".join(profiles.names("arms"))}
disks:    {", ".join(profiles.names("disks"))}
profiles: {", ".join(profiles.names("profiles"))}
suites:   {", ".join(profiles.names("suites"))}
Each is a small file in contrib-bench/arms, disks, profiles and suites. Exit status: 0 done,
1 failed, 2 wrong options, 130 interrupted (--resume continues).''')
    _add_what(parser)
    _add_load(parser)
    _add_server(parser)
    _add_disk(parser)
    _add_run(parser)
    return parser


def _defaults(parser, values):
    """Make values the parser's defaults; a string goes through the option's own type."""
    known = {item.name for item in dataclasses.fields(Plan)}
    for key in values:
        if key.replace('-', '_') not in known:
            raise PlanError(f'profile: bench has no option "{key}"')
    parser.set_defaults(**{key.replace('-', '_'): _default(key, value)
                           for key, value in values.items()})


def _default(key, value):
    """A line of a profile as the value of its option; other types are argparse's business."""
    if key in LISTS and isinstance(value, str):
        return [setting.strip() for setting in value.split(';')]
    if key.replace('-', '_') in FLAGS:
        return value == 'yes'
    return value


def parse(argv):
    """Command line -> (plan, arguments).  Raises PlanError, ProfileError."""
    parser = _parser()
    plain = dataclasses.asdict(Plan(jobs=min(os.cpu_count() or 1, 8)))
    _defaults(parser, plain)
    first = parser.parse_args(argv)
    if first.readme:
        return None, first
    if first.resume:
        extra = [word for word in argv
                 if word.startswith('-') and not word.startswith('--resume')]
        if extra:
            raise PlanError('--resume takes no other option: the plan is in the directory')
        if (pathlib.Path(first.resume) / 'suite.json').exists():
            return None, first
        plan = Plan.load(pathlib.Path(first.resume) / 'plan.json')
        plan.results = str(pathlib.Path(first.resume))
        return plan, first
    if first.profile:
        _defaults(parser, profiles.options(first.profile))
    arguments = parser.parse_args(argv)
    values = {item.name: getattr(arguments, item.name) for item in dataclasses.fields(Plan)}
    values['profile'] = first.profile
    plan = Plan(**values)
    if not plan.results:
        stamp = datetime.datetime.now().strftime('%Y%m%d-%H%M%S')
        plan.results = str(profiles.HOME / 'results' / stamp)
    check(plan)
    return plan, arguments


def check(plan):
    """Refuse what cannot work, before anything is made."""
    for name in ('scale', 'clients', 'jobs', 'duration', 'rounds', 'repeat', 'tables'):
        if getattr(plan, name) < 1:
            raise PlanError(f'--{name} must be at least 1')
    if min(plan.fio_seconds, plan.file_fio_seconds, plan.crash_seconds, plan.standby_mb_s) < 0:
        raise PlanError('seconds and --standby-mb-s must not be negative')
    if plan.warmup < 0 or not 0 <= plan.sample_rate <= 1:
        raise PlanError('--warmup must not be negative, --sample-rate is between 0 and 1')
    if plan.rate < 0 or plan.rate and (plan.driver != 'pgbench' or plan.task):
        raise PlanError('--rate must not be negative, and goes with --driver pgbench and a load only')
    if plan.jobs > plan.clients:
        plan.jobs = plan.clients
    if len(set(plan.arms.split(','))) != len(plan.arms.split(',')):
        raise PlanError('--arms names an arm twice')
    names = {arm.name for arm in plan.arm_list()}
    try:
        wanted = plan.target_list()
    except targets.TargetError as error:
        raise PlanError(str(error)) from error
    for target in wanted:
        if not {target.arm, target.base} <= names:
            raise PlanError(f'--target "{target.text}": not both arms take part ({plan.arms})')
        if not plan.measures(target.key):
            raise PlanError(f'--target "{target.text}": this comparison does not measure {target.key}')
    disk = plan.disk()
    if plan.directory and (disk.iops or disk.bandwidth):
        raise NoVolumeError('--device-limit works on a volume of ours only, not with --directory')
    if plan.wal_volume and plan.directory:
        raise NoVolumeError('--wal-volume makes a volume of its own, so it does not go with --directory')
    if plan.wal_limit and not plan.wal_volume:
        raise PlanError('--wal-limit goes with --wal-volume')
    if not (plan.task or plan.is_load()) and (disk.iops or disk.bandwidth or plan.wal_volume):
        raise PlanError(f'--device-limit and --wal-volume do not go with --driver {plan.driver}')
    plan.wal_disk()
    for name in ('script', 'setup', 'prepare', 'task'):
        if getattr(plan, name) and not plan.sql(name).is_file():
            raise PlanError(f'--{name}: there is no file "{getattr(plan, name)}"')
    if not plan.is_load() and (plan.crash_seconds or plan.standby_mb_s):
        raise PlanError('--crash-seconds and --standby-mb-s go with a load only')
    if plan.huge_pages and DRIVERS[plan.driver]:
        raise PlanError(f'--huge-pages does not go with --driver {plan.driver}')
    if plan.task and plan.driver != 'pgbench':
        raise PlanError(f'--task does not go with --driver {plan.driver}')
    if plan.directory and not pathlib.Path(plan.directory).is_dir():
        raise PlanError(f'--directory: there is no directory "{plan.directory}"')
    for setting in plan.set:
        if '=' not in setting:
            raise PlanError(f'--set {setting}: write NAME=VALUE')
    plan.volume_mb()
    seconds(plan.checkpoint_timeout)


def bindir(plan):
    """Directory of the server's programs."""
    try:
        found = subprocess.run([plan.pg_config, '--bindir', '--pkglibdir'], check=True, text=True,
                               capture_output=True).stdout.split()
    except (OSError, subprocess.CalledProcessError) as error:
        raise PlanError(f'cannot run "{plan.pg_config}" ({error}); contrib-bench/lab/setup '
                        'installs what is needed') from error
    return pathlib.Path(found[0]), pathlib.Path(found[1])


def check_machine(plan):
    """Refuse what this machine cannot do: programs, libraries, space, rights."""
    programs, libraries = bindir(plan)
    for program in ('initdb', 'postgres', 'pgbench', 'psql'):
        if not (programs / program).exists():
            raise PlanError(f'{programs / program} is missing: contrib-bench/lab/setup installs it')
    needed = ['gnuplot'] + (['fio', 'cc'] if plan.fio_seconds or plan.file_fio_seconds else [])
    needed += ['cc', 'make'] if DRIVERS[plan.driver] else []
    needed += ['sysbench'] if plan.driver == 'sysbench' and not plan.task else []
    for program in needed:
        if not shutil.which(program):
            raise PlanError(f'{program} is missing: contrib-bench/lab/setup installs it')
    for arm in plan.arm_list():
        if arm.library_file and os.getuid() != 0:
            raise PlanError(f'arm {arm.name} needs root: its library is built for benchmarks only')
        if arm.library and not (libraries / f'{arm.library}.so').exists():
            raise PlanError(f'{arm.library} is not installed: run "make" and "sudo make install", '
                            f'or leave the arm out with --arms')
    if not plan.directory and os.getuid() != 0:
        raise PlanError('making a volume needs root: use sudo, or --directory DIR')
    if plan.huge_pages and os.getuid() != 0:
        raise PlanError('--huge-pages needs root; reserve them yourself (sysctl vm.nr_hugepages) and --set huge_pages=on')
    place = plan.directory or plan.work_dir or default_work_dir()
    free = shutil.disk_usage(place).free // 2**20
    need = plan.volume_mb() * (2 if plan.standby_mb_s else 1)
    need += plan.wal_mb() if plan.wal_volume else 0
    if free < need:
        raise PlanError(f'"{place}" has {free} MB free, {need} MB are needed: choose a smaller '
                        '--scale or --volume-size, or another --work-dir')


def default_work_dir():
    return os.environ.get('TMPDIR', '/var/tmp')


def describe(plan):
    """The plan as text, for --dry-run and the head of a run."""
    if plan.directory:
        where = f'a new directory in {plan.directory}'
    else:
        where = f'{plan.filesystem} image of {plan.volume_mb()} MB on a loop device'
    work = f'{plan.warmup} + {figures.LEAD} s warm-up and {plan.duration} s measured' if plan.is_load() else plan.work()
    lines = [f'load     {plan.load_title()}']
    if plan.has_server_settings():
        lines[0] += f', scale {plan.scale} ({plan.data_mb()} MB), {plan.clients} clients, {plan.jobs} threads'
    lines.append(f'volume   {where}; {plan.disk_title()}' + ('; WAL on another one' if plan.wal_volume else ''))
    if plan.has_server_settings():
        lines.append(f'server   shared_buffers {plan.shared_buffers}, checkpoint_timeout '
                     f'{plan.checkpoint_timeout}, max_wal_size {plan.max_wal_size}'
                     + plan.more_settings())
    lines += [
        f'rounds   {plan.rounds}, each arm {work}:']
    for number in range(1, plan.rounds + 1):
        lines.append(f'           round {number}: '
                     + ' → '.join(arm.name for arm in plan.order(number)))
    lines += [f'time     about {human_time(plan.total_seconds())}', f'results  {plan.results}']
    return '\n'.join(lines)


def human_time(seconds):
    if seconds < 90:
        return f'{seconds:.0f} s'
    if seconds < 5400:
        return f'{seconds / 60:.0f} min'
    return f'{seconds / 3600:.1f} h'
