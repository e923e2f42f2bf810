"""What is in the WAL of a run: records and full-page images by kind, and its size compressed.

The server recycles old WAL files, as in production, so only the WAL still there can be read:
the end of the run, at least since the checkpoint before the last.  The report says how much.
"""

import collections
import pathlib
import re
import subprocess
import zlib

MOST_BYTES = 256 << 20      # of WAL to read
MOST_SEGMENTS = 4           # to compress

STATS_LINE = re.compile(r'^(\S+(?: \S+)*?) +(\d+) \( *[\d.]+\) +(\d+) \( *[\d.]+\) +(\d+) \(')
IMAGE_LINE = re.compile(r'^rmgr: (\S+) .* desc: ([A-Z_+]+)')

EXPLAINED = {
    'XLOG/FPI_FOR_HINT': 'hint bits on a page not changed since the last checkpoint, logged '
                         'whole because of checksums or wal_log_hints',
    'XLOG/FPI': 'pages logged whole because they are new: index builds, and the like',
    'Heap2/VISIBLE': 'a page of the visibility map, or the heap page whose hint bit was set with it '
                     'under checksums',
}


def segments(directory, start, end, size):
    """Files of WAL wholly between two positions (bytes), oldest first: [(position, path)]."""
    found = []
    for path in pathlib.Path(directory).iterdir():
        if re.fullmatch('[0-9A-F]{24}', path.name):
            per_log = (1 << 32) // size
            number = int(path.name[8:16], 16) * per_log + int(path.name[16:], 16)
            if start <= number * size and (number + 1) * size <= end:
                found.append((number * size, path))
    return sorted(found)


def keep(directory, target):
    """Link the files of WAL into a new directory on the same filesystem: one that is recycled has another name
    in pg_wal, and its content until it is written again."""
    target.mkdir()
    for path in pathlib.Path(directory).iterdir():
        if re.fullmatch('[0-9A-F]{24}', path.name):
            (target / path.name).hardlink_to(path)


def lsn(position):
    return f'{position >> 32:X}/{position & 0xFFFFFFFF:X}'


def begin_of_sample(directory, start, end, size):
    """Position from which WAL can be read without a gap until end, at most MOST_BYTES before."""
    first = end - end % size
    for position, _ in reversed(segments(directory, max(start, end - MOST_BYTES) - size, end, size)):
        if position != first - size:
            break
        first = position
    return max(first, start)


def parse_stats(text):
    """Output of pg_waldump --stats=record -> {kind: {records, bytes, image_bytes}}."""
    result = {}
    for line in text.splitlines():
        found = STATS_LINE.match(line)
        if found and found[1] != 'Total' and int(found[2]):
            result[found[1]] = {'records': int(found[2]), 'bytes': int(found[3]),
                                'image_bytes': int(found[4])}
    return result


def count_images(lines):
    """Output of pg_waldump --fullpage -> {kind: number of images}."""
    result = collections.Counter()
    for line in lines:
        found = IMAGE_LINE.match(line)
        if found:
            result[f'{found[1]}/{found[2]}'] += max(line.count(' FPW'), 1)
    return dict(result)


def _waldump(programs, directory, begin, end, *options):
    """pg_waldump's output; that the WAL ends where we stop it is no error."""
    return subprocess.run(
        [str(programs / 'pg_waldump'), '-p', str(directory), '-s', lsn(begin), '-e', lsn(end),
         *options], text=True, capture_output=True, errors='replace', check=False).stdout


def look(programs, directory, start, end, size):
    """Kinds of records and images in what is left of the WAL from start to end (bytes)."""
    begin = begin_of_sample(directory, start, end, size)
    if end <= begin:
        return None
    kinds = parse_stats(_waldump(programs, directory, begin, end, '--stats=record'))
    if not kinds:                       # pg_waldump could not read it
        return None
    images = count_images(_waldump(programs, directory, begin, end, '--fullpage').splitlines())
    for kind, number in images.items():
        kinds.setdefault(kind, {'records': 0, 'bytes': 0, 'image_bytes': 0})['images'] = number
    return {'bytes': end - begin, 'share': (end - begin) / (end - start), 'kinds': kinds,
            'compressed_share': compressed_share(directory, begin, end, size)}


def compressed_share(directory, begin, end, size):
    """Size of some pieces of the WAL under gzip -1 over their own size; None if there is none."""
    whole = segments(directory, begin - size, end + size, size)
    pieces = [(path, max(begin - position, 0), min(end - position, size))
              for position, path in whole]
    pieces = [piece for piece in pieces if piece[1] < piece[2]]
    pieces = pieces[::max(len(pieces) // MOST_SEGMENTS, 1)][:MOST_SEGMENTS]
    texts = [path.read_bytes()[first:last] for path, first, last in pieces]
    plain = sum(map(len, texts))
    return sum(len(zlib.compress(text, 1)) for text in texts) / plain if plain else None
