"""Item 4, rarity: singular descriptions: values, ends of a scale, combinations and households that few persons have.

Rule 62 item 4 of the PPC asks for 特異な記述等 to be removed. The law gives no number: what is few is a threshold of
the administrative body (`Thresholds`).
"""

import re
from collections.abc import Iterator, Sequence
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.standard.context import (
    ExaminationContext,
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
    # Amounts and times are nearly all different: each value being rare says nothing there, its ends do.
    return len(present(column)) > SCALE_LEAST and numbers(column) is not None


def _rare(context: ExaminationContext, column: Column) -> NDArray[np.intp]:
    places = present(column)
    return places[holders(column, context.persons)[places] < context.thresholds.persons_min]


def rare_values(context: ExaminationContext) -> Outcome:
    """No kept attribute has a value of fewer than `persons_min` persons; scales are looked at by their ends."""
    columns = [column for column in context.kept() if not _is_scale(column)]
    rare = {column.name: _rare(context, column) for column in columns}
    words = Words(
        ja=f"{context.thresholds.persons_min} 人未満しか持たない値がある。",
        en=f"Values are held by fewer than {context.thresholds.persons_min} persons.",
    )
    return outcome(
        item=4,
        method="rare_values",
        tested=Words(
            ja=f"各項目に {context.thresholds.persons_min} 人未満しか持たない値がないか",
            en=f"No attribute has a value held by fewer than {context.thresholds.persons_min} persons",
        ),
        figures=[
            ("columns", len(columns)),
            ("persons_min", context.thresholds.persons_min),
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


def _persons(context: ExaminationContext, rows: NDArray[np.bool_]) -> int:
    """How many persons some rows belong to; rows are counted where persons are not known."""
    if context.persons is None:
        return int(rows.sum())
    return int(np.count_nonzero(np.bincount(context.persons[rows], minlength=1)))


def _few(context: ExaminationContext, rows: NDArray[np.bool_]) -> bool:
    return bool(rows.any()) and _persons(context, rows) < context.thresholds.persons_min


def _tails(context: ExaminationContext, column: Column) -> Iterator[Finding]:
    values = numbers(column)
    assert values is not None
    by_row = values[column.codes]
    # Ages have a limit of their own: in an old town 95 lies within the fences, and still few persons are that old.
    if AGE.search(column.name) and _few(context, by_row >= context.thresholds.age_top):
        top = context.thresholds.age_top
        yield _finding(
            "few_aged",
            [column.name],
            by_row >= top,
            Severity.HIGH,
            Words(
                ja=f"{top} 歳以上が {context.thresholds.persons_min} 人未満である。",
                en=f"Fewer than {context.thresholds.persons_min} persons are {top} or older.",
            ),
            Remedy.TOP_CODE,
        )
    low, high = _fences(by_row)
    for code, beyond, do in (
        ("few_at_top", by_row > high, Remedy.TOP_CODE),
        ("few_at_bottom", by_row < low, Remedy.BOTTOM_CODE),
    ):
        # Many persons beyond a fence are a skewed distribution, as incomes are; only a few there are singular.
        if _few(context, beyond):
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


def _fences(by_row: NDArray[np.float64]) -> tuple[float, float]:
    """Tukey's outer fences of the rows with a number."""
    first, third = np.nanquantile(by_row, (0.25, 0.75))
    reach = FENCE * (third - first)
    return float(first - reach), float(third + reach)


def tails(context: ExaminationContext) -> Outcome:
    """No few persons stand at the ends of a numeric attribute: at `age_top`, or beyond Tukey's outer fences."""
    # Every numeric column, scales or not: an age of 120 is singular in a short list of ages too.
    columns = [column for column in context.kept() if numbers(column) is not None]
    findings = [finding for column in columns for finding in _tails(context, column)]
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


def _too_many(context: ExaminationContext, combos: int) -> bool:
    return combos * context.rows > context.thresholds.combination_cells


def _lone(context: ExaminationContext, columns: Sequence[Column]) -> NDArray[np.bool_]:
    """The rows that no other row repeats in some columns, those with a blank there aside."""
    filled = np.logical_and.reduce([~blank(column) for column in columns])
    alone: NDArray[np.bool_] = filled & (repeats(columns) == 1)
    return alone


class _Combinations:
    """The rows that pairs and triples single out, where no smaller part of them does."""

    def __init__(self, context: ExaminationContext) -> None:
        everything = context.kept()
        self.context = context
        self.alone = {column.name: _lone(context, [column]) for column in everything}
        # A column that singles out most rows by itself is a key: every pair with it would only repeat that.
        self.columns = [column for column in everything if 2 * self.alone[column.name].sum() <= context.rows]
        self.pairs = list(combinations(self.columns, 2))
        self.triples = list(combinations(self.columns, 3))
        self.of_pairs: dict[tuple[str, ...], NDArray[np.bool_]] = {}

    def look_at_pairs(self) -> dict[tuple[str, ...], NDArray[np.bool_]]:
        for first, second in self.pairs:
            # Minimal uniques only: a row that one of the two columns singles out is counted there.
            known = self.alone[first.name] | self.alone[second.name]
            lone = _lone(self.context, (first, second)) & ~known
            if lone.any():
                self.of_pairs[first.name, second.name] = lone
        return self.of_pairs

    def look_at_triples(self) -> dict[tuple[str, ...], NDArray[np.bool_]]:
        found = {}
        for columns in self.triples:
            names = tuple(column.name for column in columns)
            # Minimal again: neither one column nor a pair of the three may single the row out.
            known = np.logical_or.reduce([self.alone[name] for name in names])
            for pair in combinations(names, 2):
                if pair in self.of_pairs:
                    known = known | self.of_pairs[pair]
            lone = _lone(self.context, columns) & ~known
            if lone.any():
                found[names] = lone
        return found


def combined(context: ExaminationContext) -> tuple[Outcome, Outcome]:
    """The records singled out by two and by three kept attributes, sensitive ones included, and by nothing less.

    These are the minimal sample uniques of sizes 2 and 3 (Elliot, Manning & Ford 2002); a share above the
    threshold is a finding, any other unique record a question.
    """
    looked = _Combinations(context)
    # Pairs are n (n - 1) / 2 passes over the rows, triples n³ / 6: the reviewer is asked about a wide table instead.
    if _too_many(context, comb(len(looked.columns), 2)):
        return _not_looked(context, 2, len(looked.pairs)), _not_looked(context, 3, len(looked.triples))
    pairs = _combined(context, 2, len(looked.pairs), looked.look_at_pairs())
    if _too_many(context, comb(len(looked.columns), 3)):
        return pairs, _not_looked(context, 3, len(looked.triples))
    return pairs, _combined(context, 3, len(looked.triples), looked.look_at_triples())


def _tested(size: int) -> Words:
    return Words(
        ja=f"{size} 項目の組合せだけで 1 件に絞られる記録がどれだけあるか",
        en=f"How many records are singled out by {size} attributes together and no fewer",
    )


def _not_looked(context: ExaminationContext, size: int, combos: int) -> Outcome:
    return outcome(
        item=4,
        method=f"combinations_of_{size}",
        tested=_tested(size),
        figures=[("combinations", combos), ("combinations_examined", 0), ("rows", context.rows)],
        open_question=combos > 0,
    )


def _combined(
    context: ExaminationContext, size: int, combos: int, found: dict[tuple[str, ...], NDArray[np.bool_]]
) -> Outcome:
    rows = np.zeros(context.rows, np.bool_)
    for lone in found.values():
        rows |= lone
    unique = int(rows.sum())
    limits = {2: context.thresholds.unique_pairs_micro, 3: context.thresholds.unique_triples_micro}
    above = millionths(unique, context.rows) > limits[size]
    findings = []
    if above:
        # One finding for all combinations: which columns to generalise first is what the reader needs.
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
            ("unique_records_micro", millionths(unique, context.rows)),
        ],
        findings=findings,
        open_question=unique > 0,
    )


def _large_by_size(context: ExaminationContext, column: Column) -> NDArray[np.bool_]:
    values = numbers(column)
    assert values is not None
    large: NDArray[np.bool_] = values[column.codes] >= context.thresholds.household_large
    return large


def large_households(context: ExaminationContext) -> Outcome:
    """No household of `household_large` or more shows, by a column of its size or by the rows of a linkage code."""
    sized = [
        column
        for column in context.published.values()
        if HOUSEHOLD_SIZE.search(column.name) and numbers(column) is not None
    ]
    # The unit's own code counts rows of a person, not persons of a household.
    keyed = [column for column in context.kept(Role.LINKAGE) if column.name != context.unit]
    large = {column.name: _large_by_size(context, column) for column in sized}
    large |= {
        column.name: ~blank(column) & (repeats([column]) >= context.thresholds.household_large)
        for column in keyed
    }
    least = context.thresholds.household_large
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
