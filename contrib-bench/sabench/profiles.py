"""The small files: arms, disks and profiles."""

import configparser
import pathlib
from dataclasses import dataclass, field, replace

HOME = pathlib.Path(__file__).resolve().parent.parent


class ProfileError(Exception):
    """A file is missing or says something that bench does not understand."""


@dataclass
class Arm:
    """One way of running the server."""
    name: str
    title: str
    colour: str
    full_page_writes: str
    warning: str = ''
    library: str = ''
    library_file: str = ''  # another file than the installed library's, for benchmarks only
    settings: dict = field(default_factory=dict)
    method: str = ''        # how the library wrote pages, known when a run has been made

    def found(self, method):
        """This arm with the method that was in force, named in its title."""
        if not method:
            return self
        named = method in self.title
        return replace(self, method=method, title=self.title if named else f'{self.title} ({method})')


@dataclass
class Disk:
    """Limits for the volume; 0 means none."""
    name: str
    title: str
    iops: int = 0
    bandwidth: int = 0
    resembles: str = ''
    not_modelled: str = ''


# Ways of writing pages that take part in a comparison of page writes beside no arm, by its driver.
WAYS = {
    'pagerate': {
        'kernel-atomic': Arm('kernel-atomic', "kernel's atomic writes, depth 64", '#e66100', ''),
        'kernel-plain': Arm('kernel-plain', 'plain direct writes, depth 64', '#8c8c8c', '',
                            warning='UNSAFE: pages can tear'),
        'pool-direct': Arm('pool-direct', 'pool, direct', '#17a398', '', library='smgr_atomic'),
        'pool-journal': Arm('pool-journal', 'pool, page journal', '#1f9e6e', '', library='smgr_atomic')},
    'accept': {
        'page-cache': Arm('page-cache', 'stock: mdwrite() into the page cache', '#e66100', ''),
        'pool': Arm('pool', 'smgrwrite() into the pool', '#2f86eb', '', library='smgr_atomic')}}


def names(kind):
    """Names of all files of a kind ("arms", "disks", "profiles")."""
    return sorted(path.stem for path in (HOME / kind).glob('*.conf'))


def _read(kind, name):
    path = HOME / kind / f'{name}.conf'
    if not path.is_file():
        raise ProfileError(f'no "{name}" in {kind}/; there are: {", ".join(names(kind))}')
    parser = configparser.ConfigParser(interpolation=None, delimiters=('=',))
    parser.optionxform = str
    try:
        parser.read(path)
    except configparser.Error as error:
        raise ProfileError(str(error)) from error
    return parser


def _build(kind, section, cls, name, **more):
    parser = _read(kind, name)
    try:
        values = dict(parser[section])
        for key in ('iops', 'bandwidth'):
            if key in values:
                values[key] = int(values[key])
        for key in more:
            more[key] = dict(parser[more[key]]) if parser.has_section(more[key]) else {}
        return cls(name=name, **values, **more)
    except (KeyError, TypeError, ValueError) as error:
        raise ProfileError(f'{kind}/{name}.conf: {error}') from error


def arm(name):
    return _build('arms', 'arm', Arm, name, settings='settings')


def taking_part(driver, name):
    """What stands beside a name in --arms: an arm, or a way of writing pages."""
    ways = WAYS.get(driver)
    if ways is None:
        return arm(name)
    if name not in ways:
        raise ProfileError(f'--driver {driver} has no way "{name}"; there are: {", ".join(ways)}')
    return ways[name]


def disk(name):
    return _build('disks', 'disk', Disk, name)


def options(name):
    """Options of a profile, as {"checkpoint-timeout": "30s", ...}."""
    parser = _read('profiles', name)
    if not parser.has_section('options'):
        raise ProfileError(f'profiles/{name}.conf: section [options] is missing')
    return dict(parser['options'])
