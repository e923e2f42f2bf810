"""Huge pages for the shared memory of the servers: --huge-pages.

Without them a process pays a page fault for each 4 kB of shared memory it has not touched before.  Where faults are
dear, in some virtual machines, short runs measure these and not the writing of pages.
"""

import contextlib
import pathlib
import re

from . import interrupt, server

RESERVED = pathlib.Path('/proc/sys/vm/nr_hugepages')
COMPACT = pathlib.Path('/proc/sys/vm/compact_memory')
MEMORY = pathlib.Path('/proc/meminfo')


class HugePages:
    """What was added to the kernel's reserve of huge pages; close() takes it away again."""

    def __init__(self):
        self.added = 0

    def reserve(self, pages):
        """Make sure that so many are free."""
        missing = pages - free(MEMORY.read_text())
        if missing <= 0:
            return
        with contextlib.suppress(OSError):      # not every kernel has it
            COMPACT.write_text('1')             # the page cache has all memory in small pieces
        with interrupt.held():
            before = int(RESERVED.read_text())
            RESERVED.write_text(str(before + missing))
            got = int(RESERVED.read_text()) - before
            self.added += got
        if got < missing:
            raise server.ServerError(f'--huge-pages: the kernel gives {got} of {missing} more huge pages: '
                                     'memory is too full or in pieces')

    def close(self):
        if self.added:
            RESERVED.write_text(str(max(int(RESERVED.read_text()) - self.added, 0)))


def needed(plan, by_arm):
    """Pages of all servers that are up at once, from those of a server of each arm."""
    return (sum(by_arm) if plan.driver == 'slices' else max(by_arm)) * (2 if plan.standby_mb_s else 1)


def free(meminfo):
    """Huge pages in the text of /proc/meminfo that nobody uses or has been promised."""
    count = {name: int(re.search(rf'^HugePages_{name}:\s*(\d+)', meminfo, re.M)[1]) for name in ('Free', 'Rsvd')}
    return count['Free'] - count['Rsvd']
