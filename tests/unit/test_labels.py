"""What people call the values of keys: the owner's words, closed ranges with their unit, periods of the calendar."""

from decimal import Decimal

import pytest

from datasets.descriptor.descriptor import parse
from privacy.labels import labels_of, number_words
from privacy.query import Key

SCHEMA = parse("""
id: people
title: {ja: 人, en: People}
body: "131016"
privacy: {unit: person, max_rows_per_person: 1, measure: pure, cap: "20", max_per_query: "2"}
columns:
  district:
    type: category
    values: [chuo, kita, unknown]
    labels: {ja: [中央区, 北区, 不明], en: [Chuo-ku, Kita-ku, Total]}
    missing: allowed
  plain: {type: category, values: ["=1", b]}
  age: {type: integer, min: 0, max: 119, unit: {ja: 歳, en: years}}
  born: {type: integer, min: 1900, max: 2030, unit: 年}
  income: {type: decimal, min: -30000000, max: 30000000, step: 1000, unit: JPY}
  score: {type: decimal, min: 0, max: 10, step: 0.1}
  moved_in: {type: date, min: 2025-02-01, max: 2026-12-31}
""").schema
CASES = [
    (Key(column="age", bins=(0, 15, 65, 120)), "ja", ["0〜14歳", "15〜64歳", "65〜119歳"]),
    (Key(column="age", bins=(0, 15, 65, 119)), "en", ["0–14 years", "15–64 years", "65–119 years"]),
    (Key(column="age", bins=(18, 19, 20)), "ja", ["18歳", "19〜20歳"]),
    (Key(column="born", bins=(1990, 2000, 2010)), "ja", ["1990〜1999年", "2000〜2010年"]),
    (
        Key(column="income", bins=(-1000000, 0, 2000000)),
        "ja",
        ["−1,000,000〜−1000 JPY", "0〜2,000,000 JPY"],
    ),
    (Key(column="score", bins=(0, Decimal("2.5"), 10)), "en", ["0–2.4", "2.5–10"]),
    (
        Key(column="moved_in", bins=("2025-04-01", "2026-04-01", "2026-12-31")),
        "ja",
        ["2025年4月1日〜2026年3月31日", "2026年4月1日〜2026年12月31日"],
    ),
    (Key(column="moved_in", by="fiscal_year"), "ja", ["2024年度", "2025年度", "2026年度"]),
    (Key(column="moved_in", by="fiscal_year"), "en", ["FY2024", "FY2025", "FY2026"]),
    (Key(column="moved_in", by="year"), "ja", ["2025年", "2026年"]),
    (Key(column="plain"), "ja", ["=1", "b"]),
]


@pytest.mark.parametrize(("key", "language", "expected"), CASES)
def test_values_are_called_as_people_call_them(key: Key, language: str, expected: list[str]) -> None:
    assert list(labels_of(key, SCHEMA, language).values()) == expected  # type: ignore[arg-type]


def test_parts_of_a_year_are_told_by_their_months() -> None:
    quarters = labels_of(Key(column="moved_in", by="quarter"), SCHEMA, "ja")
    assert (quarters["2025-Q1"], quarters["2026-Q4"]) == ("2025年1〜3月", "2026年10〜12月")
    assert labels_of(Key(column="moved_in", by="quarter"), SCHEMA, "en")["2026-Q2"] == "Apr–Jun 2026"
    assert labels_of(Key(column="moved_in", by="month"), SCHEMA, "ja")["2026-04"] == "2026年4月"
    assert labels_of(Key(column="moved_in", by="month"), SCHEMA, "en")["2026-04"] == "Apr 2026"


def test_every_value_of_a_number_has_its_unit() -> None:
    assert labels_of(Key(column="age"), SCHEMA, "ja")[20] == "20歳"


def test_missing_and_total_are_told_apart_from_values_of_that_name() -> None:
    key = Key(column="district", missing=True)
    assert labels_of(key, SCHEMA, "ja", total="*") == {
        "chuo": "中央区",
        "kita": "北区",
        "unknown": "不明",
        None: "値なし",
        "*": "合計",
    }
    assert labels_of(key, SCHEMA, "en", total="*")["*"] == "Total (all)"
    assert labels_of(key, SCHEMA, "en")[None] == "Unknown"


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (Decimal("0.50"), "0.5"),
        (1990, "1990"),
        (10_000, "10,000"),
        (-5, "−5"),
        (Decimal("1E+3"), "1000"),
        (0, "0"),
    ],
)
def test_numbers_are_written_as_people_write_them(number: Decimal | int, text: str) -> None:
    assert number_words(number) == text
