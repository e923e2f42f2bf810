"""A slow link: forwards a Unix socket to another one, so many bytes a second back.

Run as a program of its own (python3 -m sabench.link LISTEN TARGET BYTES_PER_SECOND), so that
its work does not disturb bench.  Only what comes back from the target is limited: WAL to the
standby.  It stands in for a network link: bandwidth is modelled, latency and loss are not.
"""

import os
import socket
import sys
import threading
import time

CHUNK = 16 * 1024


class Bucket:
    """Lets CHUNK-sized pieces through at a rate in bytes per second."""

    def __init__(self, rate):
        self.rate = rate
        self.due = time.monotonic()

    def pay(self, size):
        """Wait until size bytes may pass."""
        now = time.monotonic()
        self.due = max(self.due, now) + size / self.rate
        if self.due > now:
            time.sleep(self.due - now)


def _forward(source, target, bucket=None):
    try:
        while data := source.recv(CHUNK):
            if bucket:
                bucket.pay(len(data))
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def _connect(path):
    end = socket.socket(socket.AF_UNIX)
    end.connect(path)
    return end


def serve(listen, target, rate):
    """Accept for ever; all connections share the rate."""
    bucket = Bucket(rate)
    server = socket.socket(socket.AF_UNIX)
    server.bind(listen)
    os.chmod(listen, 0o777)
    server.listen()
    while True:
        client, _ = server.accept()
        try:
            back = _connect(target)
        except OSError:
            client.close()
            continue
        for arguments in ((client, back), (back, client, bucket)):
            threading.Thread(target=_forward, args=arguments, daemon=True).start()


if __name__ == '__main__':
    serve(sys.argv[1], sys.argv[2], float(sys.argv[3]))
