"""TERM, HUP and Ctrl-C end a program once: what follows cannot disturb its cleaning up."""

import contextlib
import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(SystemExit):
    """A signal asked to end; who does not catch it ends with status 130.  Nothing takes it for an error."""

    def __init__(self, name):
        super().__init__(130)
        self.name = name


_held = False
_came = None                # name of a signal that came meanwhile


def catch():
    """Raise Interrupted at the first of these signals, ignore all later ones."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


@contextlib.contextmanager
def held():
    """A step that must not end in its middle, or nobody knows what is to be removed: a signal waits for its end."""
    global _held, _came
    _held = True
    try:
        yield
    finally:
        _held, came, _came = False, _came, None
        if came:
            raise Interrupted(came)


def _interrupt(number, _frame):
    global _came
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    if _held:
        _came = signal.Signals(number).name
    else:
        raise Interrupted(signal.Signals(number).name)
