"""The report as a browser shows it: nothing from outside, readable in light and dark, on wide and narrow windows."""

import pathlib
import tempfile
import unittest

from sabench import page
from tests import browser
from tests.test_page import UNFINISHED, every_kind

# Texts whose contrast with what lies behind them is below 4.5, lines and bars below 2.5.
FAINT = '''(() => {
  const numbers = text => { const n = (text.match(/[\\d.]+/g) || []).map(Number); return n.length == 3 ? [...n, 1] : n; };
  const light = c => { const v = c.slice(0, 3).map(x => x / 255).map(x => x <= .03928 ? x / 12.92 : ((x + .055) / 1.055) ** 2.4);
                       return .2126 * v[0] + .7152 * v[1] + .0722 * v[2]; };
  const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((p, q) => q - p); return (x + .05) / (y + .05); };
  const behind = e => { for (; e; e = e.parentElement) { const c = numbers(getComputedStyle(e).backgroundColor);
                        if (c.length == 4 && c[3] == 1) return c; } return [255, 255, 255, 1]; };
  const found = [];
  for (const e of document.querySelectorAll('body, body *')) {
    const style = getComputedStyle(e), drawn = e instanceof SVGElement;
    const says = [...e.childNodes].some(n => n.nodeType == 3 && n.data.trim());
    if (says && e.tagName != 'title') {
      const r = ratio(numbers(drawn ? style.fill : style.color), behind(drawn ? e.ownerSVGElement : e));
      if (r < 4.5) found.push(`${r.toFixed(2)}: ${e.textContent.trim().slice(0, 60)}`);
    } else if (e.tagName == 'polyline' || e.tagName == 'rect' && e.getAttribute('fill-opacity') == '1.0') {
      const r = ratio(numbers(e.tagName == 'rect' ? style.fill : style.stroke), behind(e.ownerSVGElement));
      if (r < 2.5) found.push(`${r.toFixed(2)}: ${e.tagName} ${style.fill} ${style.stroke}`);
    }
  }
  return [...new Set(found)];
})()'''
# Texts that leave their picture, and pictures and tables that make the page wider than the window.
OUTSIDE = '''(() => {
  const found = [];
  for (const e of document.querySelectorAll('svg text')) {
    const own = e.getBBox(), all = e.ownerSVGElement.viewBox.baseVal;
    if (own.x < 0 || own.x + own.width > all.width || own.y < 0 || own.y + own.height > all.height)
      found.push(`${e.ownerSVGElement.getAttribute('aria-label')}: ${e.textContent}`);
  }
  const wide = document.documentElement.scrollWidth;
  if (wide > window.innerWidth) found.push(`the page is ${wide} wide in a window of ${window.innerWidth}`);
  return found;
})()'''


@unittest.skipUnless(browser.program(), 'chromium is not installed (apt-get install chromium)')
class InBrowser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.work = tempfile.TemporaryDirectory()
        cls.path = pathlib.Path(cls.work.name) / 'report.html'
        page.write(every_kind(), cls.path, 'A title', UNFINISHED)
        cls.browser = browser.Browser().__enter__()
        cls.browser.open(cls.path)

    @classmethod
    def tearDownClass(cls):
        cls.browser.__exit__()
        cls.work.cleanup()

    maxDiff = None

    def everywhere(self, expression):
        for scheme in ('light', 'dark'):
            for width in (1280, 400):
                self.browser.show(scheme, width)
                yield scheme, width, self.browser.evaluate(expression)

    def test_nothing_is_loaded_from_outside(self):
        self.assertEqual(self.browser.requests, [self.path.as_uri()])

    def test_dark_is_dark(self):
        colours = {scheme: self.browser.evaluate('getComputedStyle(document.body).backgroundColor')
                   for scheme, _, _ in self.everywhere('1')}
        self.assertEqual(len(set(colours.values())), 2)

    def test_contrast(self):
        for scheme, width, found in self.everywhere(FAINT):
            self.assertEqual(found, [], (scheme, width))

    def test_width(self):
        for scheme, width, found in self.everywhere(OUTSIDE):
            self.assertEqual(found, [], (scheme, width))

    def test_the_checks_see_what_is_wrong(self):
        """The same questions to a page that is made badly."""
        bad = self.path.with_name('bad.html')
        bad.write_text(self.path.read_text().replace('--soft: #5b6470', '--soft: #c9ced4').replace('x="14.0"', 'x="-14.0"'))
        self.browser.open(bad)
        try:
            self.browser.show('light', 1280)
            self.assertTrue(self.browser.evaluate(FAINT))
            self.assertTrue(self.browser.evaluate(OUTSIDE))
        finally:
            self.browser.open(self.path)
            self.browser.requests[:] = self.browser.requests[-1:]


if __name__ == '__main__':
    unittest.main()
