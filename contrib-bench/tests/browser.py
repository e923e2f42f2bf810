"""A headless Chromium that a test can ask: DevTools protocol over a pipe, so no port is opened."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import tempfile
import time

LIMIT = 180                 # seconds for any answer


def program():
    """Path of the browser, None where there is none."""
    return shutil.which('chromium') or shutil.which('chromium-browser')


class Browser:
    """Context manager; one page.  .requests are the addresses it has asked for."""

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            home = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
            read, to = os.pipe()
            self.answers, write = os.pipe()
            self.process = subprocess.Popen(
                ['bash', '-c', f'exec "$@" 3<&{read} 4>&{write}', 'bash', program(), '--headless', '--no-sandbox',
                 '--disable-gpu', '--disable-dev-shm-usage', '--no-first-run', '--disable-background-networking',
                 f'--user-data-dir={home}', '--remote-debugging-pipe', 'about:blank'],
                pass_fds=(read, write), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL, env={**os.environ, 'HOME': home})
            stack.callback(self._end)
            os.close(read)
            os.close(write)
            stack.callback(os.close, self.answers)
            self.commands, self.number, self.text = to, 0, b''
            stack.callback(os.close, to)
            self.requests, self.loaded, self.session = [], False, None
            pages = self.ask('Target.getTargets')['targetInfos']
            page = next(item['targetId'] for item in pages if item['type'] == 'page')
            self.session = self.ask('Target.attachToTarget', targetId=page, flatten=True)['sessionId']
            for domain in ('Page', 'Network', 'Runtime'):
                self.ask(f'{domain}.enable')
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *_):
        self.stack.close()

    def _end(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, **parameters):
        """The result of a command."""
        self.number += 1
        message = {'id': self.number, 'method': method, 'params': parameters}
        if self.session:
            message['sessionId'] = self.session
        os.write(self.commands, json.dumps(message).encode() + b'\0')
        while True:
            found = self._next()
            if found.get('id') == self.number:
                if 'error' in found:
                    raise RuntimeError(f'{method}: {found["error"]}')
                return found['result']

    def open(self, path):
        """Load a file and wait until it is."""
        self.loaded = False
        self.ask('Page.navigate', url=path.as_uri())
        while not self.loaded:
            self._next()

    def evaluate(self, expression):
        """Value of a JavaScript expression."""
        found = self.ask('Runtime.evaluate', expression=expression, returnByValue=True)
        if 'exceptionDetails' in found:
            raise RuntimeError(str(found['exceptionDetails']))
        return found['result'].get('value')

    def show(self, scheme, width):
        """As a reader with this colour scheme and window sees it."""
        self.ask('Emulation.setEmulatedMedia', features=[{'name': 'prefers-color-scheme', 'value': scheme}])
        self.ask('Emulation.setDeviceMetricsOverride', width=width, height=900, deviceScaleFactor=1, mobile=False)

    def _next(self):
        """The next message; notes what is loaded."""
        limit = time.monotonic() + LIMIT
        while b'\0' not in self.text:
            ready, _, _ = select.select([self.answers], [], [], max(limit - time.monotonic(), 0))
            piece = os.read(self.answers, 1 << 16) if ready else b''
            if not piece:
                raise RuntimeError('the browser does not answer')
            self.text += piece
        text, _, self.text = self.text.partition(b'\0')
        message = json.loads(text)
        if message.get('method') == 'Network.requestWillBeSent':
            self.requests.append(message['params']['request']['url'])
        elif message.get('method') == 'Page.loadEventFired':
            self.loaded = True
        return message
