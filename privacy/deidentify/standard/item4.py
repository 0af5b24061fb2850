"""Item 4: singular descriptions: values, ends of a scale, combinations and households that few persons have."""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.standard.context import (
    Setting,
    blank,
    holders,
    numbers,
    present,
    repeats,
    rows_holding,
)
from privacy.deidentify.standard.findings import (
    Finding,
    Outcome,
    Remedy,
    Rows,
    Severity,
    millionths,
    outcome,
)
from privacy.deidentify.table import Column, Role
from privacy.words import Words

AGE = re.compile(r"年齢|年令|満年|(?<![a-z])age(?![a-z])", re.IGNORECASE)
HOUSEHOLD_SIZE = re.compile(
    r"世帯(?:員|人)+数?|世帯規模|家族数|household_?(?:size|members)|family_?size", re.IGNORECASE
)
SCALE_LEAST = 30
"""A column of numbers with more different values is a scale: its ends count, not each value."""
FENCE = 3.0
"""Tukey's outer fence: this many quartile ranges beyond the quartiles (Exploratory Data Analysis, 1977)."""


def _finding(
    code: str,
    columns: Sequence[str],
    rows: NDArray[np.bool_],
    severity: Severity,
    words: Words,
    do: Remedy,
) -> Finding:
    return Finding(
        item=4,
        code=code,
        columns=tuple(columns),
        rows=Rows.where(rows),
        severity=severity,
        words=words,
        operation=do,
    )


def _is_scale(column: Column) -> bool:
    return len(present(column)) > SCALE_LEAST and numbers(column) is not None


def _rare(setting: Setting, column: Column) -> NDArray[np.intp]:
    places = present(column)
    return places[holders(column, setting.persons)[places] < setting.thresholds.persons_min]


def rare_values(setting: Setting) -> Outcome:
    """No kept attribute has a value that fewer than `persons_min` persons hold; scales are looked at by their ends."""
    columns = [column for column in setting.kept() if not _is_scale(column)]
    rare = {column.name: _rare(setting, column) for column in columns}
    words = Words(
        ja=f"{setting.thresholds.persons_min} 人未満しか持たない値がある。",
        en=f"Values are held by fewer than {setting.thresholds.persons_min} persons.",
    )
    return outcome(
        item=4,
        method="rare_values",
        tested=Words(
            ja=f"各項目に {setting.thresholds.persons_min} 人未満しか持たない値がないか",
            en=f"No attribute has a value held by fewer than {setting.thresholds.persons_min} persons",
        ),
        figures=[
            ("columns", len(columns)),
            ("persons_min", setting.thresholds.persons_min),
            ("rare_values", sum(len(places) for places in rare.values())),
        ],
        findings=[
            _finding(
                "rare_value",
                [column.name],
                rows_holding(column, rare[column.name]),
                Severity.MEDIUM,
                words,
                Remedy.SUPPRESS_RARE,
            )
            for column in columns
            if len(rare[column.name])
        ],
    )


def _persons(setting: Setting, rows: NDArray[np.bool_]) -> int:
    if setting.persons is None:
        return int(rows.sum())
    return int(np.count_nonzero(np.bincount(setting.persons[rows], minlength=1)))


def _few(setting: Setting, rows: NDArray[np.bool_]) -> bool:
    return bool(rows.any()) and _persons(setting, rows) < setting.thresholds.persons_min


def _tails(setting: Setting, column: Column) -> Iterator[Finding]:
    values = numbers(column)
    assert values is not None
    told = values[column.codes]
    if AGE.search(column.name) and _few(setting, told >= setting.thresholds.age_top):
        top = setting.thresholds.age_top
        yield _finding(
            "few_aged",
            [column.name],
            told >= top,
            Severity.HIGH,
            Words(
                ja=f"{top} 歳以上が {setting.thresholds.persons_min} 人未満である。",
                en=f"Fewer than {setting.thresholds.persons_min} persons are {top} or older.",
            ),
            Remedy.TOP_CODE,
        )
    low, high = _fences(told)
    for code, beyond, do in (
        ("few_at_top", told > high, Remedy.TOP_CODE),
        ("few_at_bottom", told < low, Remedy.BOTTOM_CODE),
    ):
        if _few(setting, beyond):
            yield _finding(
                code,
                [column.name],
                beyond,
                Severity.MEDIUM,
                Words(
                    ja="他から大きく離れた端の値をもつ者が少ない。",
                    en="Few persons have values far beyond all others.",
                ),
                do,
            )


def _fences(told: NDArray[np.float64]) -> tuple[float, float]:
    first, third = np.nanquantile(told, (0.25, 0.75))
    reach = FENCE * (third - first)
    return float(first - reach), float(third + reach)


def tails(setting: Setting) -> Outcome:
    """No few persons stand at the ends of a numeric attribute: at `age_top`, or beyond Tukey's outer fences."""
    columns = [column for column in setting.kept() if numbers(column) is not None]
    findings = [finding for column in columns for finding in _tails(setting, column)]
    return outcome(
        item=4,
        method="tails",
        tested=Words(
            ja="数値項目の両端（高齢、極端な額など）に少数の者がいないか",
            en="No few persons stand at the ends of numeric attributes (very old, extreme amounts)",
        ),
        figures=[("columns", len(columns)), ("tails", len(findings))],
        findings=findings,
    )


def _too_many(setting: Setting, combos: int) -> bool:
    return combos * setting.rows > setting.thresholds.combination_cells


def _lone(setting: Setting, columns: Sequence[Column]) -> NDArray[np.bool_]:
    """The rows that no other row repeats in some columns, those that say nothing there aside."""
    says = np.logical_and.reduce([~blank(column) for column in columns])
    alone: NDArray[np.bool_] = says & (repeats(columns) == 1)
    return alone


class _Combinations:
    """The rows that pairs and triples single out, where no smaller part of them does."""

    def __init__(self, setting: Setting) -> None:
        everything = setting.kept()
        self.setting = setting
        self.alone = {column.name: _lone(setting, [column]) for column in everything}
        self.columns = [column for column in everything if 2 * self.alone[column.name].sum() <= setting.rows]
        self.pairs = list(combinations(self.columns, 2))
        self.triples = list(combinations(self.columns, 3))
        self.of_pairs: dict[tuple[str, ...], NDArray[np.bool_]] = {}

    def look_at_pairs(self) -> dict[tuple[str, ...], NDArray[np.bool_]]:
        for first, second in self.pairs:
            known = self.alone[first.name] | self.alone[second.name]
            lone = _lone(self.setting, (first, second)) & ~known
            if lone.any():
                self.of_pairs[first.name, second.name] = lone
        return self.of_pairs

    def look_at_triples(self) -> dict[tuple[str, ...], NDArray[np.bool_]]:
        found = {}
        for columns in self.triples:
            names = tuple(column.name for column in columns)
            known = np.logical_or.reduce([self.alone[name] for name in names])
            for pair in combinations(names, 2):
                if pair in self.of_pairs:
                    known = known | self.of_pairs[pair]
            lone = _lone(self.setting, columns) & ~known
            if lone.any():
                found[names] = lone
        return found


def combined(setting: Setting) -> tuple[Outcome, Outcome]:
    """The records singled out by two and by three kept attributes, sensitive ones included, and by nothing less.

    These are the minimal sample uniques of sizes 2 and 3 (Elliot, Manning & Ford 2002); a share above the
    threshold is a finding, any other unique record a question.
    """
    looked = _Combinations(setting)
    if _too_many(setting, comb(len(looked.columns), 2)):
        return _not_looked(setting, 2, len(looked.pairs)), _not_looked(setting, 3, len(looked.triples))
    pairs = _combined(setting, 2, len(looked.pairs), looked.look_at_pairs())
    if _too_many(setting, comb(len(looked.columns), 3)):
        return pairs, _not_looked(setting, 3, len(looked.triples))
    return pairs, _combined(setting, 3, len(looked.triples), looked.look_at_triples())


def _tested(size: int) -> Words:
    return Words(
        ja=f"{size} 項目の組合せだけで 1 件に絞られる記録がどれだけあるか",
        en=f"How many records are singled out by {size} attributes together and no fewer",
    )


def _not_looked(setting: Setting, size: int, combos: int) -> Outcome:
    return outcome(
        item=4,
        method=f"combinations_of_{size}",
        tested=_tested(size),
        figures=[("combinations", combos), ("combinations_examined", 0), ("rows", setting.rows)],
        open_question=combos > 0,
    )


def _combined(
    setting: Setting, size: int, combos: int, found: dict[tuple[str, ...], NDArray[np.bool_]]
) -> Outcome:
    rows = np.zeros(setting.rows, np.bool_)
    for lone in found.values():
        rows |= lone
    unique = int(rows.sum())
    limits = {2: setting.thresholds.unique_pairs_micro, 3: setting.thresholds.unique_triples_micro}
    above = millionths(unique, setting.rows) > limits[size]
    findings = []
    if above:
        worst = max(found, key=lambda names: int(found[names].sum()))
        findings.append(
            _finding(
                f"singled_out_by_{size}",
                worst,
                rows,
                Severity.MEDIUM if size == 2 else Severity.LOW,
                Words(
                    ja=f"{size} 項目の組合せで 1 件に絞られる記録が多い（挙げた項目の組が最多）。",
                    en=f"Many records are singled out by {size} attributes (most by those named).",
                ),
                Remedy.GENERALISE,
            )
        )
    return outcome(
        item=4,
        method=f"combinations_of_{size}",
        tested=_tested(size),
        figures=[
            ("combinations", combos),
            ("combinations_examined", combos),
            ("combinations_with_unique_records", len(found)),
            ("unique_records", unique),
            ("unique_records_micro", millionths(unique, setting.rows)),
        ],
        findings=findings,
        open_question=unique > 0,
    )


def _large_by_size(setting: Setting, column: Column) -> NDArray[np.bool_]:
    values = numbers(column)
    assert values is not None
    large: NDArray[np.bool_] = values[column.codes] >= setting.thresholds.household_large
    return large


def large_households(setting: Setting) -> Outcome:
    """No household of `household_large` or more is told, by a column of its size or by the rows of a linkage code."""
    sized = [
        column
        for column in setting.published.values()
        if HOUSEHOLD_SIZE.search(column.name) and numbers(column) is not None
    ]
    keyed = [column for column in setting.kept(Role.LINKAGE) if column.name != setting.unit]
    large = {column.name: _large_by_size(setting, column) for column in sized}
    large |= {
        column.name: ~blank(column) & (repeats([column]) >= setting.thresholds.household_large)
        for column in keyed
    }
    least = setting.thresholds.household_large
    return outcome(
        item=4,
        method="large_households",
        tested=Words(
            ja=f"{least} 人以上の世帯が示されていないか", en=f"No household of {least} or more is told"
        ),
        figures=[("columns", len(large)), ("rows", sum(int(rows.sum()) for rows in large.values()))],
        findings=[
            _finding(
                "large_household",
                [name],
                rows,
                Severity.MEDIUM,
                Words(
                    ja=f"{least} 人以上の世帯が示されている。", en=f"Households of {least} or more are told."
                ),
                Remedy.TOP_CODE,
            )
            for name, rows in large.items()
            if rows.any()
        ],
    )
