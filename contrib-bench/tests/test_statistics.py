"""Statistics: known answers, and the edges."""

import unittest

from sabench import statistics


class Percentile(unittest.TestCase):
    def test_nearest_rank(self):
        values = list(range(1, 101))
        self.assertEqual(statistics.percentile(values, 0.5), 50)
        self.assertEqual(statistics.percentile(values, 0.95), 95)
        self.assertEqual(statistics.percentile(values, 1.0), 100)

    def test_few_values(self):
        self.assertEqual(statistics.percentile([7], 0.01), 7)
        self.assertEqual(statistics.percentile([1, 2, 3], 0.5), 2)

    def test_nothing(self):
        with self.assertRaises(ValueError):
            statistics.percentile([], 0.5)


class Steadiness(unittest.TestCase):
    def test_known(self):
        found = statistics.steadiness([2, 4, 4, 4, 5, 5, 7, 9])
        self.assertEqual(found['second_mean'], 5)
        self.assertAlmostEqual(found['second_sd'], 2.13809, places=5)
        self.assertAlmostEqual(found['second_cv'], 0.427618, places=5)
        self.assertEqual(found['second_min'], 2)
        self.assertEqual(found['slow_seconds'], 1)      # 2 is below half of 4.5

    def test_standstill(self):
        found = statistics.steadiness([0, 0, 0])
        self.assertIsNone(found['second_cv'])
        self.assertEqual(found['slow_seconds'], 0)

    def test_one_second(self):
        self.assertEqual(statistics.steadiness([10])['second_sd'], 0)


class Rounds(unittest.TestCase):
    def test_over_rounds(self):
        self.assertEqual(statistics.over_rounds([3, None, 1, 2]),
                         {'median': 2, 'low': 1, 'high': 3, 'rounds': 3})
        self.assertEqual(statistics.over_rounds([1, 2])['median'], 1.5)
        self.assertIsNone(statistics.over_rounds([None]))

    def test_ratio_pairs_rounds(self):
        """The machine is twice as fast in round 2; the ratio must not see it."""
        found = statistics.ratio({1: 110, 2: 220}, {1: 100, 2: 200})
        self.assertAlmostEqual(found['low'], 1.1)
        self.assertAlmostEqual(found['high'], 1.1)

    def test_ratio_without_base(self):
        self.assertIsNone(statistics.ratio({1: 5}, {1: 0}))
        self.assertEqual(statistics.ratio({1: 5, 2: 6}, {2: 3})['rounds'], 1)
        self.assertEqual(statistics.ratio({1: 0}, {1: 5})['median'], 0)


class Latency(unittest.TestCase):
    def test_milliseconds(self):
        found = statistics.latency([3000, 1000, 2000])
        self.assertEqual(found['p50_ms'], 2)
        self.assertEqual(found['max_ms'], 3)


if __name__ == '__main__':
    unittest.main()
