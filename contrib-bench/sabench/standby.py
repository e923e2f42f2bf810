"""A standby on a slow link: how far it falls behind, and how long it takes to catch up.

Its files are a second copy of the initial data, on a volume of its own without limits; both
servers start from the same clean shutdown.  Its WAL comes through sabench/link.py.
"""

import contextlib
import pathlib
import signal
import subprocess
import sys
import threading
import time

from . import server as servers

SLOT = 'bench'
CATCH_UP_SECONDS = 180      # longer than that is not waited for
STREAM_SECONDS = 60


class StandbyError(Exception):
    """The standby did not follow; the message quotes its log."""


class NoFollower:
    """In a run without a standby."""

    @contextlib.contextmanager
    def sampling(self):
        yield

    def catch_up(self):
        return None


@contextlib.contextmanager
def following(run, primary):
    """A standby of primary for the time of a run, where the plan wants one."""
    if not run.plan.standby_mb_s:
        yield NoFollower()
        return
    with contextlib.ExitStack() as stack:
        yield Follower(run, primary, stack)


class Follower:
    """A running standby and its link."""

    def __init__(self, run, primary, stack):
        self.primary, self.samples, self.sockets = primary, [], servers.Sockets()
        stack.callback(self.sockets.close)
        run.progress.say('starting the standby')
        data = run.place.standby()
        self._open_link(run.plan.standby_mb_s, stack)
        primary.run(f"SELECT pg_create_physical_replication_slot('{SLOT}', true);")
        (data / 'standby.signal').touch()
        servers.give(data / 'standby.signal')
        more = {**run.arm.settings, 'hot_standby': 'on',
                'primary_slot_name': SLOT,
                'primary_conninfo': f'host={self.link} port={servers.PORT} user=postgres'}
        self.log = run.directory / 'standby.log'
        stack.enter_context(run.server(data, more, self.log, self.sockets))
        self._wait(lambda row: row['state'] == 'streaming', STREAM_SECONDS, 'stream')

    def _open_link(self, mb_s, stack):
        """Start the link; its socket has the name that libpq looks for."""
        self.link = self.sockets.path / 'link'
        self.link.mkdir()
        servers.give(self.link)
        name = f'.s.PGSQL.{servers.PORT}'
        process = subprocess.Popen(
            [sys.executable, '-B', '-m', 'sabench.link', str(self.link / name),
             str(self.primary.sockets.path / name), str(mb_s * 1e6)],
            cwd=pathlib.Path(__file__).resolve().parent.parent, start_new_session=True)
        stack.callback(process.wait)
        stack.callback(process.send_signal, signal.SIGKILL)

    def _lag(self):
        rows = self.primary.rows(
            'SELECT state, pg_current_wal_insert_lsn() - replay_lsn AS bytes FROM pg_stat_replication')
        return rows[0] if rows else {'state': 'none', 'bytes': None}

    def _wait(self, done, seconds, what):
        limit = time.monotonic() + seconds
        while not done(self._lag()):
            if time.monotonic() > limit:
                raise StandbyError(f'the standby does not {what} after {seconds} s:\n'
                                   + '\n'.join(self.log.read_text().splitlines()[-8:]))
            time.sleep(0.1)

    @contextlib.contextmanager
    def sampling(self):
        """Ask once a second how far the standby is behind."""
        stop = threading.Event()

        def ask():
            while not stop.wait(1):
                with contextlib.suppress(servers.ServerError):
                    self.samples.append(self._lag()['bytes'])

        thread = threading.Thread(target=ask, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def catch_up(self):
        """Wait until the standby has replayed all of the run: its lag in bytes, then seconds; None where it is not
        seen to catch up."""
        end = int(self.primary.run("SELECT pg_current_wal_insert_lsn() - '0/0'"))
        behind = self._lag()['bytes']
        started = time.monotonic()
        query = f"SELECT coalesce(replay_lsn - '0/0' >= {end}, false) AS done FROM pg_stat_replication"
        while True:
            done = any(row['done'] for row in self.primary.rows(query))
            waited = time.monotonic() - started
            if done or waited > CATCH_UP_SECONDS:
                break
            time.sleep(0.1)
        known = [int(value) for value in self.samples if value is not None]
        return {'lag_bytes_per_second': known, 'lag_end_bytes': behind,
                'lag_most_bytes': max(known, default=None),
                'catch_up_s': waited if done else None}
