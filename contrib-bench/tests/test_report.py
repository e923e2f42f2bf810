"""Tables: medians, ratios, and that a doubtful one is marked."""

import unittest

from sabench import options, report

TPS = report.Metric('tps', 'TPS', 'more')
WAL = report.Metric('wal_per_transaction', 'WAL', 'less')


def record(arm, number, **values):
    return {'arm': arm, 'round': number, 'figures': values}


class Ratios(unittest.TestCase):
    def setUp(self):
        self.plan = options.Plan(arms='stock,unsafe', rounds=3)
        self.summary = report.summarise(self.plan, [
            record('stock', 1, tps=100, wal_per_transaction=9000, drain_s=None),
            record('unsafe', 1, tps=120, wal_per_transaction=500, drain_s=None),
            record('stock', 2, tps=200, wal_per_transaction=9000, drain_s=None),
            record('unsafe', 2, tps=190, wal_per_transaction=500, drain_s=None),
            record('stock', 3, tps=150, wal_per_transaction=9000, drain_s=None),
            record('unsafe', 3, tps=160, wal_per_transaction=500, drain_s=None)])

    def test_values(self):
        self.assertEqual(report.value_text(self.summary['stock']['tps'], TPS), '150 (100–200)')
        self.assertEqual(report.value_text(self.summary['stock']['wal_per_transaction'], WAL),
                         '9,000')
        self.assertEqual(report.value_text(self.summary['stock']['drain_s'], TPS), '–')

    def test_doubtful_ratio_is_marked(self):
        self.assertEqual(report.ratio_text(self.summary['unsafe']['tps'], TPS), '~1.07x')
        self.assertEqual(report.claim_text(self.summary['unsafe']['tps'], TPS),
                         'no difference shown (0.95–1.20)')

    def test_clear_ratio(self):
        self.assertEqual(report.ratio_text(self.summary['unsafe']['wal_per_transaction'], WAL),
                         '18.0x less')
        self.assertEqual(report.claim_text(self.summary['unsafe']['wal_per_transaction'], WAL),
                         '18.0x less (18.0–18.0)')

    def test_too_few_rounds(self):
        summary = report.summarise(self.plan, [
            record(arm, number, tps=tps) for number in (1, 2)
            for arm, tps in (('stock', 100), ('unsafe', 300))])
        self.assertEqual(report.ratio_text(summary['unsafe']['tps'], TPS), '?3.00x')
        self.assertEqual(report.claim_text(summary['unsafe']['tps'], TPS),
                         '3.00x (too few rounds to claim)')

    def test_rows_without_values_are_left_out(self):
        labels = [label for label, _ in report.rows(self.plan, self.summary)]
        self.assertIn('TPS', labels)
        self.assertNotIn('until all was on disk, s', labels)

    def test_tables_name_the_unsafe_arm(self):
        for table in (report.text_table, report.markdown_table):
            self.assertIn('UNSAFE', table(self.plan, self.summary))


if __name__ == '__main__':
    unittest.main()
