"""Processor time of the server's processes, and their sudden end."""

import os
import pathlib
import signal
import time

GONE_SECONDS = 60
KTHREADD = 2                # parent of the kernel's threads


def _stat(entry):
    """(pid, parent, seconds of processor time, children waited for included) or None."""
    try:
        text = (entry / 'stat').read_text()
    except OSError:
        return None                         # it has ended meanwhile
    words = text.rpartition(')')[2].split()
    ticks = sum(int(word) for word in words[11:15])     # utime stime cutime cstime
    return int(entry.name), int(words[1]), ticks / os.sysconf('SC_CLK_TCK')


def _all():
    """{pid: (parent, seconds)} of everything that runs."""
    found = [_stat(entry) for entry in pathlib.Path('/proc').iterdir() if entry.name.isdigit()]
    return {pid: (parent, used) for pid, parent, used in filter(None, found)}


def tree(top):
    """{pid: seconds} of a process and all below it.

    Threads count with their process, io_uring's kernel workers among them.  Work that the
    kernel does in threads of its own (loop device, XFS) is not here: see measure.busy().
    """
    return _below(top, _all())


def _below(top, running):
    children = {}
    for pid, (parent, _) in running.items():
        children.setdefault(parent, []).append(pid)
    result, todo = {}, [top]
    while todo:
        pid = todo.pop()
        if pid in running:
            result[pid] = running[pid][1]
        todo += children.get(pid, [])
    return result


def others():
    """{pid: (parent, seconds)} of programs that are not this one, nor below or above it, nor the kernel's."""
    running = _all()
    ours, pid = set(_below(os.getpid(), running)), os.getpid()
    while pid in running:                   # who waits for us does not work, but gets our children's time
        ours.add(pid)
        pid = running[pid][0]
    return {pid: (parent, used) for pid, (parent, used) in running.items()
            if pid not in ours and KTHREADD not in (pid, parent)}


def grown(before, after):
    """Seconds that others worked between two answers of others().

    The time of one that has ended is its parent's, who waited for it; where nobody did who is still
    there, what it did meanwhile is missing.
    """
    def counts(pid):
        """Whether its time is still in after: its own, or that of the next above it who is there."""
        while pid in before and pid not in after:
            pid = before[pid][0]
        return pid in after

    known = sum(used for pid, (_, used) in before.items() if counts(pid))
    return max(sum(used for _, used in after.values()) - known, 0.0)


def cpu_seconds(top):
    """Processor time that a process and all below it have used, those that ended included."""
    return sum(tree(top).values())


def kill_all(top):
    """SIGKILL a process and all below it, and wait until none is left but top, its parent's."""
    pids = tree(top)
    for pid in pids:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    limit = time.monotonic() + GONE_SECONDS
    while any(os.path.exists(f'/proc/{pid}') for pid in pids if pid != top):
        if time.monotonic() > limit:
            raise TimeoutError(f'processes {sorted(pids)} do not end')
        time.sleep(0.01)
