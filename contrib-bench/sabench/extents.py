"""How files lie on the disk: number of extents, and what they cost a cold sequential read."""

import fcntl
import os
import pathlib
import struct
import time

FS_IOC_FIEMAP = 0xC020660B
FIEMAP = struct.Struct('=QQLLLL')       # start, length, flags, mapped, room for extents, reserved
FIEMAP_FLAG_SYNC = 1
READ_SIZE = 128 * 1024


def largest(data, count=3):
    """The largest files of relations below a data directory, largest first."""
    found = [path for path in pathlib.Path(data).glob('base/*/*') if path.is_file()]
    return sorted(found, key=lambda path: path.stat().st_size, reverse=True)[:count]


def extents(path, flags=FIEMAP_FLAG_SYNC):
    """Extents of a file, None where the filesystem cannot tell.

    With flags 0 what is not yet written out is left out, and nothing is written for the answer.
    """
    descriptor = os.open(path, os.O_RDONLY)
    try:
        answer = fcntl.ioctl(descriptor, FS_IOC_FIEMAP,
                             FIEMAP.pack(0, 2**64 - 1, flags, 0, 0, 0))
        return FIEMAP.unpack(answer)[3]
    except OSError:
        return None
    finally:
        os.close(descriptor)


def cold_read(path):
    """MB/s of reading a file from begin to end after its pages have left the page cache."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        buffer, size = bytearray(READ_SIZE), 0
        started = time.monotonic()
        while read := os.readv(descriptor, [buffer]):
            size += read
        elapsed = time.monotonic() - started
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(descriptor)
    return size / 1e6 / elapsed if elapsed else None


def look(data):
    """Extents of the largest files, and cold read of the largest one.  All must be on disk."""
    files = largest(data)
    if not files:
        return None
    return {'files': {path.name: {'bytes': path.stat().st_size, 'extents': extents(path)}
                      for path in files},
            'largest_extents': extents(files[0]), 'read_mb_s': cold_read(files[0])}
