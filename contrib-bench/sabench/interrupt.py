"""TERM, HUP and Ctrl-C end a program once: what follows cannot disturb its cleaning up."""

import signal

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(SystemExit):
    """A signal asked to end; who does not catch it ends with status 130.  Nothing takes it for an error."""

    def __init__(self, name):
        super().__init__(130)
        self.name = name


def catch():
    """Raise Interrupted at the first of these signals, ignore all later ones."""
    for number in SIGNALS:
        signal.signal(number, _interrupt)


def _interrupt(number, _frame):
    for other in SIGNALS:
        signal.signal(other, signal.SIG_IGN)
    raise Interrupted(signal.Signals(number).name)
