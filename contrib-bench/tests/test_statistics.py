"""Statistics: known answers, and the edges."""

import math
import random
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
                         {'median': 2, 'low': 1, 'high': 3, 'interval': (1, 3), 'rounds': 3})
        self.assertIsNone(statistics.over_rounds([3])['interval'])
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

    def test_no_claim_without_all_rounds(self):
        """The base stands still in the last round, or one of the two has no figure there."""
        for base, value in ((0, 1), (0, 0), (None, 1), (1, None)):
            found = statistics.ratio({1: 50, 2: 51, 3: 52, 4: value}, {1: 100, 2: 100, 3: 100, 4: base})
            self.assertEqual((statistics.verdict(found), found['left_out']), ('', 1), (base, value))
        self.assertEqual(statistics.verdict(statistics.ratio({1: 50, 2: 51, 3: 52}, {1: 9, 2: 9, 3: 9, 4: 9})), '')

    def test_a_ratio_of_0(self):
        """It must not make a claim of what is none with 0.5 in its place; all of them 0 are one."""
        base = {1: 100, 2: 100, 3: 100}
        self.assertEqual(statistics.verdict(statistics.ratio({1: 50, 2: 90, 3: 95}, base)), 'none')
        self.assertEqual(statistics.verdict(statistics.ratio({1: 0, 2: 90, 3: 95}, base)), '')
        self.assertEqual(statistics.verdict(statistics.ratio({1: 0, 2: 0, 3: 0}, base)), 'less')


class Intervals(unittest.TestCase):
    def test_few_rounds_give_their_range(self):
        self.assertEqual(statistics.interval([5, 1, 3]), (1, 5))
        self.assertEqual(statistics.interval([1, 2, 3, 4, 5]), (1, 5))

    def test_many_rounds_give_less_than_the_range(self):
        low, high = statistics.interval(range(101))
        self.assertGreater(low, 20)
        self.assertLess(high, 80)
        self.assertTrue(low < 50 < high)

    def test_coverage_of_the_true_median(self):
        """What coverage() says is so: of 4000 samples of skewed values, so many intervals hold the median."""
        source = random.Random(7)
        for rounds in (3, 5, 7, 9, 12, 20):
            held = 0
            for _ in range(4000):
                low, high = statistics.interval([source.expovariate(1) for _ in range(rounds)])
                held += low <= math.log(2) <= high
            self.assertAlmostEqual(held / 4000, statistics.coverage(rounds), delta=0.02, msg=rounds)

    def test_coverage(self):
        self.assertEqual([statistics.coverage(rounds) for rounds in (1, 3, 5, 7)], [0, 0.75, 0.9375, 0.984375])
        self.assertEqual(statistics.interval(range(8)), (0, 7))
        self.assertEqual(statistics.interval(range(9)), (1, 7))     # 96 %; one further in leaves 82 %
        self.assertTrue(all(statistics.coverage(rounds) >= 0.95 for rounds in range(6, 100)))

    def test_verdict(self):
        base = {1: 100, 2: 100, 3: 100}
        for values, expected in (({1: 118, 2: 120, 3: 116}, 'more'), ({1: 80, 2: 82, 3: 79}, 'less'),
                                 ({1: 110, 2: 120, 3: 105}, 'none'),     # all above, and no rarity by chance
                                 ({1: 90, 2: 110, 3: 105}, 'none'), ({1: 300, 2: 300}, '')):
            self.assertEqual(statistics.verdict(statistics.ratio(values, base)), expected)
        self.assertEqual(statistics.verdict(None), '')

    def test_equal_arms_are_seldom_claimed_to_differ(self):
        source = random.Random(7)
        for rounds in (3, 5):
            claims = 0
            for _ in range(1000):
                values, base = ({number: source.gauss(100, 4) for number in range(rounds)} for _ in range(2))
                claims += statistics.verdict(statistics.ratio(values, base)) != 'none'
            self.assertLess(claims, 80, rounds)

    def test_seconds_widen_the_interval(self):
        """Two arms with the same wild seconds in another order: their rounds look different by
        chance, the seconds say that it is chance."""
        source = random.Random(5)
        wild = {number: [source.choice((0, 1000)) for _ in range(30)] for number in range(3)}
        other = {number: [source.choice((0, 1000)) for _ in range(30)] for number in range(3)}
        found = statistics.resampled(wild, other, statistics.mean)
        self.assertEqual(statistics.verdict(found), 'none')
        self.assertGreater(found['interval'][1] - found['interval'][0], 0.2)

    def test_clear_difference_in_seconds(self):
        steady = {number: [1000 + second % 3 for second in range(30)] for number in range(3)}
        wild = {number: [second % 10 * 200 for second in range(30)] for number in range(3)}
        found = statistics.resampled(steady, wild, statistics.variation)
        self.assertEqual(statistics.verdict(found), 'less')

    def test_round_without_a_figure(self):
        found = statistics.resampled({1: [0, 0], 2: [5, 5]}, {1: [0, 0], 2: [5, 6]},
                                     statistics.variation)
        self.assertEqual((found['rounds'], found['left_out']), (1, 1))


class Latency(unittest.TestCase):
    def test_histogram(self):
        found = statistics.histogram([1000, 1000, 1001, 64000])
        self.assertEqual(list(found.values()), [3, 1])
        self.assertAlmostEqual(statistics.bucket_ms(list(found)[1]), 64, delta=3)

    def test_milliseconds(self):
        found = statistics.latency([3000, 1000, 2000])
        self.assertEqual(found['p50_ms'], 2)
        self.assertEqual(found['max_ms'], 3)


if __name__ == '__main__':
    unittest.main()
