"""Totals of a shop's orders, by product, with a plug-in for the layout of the report."""
import csv
import importlib
import sys
from collections import Counter
from decimal import Decimal


def totals(rows):
    """Amounts sold and money taken, per product: {product: (count, sum)}."""
    counts, sums = Counter(), {}
    for row in rows:
        number = int(row["count"])
        if number < 0:
            raise ValueError(f"order {row['order']}: a count can't be negative")
        counts[row["product"]] += number
        sums[row["product"]] = sums.get(row["product"], Decimal(0)) + number * Decimal(row["price"])
    return {product: (counts[product], sums[product]) for product in counts}


def report(result):
    """Lines of a table, the product that earned most first."""
    lines = [f"{'product':<12} {'sold':>5} {'sum':>9}"]
    for product, (count, money) in sorted(result.items(), key=lambda item: (-item[1][1], item[0])):
        lines.append(f"{product:<12} {count:>5} {money:>9}")
    return lines


def main(path):
    with open(path, newline="", encoding="utf-8") as file:
        result = totals(csv.DictReader(file))
    print("\n".join(report(result)))
    print()
    importlib.import_module("plugin").decorate(result)


if __name__ == "__main__":
    main(sys.argv[1])
