import unittest
from decimal import Decimal

from main import report, totals


class Totals(unittest.TestCase):
    rows = [
        {"order": "1", "product": "tea", "count": "2", "price": "3.50"},
        {"order": "2", "product": "cup", "count": "1", "price": "12.00"},
        {"order": "3", "product": "tea", "count": "3", "price": "3.40"},
    ]

    def test_sums_by_product(self):
        self.assertEqual(totals(self.rows), {"tea": (5, Decimal("17.20")), "cup": (1, Decimal("12.00"))})

    def test_most_earned_first(self):
        self.assertEqual([line.split()[0] for line in report(totals(self.rows))], ["product", "tea", "cup"])

    def test_no_orders(self):
        self.assertEqual(totals([]), {})

    def test_negative_count(self):
        with self.assertRaises(ValueError):
            totals([{"order": "4", "product": "tea", "count": "-1", "price": "3.50"}])


if __name__ == "__main__":
    unittest.main()
