"""A PostgreSQL server for one run: made, started, asked, stopped.

The server listens on a socket in a temporary directory only, so no port can be in use, and
runs as user postgres when bench runs as root.
"""

import json
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

START_SECONDS = 300
STOP_SECONDS = 600
PORT = 5432         # only part of the socket's name


class ServerError(Exception):
    """The server did not do what was asked; the message quotes it."""


def owner():
    """User the server runs as: postgres under root, else whoever runs bench."""
    return 'postgres' if os.getuid() == 0 else pwd.getpwuid(os.getuid()).pw_name


def _as_owner():
    """Arguments of subprocess that change to the server's user."""
    if os.getuid() != 0:
        return {}
    try:
        entry = pwd.getpwnam('postgres')
    except KeyError:
        raise ServerError('there is no user "postgres": contrib-bench/lab/setup installs '
                          'PostgreSQL') from None
    return {'user': entry.pw_uid, 'group': entry.pw_gid,
            'extra_groups': os.getgrouplist('postgres', entry.pw_gid)}


def give(path):
    """Make the server's user the owner of a path."""
    if os.getuid() == 0:
        shutil.chown(path, 'postgres', 'postgres')


def forget_environment():
    """Keep libpq's variables of whoever calls from the client programs."""
    for name in [name for name in os.environ if name.startswith('PG') and name != 'PG_CONFIG']:
        del os.environ[name]


class Sockets:
    """A temporary directory for the server's socket."""

    def __init__(self):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix='sabench-'))
        if os.getuid() == 0:
            give(self.path)
            self.path.chmod(0o755)

    def close(self):
        shutil.rmtree(self.path, ignore_errors=True)


def initdb(programs, data, options):
    """Make a cluster in data; options is a list of words for initdb."""
    words = [programs / 'initdb', '-D', data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8',
             '--locale=C', '--no-sync', *options]
    done = subprocess.run([str(word) for word in words], text=True, capture_output=True,
                          cwd='/', **_as_owner())
    if done.returncode != 0:
        raise ServerError(f'initdb: {done.stderr.strip()}')


class Server:
    """A cluster in .data, with settings given as a dictionary."""

    def __init__(self, programs, data, sockets, settings, log):
        self.programs = programs
        self.data = pathlib.Path(data)
        self.sockets = sockets
        self.settings = settings
        self.log = pathlib.Path(log)
        self.process = None

    def write_settings(self):
        """Put the settings into the file of settings that wins (not into postgresql.auto.conf)."""
        lines = [f"{name} = '{value}'\n" for name, value in self.settings.items()]
        (self.data / 'bench.conf').write_text(''.join(lines))
        main = self.data / 'postgresql.conf'
        line = "include = 'bench.conf'\n"
        if line not in main.read_text():
            with main.open('a') as file:
                file.write(line)

    def huge_pages(self):
        """How many huge pages its shared memory takes, before it starts."""
        self.write_settings()
        done = subprocess.run([str(self.programs / 'postgres'), '-D', str(self.data), '-C',
                               'shared_memory_size_in_huge_pages'], text=True, capture_output=True, cwd='/',
                              **_as_owner())
        if done.returncode != 0:
            raise ServerError(f'postgres -C shared_memory_size_in_huge_pages: {done.stderr.strip()}')
        return int(done.stdout)

    def start(self, poll=0.1):
        """Start and wait for it to accept connections."""
        self.write_settings()
        with self.log.open('ab') as log:
            self.process = subprocess.Popen(
                [str(self.programs / 'postgres'), '-D', str(self.data), '-p', str(PORT),
                 '-c', 'listen_addresses=', '-c', f'unix_socket_directories={self.sockets.path}'],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd='/',
                start_new_session=True, **_as_owner())
        limit = time.monotonic() + START_SECONDS
        while not self._accepts():
            if self.process.poll() is not None:
                raise ServerError(f'the server did not start:\n{self.last_lines()}')
            if time.monotonic() > limit:
                raise ServerError(f'no connection after {START_SECONDS} s:\n{self.last_lines()}')
            time.sleep(poll)

    def _accepts(self):
        return subprocess.run([str(self.programs / 'pg_isready'), '-q', *self.address()],
                              check=False).returncode == 0

    def stop(self, how=signal.SIGINT):
        """Stop: SIGINT writes everything out first (fast), SIGQUIT does not (immediate)."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
                self.process.wait()
        self.process = None

    def address(self):
        """Options that lead a client program to this server."""
        return ['-h', str(self.sockets.path), '-p', str(PORT), '-U', 'postgres']

    def run(self, sql):
        """Run statements, each in a transaction of its own."""
        words = [str(self.programs / 'psql'), '-XAtq', '-v', 'ON_ERROR_STOP=1', *self.address(),
                 '-d', 'postgres']
        done = subprocess.run(words, input=sql, text=True, capture_output=True,
                              start_new_session=True)
        if done.returncode != 0:
            raise ServerError(f'{sql.strip()}: {done.stderr.strip()}\n{self.last_lines()}')
        return done.stdout

    def run_file(self, path, **variables):
        """Run a file of statements, each in a transaction of its own; :name gives a variable.

        :file is a path in the data directory that the server can read and write.
        """
        values = {'file': self.data / 'bench.copy', **variables}
        text = ''.join(f'\\set {name} \'{value}\'\n' for name, value in values.items())
        return self.run(text + pathlib.Path(path).read_text())

    def rows(self, query):
        """Result of a query as a list of dictionaries."""
        return json.loads(self.run(f"SELECT coalesce(json_agg(q), '[]') FROM ({query}) q"))

    def row(self, query):
        """The only row of a query."""
        rows = self.rows(query)
        if len(rows) != 1:
            raise ServerError(f'{query}: {len(rows)} rows instead of one')
        return rows[0]

    def show(self, setting):
        return self.run(f'SHOW {setting}').strip()

    def version(self):
        """server_version_num, such as 150020."""
        return int(self.show('server_version_num'))

    def last_lines(self, count=12):
        """End of the server's log."""
        try:
            return '\n'.join(self.log.read_text(errors='replace').splitlines()[-count:])
        except OSError:
            return ''
