"""One line on the terminal that says what is being done and how long it will take."""

import shutil
import sys
import time

from .options import human_time

QUIET_STEP = 15         # seconds between lines when the output is not a terminal


class Progress:
    """Rewrites one line on a terminal; prints a line now and then elsewhere."""

    def __init__(self, total_seconds):
        self.total = total_seconds
        self.done = 0.0
        self.prefix = ''
        self.terminal = sys.stderr.isatty()
        self.last = 0.0

    def stage(self, prefix, planned_done):
        """Begin a stage; planned_done is how many planned seconds lie behind."""
        self.prefix = prefix
        self.done = planned_done
        self.last = 0.0

    def say(self, text, inside=0.0):
        """Show text; inside is how far the stage has come, in planned seconds."""
        left = max(self.total - self.done - inside, 0)
        line = f'{self.prefix}{text} · about {human_time(left)} left'
        now = time.monotonic()
        if self.terminal:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(f'\r\033[K{line[:width]}')
            sys.stderr.flush()
        elif now - self.last >= QUIET_STEP:
            self.last = now
            sys.stderr.write(line + '\n')

    def note(self, text):
        """A line that stays."""
        sys.stderr.write(('\r\033[K' if self.terminal else '') + text + '\n')

    def end(self):
        if self.terminal:
            sys.stderr.write('\r\033[K')
            sys.stderr.flush()
