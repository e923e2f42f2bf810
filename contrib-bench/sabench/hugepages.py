"""Huge pages for the shared memory of the servers: --huge-pages.

Without them a process pays a page fault for each 4 kB of shared memory it has not touched before.  Where faults are
dear, in some virtual machines, short runs measure these and not the writing of pages.
"""

import pathlib
import re

from . import server

RESERVED = pathlib.Path('/proc/sys/vm/nr_hugepages')
COMPACT = pathlib.Path('/proc/sys/vm/compact_memory')
MEMORY = pathlib.Path('/proc/meminfo')


class HugePages:
    """What the kernel keeps for huge pages, as it was found until need(); close() puts it back."""

    def __init__(self):
        self.found = None

    def need(self, pages):
        """Make sure that so many are free for a server that starts now."""
        missing = pages - free(MEMORY.read_text())
        if missing <= 0:
            return
        reserved = int(RESERVED.read_text())
        if self.found is None:
            self.found = reserved
        COMPACT.write_text('1')         # the page cache has all memory in small pieces
        RESERVED.write_text(str(reserved + missing))
        got = int(RESERVED.read_text()) - reserved
        if got < missing:
            raise server.ServerError(f'--huge-pages: the kernel gives {got} of {missing} more huge pages: '
                                     'memory is too full or in pieces')

    def close(self):
        if self.found is not None:
            RESERVED.write_text(str(self.found))


def free(meminfo):
    """Huge pages in the text of /proc/meminfo that nobody uses or has been promised."""
    count = {name: int(re.search(rf'^HugePages_{name}:\s*(\d+)', meminfo, re.M)[1]) for name in ('Free', 'Rsvd')}
    return count['Free'] - count['Rsvd']
