"""Counters of the block devices once a second, and extents of a file, in a thread beside the load."""

import threading
import time

from . import extents, volume

EXTENTS_STEP = 3            # seconds


class Sampler:
    """Context manager; .samples is a list of (epoch, counters), .extents of [second, number]."""

    def __init__(self, devices, file=None):
        self.devices, self.file = devices, file
        self.extents = []
        self.samples = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        if self.devices:
            self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        if self.devices:                # the end of the last second
            self.samples.append((time.time(), volume.device_counters(self.devices)))

    def _run(self):
        began = due = time.monotonic()
        while not self._stop.is_set():
            if self.file and len(self.samples) % EXTENTS_STEP == 0:
                self.extents.append([round(due - began), extents.extents(self.file, flags=0)])
            self.samples.append((time.time(), volume.device_counters(self.devices)))
            due += 1
            self._stop.wait(max(due - time.monotonic(), 0))


def per_second(samples, name, start, duration):
    """Growth of a counter in each second from start (epoch), between the samples around it."""
    if len(samples) < 2:
        return [None] * duration
    return [_between(samples, name, start + number, start + number + 1)
            for number in range(duration)]


def _between(samples, name, begin, end):
    first, last = _at(samples, name, begin), _at(samples, name, end)
    return None if first is None or last is None else max(round(last - first), 0)


def _at(samples, name, moment):
    """Value of a counter at a moment, on the line between its neighbours."""
    for (time_a, a), (time_b, b) in zip(samples, samples[1:]):
        if time_a <= moment <= time_b:
            share = (moment - time_a) / (time_b - time_a)
            return a[name] + share * (b[name] - a[name])
    return None
