"""Processor time of the server's processes, and their sudden end."""

import os
import pathlib
import signal
import time

GONE_SECONDS = 60
KTHREADD = 2                # parent of the kernel's threads


def _stat(entry):
    """(pid, parent, seconds of processor time, those of children that were waited for) or None."""
    try:
        text = (entry / 'stat').read_text()
    except OSError:
        return None                         # it has ended meanwhile
    words = text.rpartition(')')[2].split()
    own, children = (sum(map(int, part)) / os.sysconf('SC_CLK_TCK') for part in (words[11:13], words[13:15]))
    return int(entry.name), int(words[1]), own, children    # of utime stime cutime cstime


def _all():
    """{pid: (parent, seconds, those of its children)} of everything that runs."""
    found = [_stat(entry) for entry in pathlib.Path('/proc').iterdir() if entry.name.isdigit()]
    return {pid: rest for pid, *rest in filter(None, found)}


def tree(top):
    """{pid: seconds} of a process and all below it.

    Threads count with their process, io_uring's kernel workers among them.  Work that the
    kernel does in threads of its own (loop device, XFS) is not here: see measure.busy().
    """
    return _below(top, _all())


def _below(top, running):
    children = {}
    for pid, (parent, *_) in running.items():
        children.setdefault(parent, []).append(pid)
    result, todo = {}, [top]
    while todo:
        pid = todo.pop()
        if pid in running:
            result[pid] = sum(running[pid][1:])
        todo += children.get(pid, [])
    return result


def others():
    """{pid: [parent, seconds, those of its children]} of programs that are not this one, nor below or above it, nor the kernel's."""
    running = _all()
    ours, pid = set(_below(os.getpid(), running)), os.getpid()
    while pid in running:                   # who waits for us does not work, but gets our children's time
        ours.add(pid)
        pid = running[pid][0]
    return {pid: found for pid, found in running.items()
            if pid not in ours and KTHREADD not in (pid, found[0])}


def grown(before, after):
    """Seconds that others worked between two answers of others().

    The time of one that has ended is with the next above it that is still there, if somebody waited for
    it; if nobody did, what it did meanwhile is missing.
    """
    ended = {}                  # {pid: seconds that its ended descendants had before}
    for pid in before:
        if pid not in after:
            above = pid
            while above in before and above not in after:
                above = before[above][0]
            ended[above] = ended.get(above, 0) + sum(before[pid][1:])
    total = 0.0
    for pid, (_, own, children) in after.items():
        _, own_before, children_before = before.get(pid, (0, 0, 0))
        total += max(own - own_before, 0) + max(children - children_before - ended.get(pid, 0), 0)
    return total


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
