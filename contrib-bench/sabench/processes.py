"""Processor time of the server's processes, and their sudden end."""

import os
import pathlib
import signal
import time

GONE_SECONDS = 60


def _stat(entry):
    """(pid, parent, seconds of processor time, children waited for included) or None."""
    try:
        text = (entry / 'stat').read_text()
    except OSError:
        return None                         # it has ended meanwhile
    words = text.rpartition(')')[2].split()
    ticks = sum(int(word) for word in words[11:15])     # utime stime cutime cstime
    return int(entry.name), int(words[1]), ticks / os.sysconf('SC_CLK_TCK')


def tree(top):
    """{pid: seconds} of a process and all below it.

    Threads count with their process, io_uring's kernel workers among them.  Work that the
    kernel does in threads of its own (loop device, XFS) is not here: see measure.busy().
    """
    found = [_stat(entry) for entry in pathlib.Path('/proc').iterdir() if entry.name.isdigit()]
    children, seconds = {}, {}
    for pid, parent, used in filter(None, found):
        children.setdefault(parent, []).append(pid)
        seconds[pid] = used
    result, todo = {}, [top]
    while todo:
        pid = todo.pop()
        if pid in seconds:
            result[pid] = seconds[pid]
        todo += children.get(pid, [])
    return result


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
