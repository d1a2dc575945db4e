#!/usr/bin/env python3
"""Writes parts-list.expected.json: what Python's csv module and a second writing of the rules make of parts-list.csv."""

import collections
import csv
import json
import pathlib
import re

HERE = pathlib.Path(__file__).parent


def verdict(header, row):
    """Returns the column and the reason of a rejected row, or None."""
    for name, value in zip(header + [""] * len(row), row):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return name, "not valid UTF-8"
    if any(value.strip() for value in row[len(header):]):
        return "", "wrong number of fields"
    row = row + [""] * len(header)
    fields = {name.strip().lower(): value.strip() for name, value in zip(header, row)}
    for name in ("part", "color", "quantity"):
        if not fields[name]:
            return name, "missing value"
    count = fields["quantity"]
    if re.fullmatch("[0-9]+[.][0-9]{3}", count):
        return "quantity", "the point may mean thousands, so write the number without it"
    if not 1 <= number(count) <= 1_000_000:
        return "quantity", "not a whole number from 1 to 1,000,000"
    return None


def number(text):
    """Returns the whole number that the text is, with thousands separators and zeros after a point, or 0."""
    match = re.fullmatch(r"([0-9]+|[1-9][0-9]{0,2}(?:([, \u00a0\u202f\u2009'\u2019])[0-9]{3}(?:\2[0-9]{3})*))(?:[.]0+)?", text, re.ASCII)
    return int(re.sub("[^0-9]", "", match[1])) if match else 0


def main():
    path = HERE / "parts-list.csv"
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        rows = [row for row in csv.reader(file) if any(value.strip() for value in row)]
    header, rows = rows[0], rows[1:]
    verdicts = [verdict(header, row) for row in rows]
    place = [name.strip().lower() for name in header].index("quantity")
    by = collections.Counter(v for v in verdicts if v)
    expected = {
        "bytes": path.stat().st_size,
        "rows": len(rows),
        "accepted": verdicts.count(None),
        "rejected": sum(by.values()),
        "quantity": sum(number(row[place].strip()) for row, v in zip(rows, verdicts) if v is None),
        "rejectedBy": [
            {"column": column, "reason": reason, "rows": count}
            for (column, reason), count in sorted(by.items(), key=lambda item: (-item[1], item[0]))
        ],
    }
    text = json.dumps(expected, indent=2) + "\n"
    (HERE / "parts-list.expected.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
