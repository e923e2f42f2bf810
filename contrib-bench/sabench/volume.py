"""Where the data lies: a volume of ours or the user's directory.

Everything made here is removed by close(), also after a failure.
"""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

from . import interrupt, profiles

TOOL = profiles.HOME / 'lab' / 'volume'


class VolumeError(Exception):
    """A volume could not be made, limited or removed."""


def _tool(*words):
    with interrupt.held():      # it would be killed, and leave what it has made
        done = subprocess.run([str(TOOL), *map(str, words)], text=True, capture_output=True, start_new_session=True)
    if done.returncode != 0:
        raise VolumeError(f'lab/volume {words[0]}: {done.stderr.strip() or done.stdout.strip()}')
    return dict(line.split('=', 1) for line in done.stdout.splitlines() if '=' in line)


class Place:
    """A directory for the clusters: .path.  Base of the two kinds below."""
    path = None
    wal = None              # place for pg_wal, None: inside the data directory
    second = None           # place for a standby, made when one is wanted

    @property
    def template(self):
        """Where the initial data is made."""
        return self.path / 'template'

    def restore(self, data):
        """Make data a fresh copy of the template, its WAL where the plan wants it."""
        restore(self.template, data)
        if self.wal:
            _move_wal(data, self.wal.path / 'wal')

    def standby(self):
        """A fresh copy of the template on a place of its own; returns its path."""
        self.second = self.second or self.another(0)
        data = self.second.path / 'data'
        restore(self.template, data)
        return data

    def another(self, size_mb):
        """One more place of the same kind; 0: of the same size."""
        raise NotImplementedError

    def devices(self):
        """Block devices (sysfs) that the server's files lie on; empty where there is none."""
        places = [self] + ([self.wal] if self.wal else [])
        found = dict.fromkeys(block_device(place.path) for place in places)
        return [device for device in found if device is not None]

    def limit(self, disk):
        """Put the limits of a disk profile on the device; nothing where there are none."""

    def unlimit(self):
        """Take them off again."""

    def close(self):
        """Remove all that was made; what cannot be removed does not keep the rest."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._remove)
            for place in (self.wal, self.second):
                if place:
                    stack.callback(place.close)

    def _remove(self):
        """Remove this place itself."""
        raise NotImplementedError


def _move_wal(data, target):
    """Move pg_wal out of a data directory and leave a link."""
    shutil.rmtree(target, ignore_errors=True)
    source = data / 'pg_wal'
    subprocess.run(['cp', '-a', str(source), str(target)], check=True)
    shutil.rmtree(source)
    source.symlink_to(target)
    sync(data)
    sync(target)


class Directory(Place):
    """A new directory inside one that the user named."""

    def __init__(self, directory, owner):
        self.owner = owner
        self.path = pathlib.Path(tempfile.mkdtemp(prefix='sabench-', dir=directory))
        _give(self.path, owner)

    def another(self, size_mb):
        return Directory(self.path.parent, self.owner)

    def _remove(self):
        shutil.rmtree(self.path, ignore_errors=True)


class Volume(Place):
    """A filesystem of its own on a loop device, made with lab/volume."""

    def __init__(self, work_dir, size_mb, filesystem, mkfs_options, owner):
        self.arguments = (work_dir, size_mb, filesystem, mkfs_options, owner)
        self.work = pathlib.Path(tempfile.mkdtemp(prefix='sabench-', dir=work_dir))
        self.work.chmod(0o711)
        self.path = self.work / 'volume'
        self.limited = False
        self.own_limit = None       # a disk profile that wins over what limit() is asked for
        words = ['create', self.path, '--fs', filesystem, '--size', f'{size_mb}M',
                 '--owner', owner]
        if mkfs_options:
            words += ['--mkfs-options', mkfs_options]
        try:
            self.made = _tool(*words)
        except BaseException:
            self.close()
            raise

    def another(self, size_mb):
        work_dir, size, *rest = self.arguments
        return Volume(work_dir, size_mb or size, *rest)

    def limit(self, disk):
        if self.wal:
            self.wal.limit(disk)
        disk = self.own_limit or disk
        if disk.iops or disk.bandwidth:
            self.limited = True
            _tool('throttle', self.path, '--iops', disk.iops, '--bandwidth', disk.bandwidth)

    def unlimit(self):
        if self.limited:
            _tool('unthrottle', self.path)
            self.limited = False
        if self.wal:
            self.wal.unlimit()

    def _remove(self):
        _tool('remove', self.path)
        shutil.rmtree(self.work, ignore_errors=True)


def _give(path, owner):
    if os.getuid() == 0:
        shutil.chown(path, owner, owner)


def make(plan, owner):
    """The place a plan asks for."""
    if plan.directory:
        place = Directory(plan.directory, owner)
    else:
        from .options import default_work_dir
        place = Volume(plan.work_dir or default_work_dir(), plan.volume_mb(), plan.filesystem,
                       plan.mkfs_options, owner)
    if plan.wal_volume:
        try:
            place.wal = place.another(plan.wal_mb())
            if plan.wal_limit:
                place.wal.own_limit = plan.wal_disk()
            _give(place.wal.path, owner)
        except BaseException:
            place.close()
            raise
    return place


def restore(template, target):
    """Replace target by a copy of template that shares no blocks and is in no cache.

    Each arm so starts from the same bytes, freshly allocated: no extent, hint or cached page
    of the arm before is left.
    """
    shutil.rmtree(target, ignore_errors=True)
    sync(template)
    subprocess.run(['cp', '-a', '--reflink=never', str(template), str(target)], check=True)
    sync(target)
    for directory in (template, target):
        forget(directory)


def sync(directory):
    """Write out everything of the filesystem that holds directory."""
    subprocess.run(['sync', '-f', str(directory)], check=True)


def forget(directory):
    """Drop the files below directory from the page cache; other files keep theirs."""
    for base, _, files in os.walk(directory):
        for name in files:
            descriptor = os.open(os.path.join(base, name), os.O_RDONLY | os.O_NOFOLLOW)
            try:
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            finally:
                os.close(descriptor)


def block_device(directory):
    """sysfs directory of the block device under a directory, None where there is none."""
    number = os.stat(directory).st_dev
    path = pathlib.Path(f'/sys/dev/block/{os.major(number)}:{os.minor(number)}')
    return path.resolve() if path.exists() else None


def device_counters(devices):
    """Counters of block devices, added up (kernel: Documentation/block/stat.rst); {} for none."""
    found = [parse_device_counters((device / 'stat').read_text()) for device in devices]
    return {name: sum(one[name] for one in found) for name in found[0]} if found else {}


def parse_device_counters(text):
    """One line of .../stat -> reads, read_bytes, writes, write_bytes, busy_ms, flushes."""
    numbers = [int(word) for word in text.split()]
    return {
        'reads': numbers[0], 'read_bytes': numbers[2] * 512,
        'writes': numbers[4], 'write_bytes': numbers[6] * 512,
        'busy_ms': numbers[9], 'flushes': numbers[15] if len(numbers) > 15 else 0}
