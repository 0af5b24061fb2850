"""Item 3, linkage: nothing in the output ties it back to the source: no key, no function of a key, no row order.

Rule 62 item 3 of the PPC: codes that link the personal information with what was made of it are removed or replaced.
A pseudonym by a keyed function is allowed, so equality and regularity are looked for, not mere correspondence.
"""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import grouped
from privacy.deidentify.standard.context import ExaminationContext, blank, numbers, present
from privacy.deidentify.standard.findings import (
    Finding,
    Outcome,
    Remedy,
    Rows,
    Severity,
    outcome,
)
from privacy.deidentify.table import Column, Role
from privacy.words import Words

KEY_ROLES = (Role.LINKAGE, Role.IDENTIFIER, Role.CODE)
ROWS_COMPARED_MIN = 20
"""Fewer rows say nothing about their order: three rows are in order once in six times by chance."""
NEARLY_ALL = 0.99
"""The share of rows that must read alike before an order is taken for the source's; a few cells may have changed."""
COMMON_LEAST = 10
"""Fewer values in common with a key say nothing: small numbers are in many columns."""


def keys(context: ExaminationContext) -> list[str]:
    """The source's columns that name a person or a row: by role, as unit, or because no value repeats."""
    return [name for name, column in context.source.items() if _declared(context, name) or _unique(column)]


def _declared(context: ExaminationContext, name: str) -> bool:
    return context.roles.get(name) in KEY_ROLES or name == context.unit


def _unique(column: Column) -> bool:
    # A key that nobody declared is a key all the same: a receipt number tells rows apart whatever its role.
    return len(column) > 1 and int(column.counts().max(initial=0)) == 1


def _ranks(column: Column) -> NDArray[np.int64]:
    """Each row's value by its place in the order of numbers, or of texts where they are not all numbers."""
    parsed = numbers(column)
    order = np.argsort(np.array(column.values) if parsed is None else parsed, kind="stable")
    # The inverse of the order: NumPy sorts positions, and ranks are asked for.
    places = np.empty(len(order), np.int64)
    places[order] = np.arange(len(order))
    return places[column.codes]


@dataclass(frozen=True, slots=True, eq=False)
class _Key:
    """A source key beside the rows of the output, with what every comparison needs of it."""

    column: Column
    ranks: NDArray[np.int64]
    known: Mapping[str, int]
    """The place of each value."""

    @classmethod
    def of(cls, column: Column) -> "_Key":
        known = {value: place for place, value in enumerate(column.values)}
        return cls(column, _ranks(column), known)

    @property
    def name(self) -> str:
        return self.column.name


def _pairs(context: ExaminationContext) -> Iterator[tuple[_Key, Column]]:
    """Each source key, row for row beside each column of the output."""
    if context.origin is None:
        return
    for name in keys(context):
        # Put into the output's order once a key, not once a pair.
        key = _Key.of(context.source[name].take(context.origin))
        for column in context.published.values():
            yield key, column


def _shown(column: Column) -> NDArray[np.intp]:
    return np.flatnonzero(~blank(column))


def _kinds(column: Column, rows: NDArray[np.intp]) -> int:
    """How many different values some rows have."""
    return int(np.count_nonzero(np.bincount(column.codes[rows], minlength=1)))


def _together(key: Column, column: Column, rows: NDArray[np.intp]) -> int:
    """How many different pairs of values some rows have: as many as of either column where they stand one to one."""
    parts = ((key.codes[rows], len(key.values)), (column.codes[rows], len(column.values)))
    return grouped(parts, len(rows))[1]


def _equal(key: _Key, column: Column, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The rows that show the key's own text."""
    same = np.fromiter((key.known.get(value, -1) for value in column.values), np.int64, len(column.values))
    equal = np.zeros(len(column), np.bool_)
    equal[rows] = same[column.codes[rows]] == key.column.codes[rows]
    return equal


def _monotone(key: _Key, column: Column, rows: NDArray[np.intp]) -> bool:
    """Whether the column never falls, or never rises, as the key rises."""
    order = np.argsort(key.ranks[rows], kind="stable")
    # Equal ranks are allowed: a column rounded from its key still gives the key's order away.
    steps = np.diff(_ranks(column)[rows][order])
    return bool((steps >= 0).all() or (steps <= 0).all())


def _finding(
    code: str, column: Column, rows: Rows, severity: Severity, words: Words, operation: Remedy
) -> Finding:
    return Finding(
        item=3,
        code=code,
        columns=(column.name,),
        rows=rows,
        severity=severity,
        words=words,
        operation=operation,
    )


def _operation(context: ExaminationContext, column: Column) -> Remedy:
    """The operation that answers a link: measurements are generalised, keys are replaced."""
    return (
        Remedy.GENERALISE
        if context.roles.get(column.name) in (Role.QUASI, Role.SENSITIVE)
        else Remedy.PSEUDONYM
    )


def _equal_finding(context: ExaminationContext, key: _Key, column: Column) -> Finding | None:
    rows = _shown(column)
    equal = _equal(key, column, rows)
    if _kinds(key.column, np.flatnonzero(equal)) <= _chance_hits(rows):
        return None
    return _finding(
        "equals_key",
        column,
        Rows.where(equal),
        Severity.HIGH if _declared(context, key.name) else Severity.MEDIUM,
        Words(
            ja=f"元データの項目「{key.name}」（行又は個人ごとに異なる）の値がそのまま残っている。",
            en=f"Values of the source's {key.name}, which tells rows or persons apart, remain as they were.",
        ),
        _operation(context, column),
    )


def _chance_hits(rows: NDArray[np.intp]) -> int:
    """So many keys may stay themselves by chance when numbers are dealt anew.

    A random permutation has one fixed point on average, and more than five once in 1,700 times (Montmort 1713).
    """
    return 5 if len(rows) >= ROWS_COMPARED_MIN else 0


def _monotone_finding(context: ExaminationContext, key: _Key, column: Column) -> Finding | None:
    rows = _shown(column)
    # With half as many values or fewer it is a generalisation of the key, which blurs it: the usual 年代 of a 年齢.
    if len(rows) < ROWS_COMPARED_MIN or 2 * _kinds(column, rows) <= _kinds(key.column, rows):
        return None
    # Equal texts are the other finding's: one link is not reported twice.
    if _equal(key, column, rows).any() or not _monotone(key, column, rows):
        return None
    return _finding(
        "monotone_of_key",
        column,
        Rows((), len(rows)),
        Severity.HIGH,
        Words(
            ja=f"元データの項目「{key.name}」と順序が一致する（規則性のある置換え）。",
            en=f"The attribute rises with the source's {key.name}: a replacement with a regularity.",
        ),
        Remedy.PSEUDONYM,
    )


def keys_not_shown(context: ExaminationContext, *, placed: bool) -> Outcome:
    """No output column equals, or rises or falls with, a key of the source."""
    findings = []
    compared = 0
    for key, column in _pairs(context):
        compared += 1
        for found in (_equal_finding(context, key, column), _monotone_finding(context, key, column)):
            if found is not None:
                findings.append(found)
    return outcome(
        item=3,
        method="key_functions",
        tested=Words(
            ja="出力項目が元データの連結符号と等しく、又は順序を保つ関数でないか",
            en="No output attribute equals or is a monotone function of a key of the source",
        ),
        figures=[("keys", len(keys(context))), ("pairs_compared", compared), ("links", len(findings))],
        findings=findings,
        open_question=not placed,
    )


def one_to_one(context: ExaminationContext, *, placed: bool) -> Outcome:
    """Whether an output column stands one to one for a declared key: then the table of the two is 加工方法等情報.

    A question, not a finding: a pseudonym by a keyed function must look exactly so. The reviewer has to ask where
    its key is (rule 62 item 3; safety measures for 加工方法等情報 under APPI article 121).
    """
    # Declared keys only: some column of a file stands one to one for another by nature (a code and its name).
    declared = {name for name in context.source if _declared(context, name)}
    in_step = []
    for key, column in _pairs(context):
        rows = _shown(column)
        kinds = _kinds(column, rows)
        alike = kinds > 1 and key.name in declared and kinds == _kinds(key.column, rows)
        if alike and kinds == _together(key.column, column, rows):
            in_step.append(column.name)
    return outcome(
        item=3,
        method="one_to_one",
        tested=Words(
            ja="元データの符号と一対一に対応する出力項目（仮ID）があるか。あれば鍵・対応表の扱いの確認が要る",
            en="Whether an output attribute stands one to one for a key: a pseudonym, whose secret is to be guarded",
        ),
        figures=[("attributes", len(set(in_step)))],
        open_question=bool(in_step) or (not placed and bool(declared)),
    )


def codes_dealt_anew(context: ExaminationContext, *, placed: bool) -> Outcome:
    """No output column has most of its values from a key; where rows were compared, it may, dealt anew.

    Numbers from 1 to n given out again at random share their texts with the old ones and link nothing; only a
    comparison row by row can tell the two apart.
    """
    drawn: set[str] = set()
    for name in keys(context):
        key = context.source[name]
        known = {key.values[place] for place in present(key)}
        drawn |= {column.name for column in context.published.values() if _draws_from(known, column)}
    return outcome(
        item=3,
        method="codes_dealt_anew",
        tested=Words(
            ja="出力項目の値の過半が元データの符号の値と重ならないか（行を照合できた場合は振り直しを認める）",
            en="No output attribute has most of its values in common with a key (unless dealt anew, row by row)",
        ),
        figures=[("attributes", len(context.published)), ("in_common", len(drawn))],
        open_question=bool(drawn) and not placed,
    )


def _draws_from(known: Set[str], column: Column) -> bool:
    places = present(column)
    common = sum(column.values[place] in known for place in places)
    return common >= COMMON_LEAST and 2 * common > len(places)


def no_running_numbers(context: ExaminationContext) -> Outcome:
    """No output column numbers the rows in their order with equal steps."""
    findings = [
        _finding(
            "running_number",
            column,
            Rows((), context.rows),
            Severity.LOW,
            Words(ja="行の順の連番である。", en="The attribute numbers the rows in their order."),
            Remedy.SHUFFLE,
        )
        for column in context.published.values()
        if _running(column)
    ]
    return outcome(
        item=3,
        method="running_numbers",
        tested=Words(ja="行の順の連番がないか", en="No attribute is a running number of the rows"),
        figures=[("columns", len(context.published)), ("running", len(findings))],
        findings=findings,
    )


def _running(column: Column) -> bool:
    parsed = numbers(column) if _unique(column) and len(column) >= ROWS_COMPARED_MIN else None
    if parsed is None:
        return False
    # Equal steps, not steps of 1: numbers in tens give the order away as well.
    steps = np.diff(parsed[column.codes])
    return bool((steps == steps[0]).all())


def correlation(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """Spearman's rank correlation of two rankings, ties at their mean rank; 0 where one is constant."""
    first, second = _mean_ranks(left), _mean_ranks(right)
    deviations = float(first.std() * second.std())
    if deviations == 0:
        return 0.0
    return float(((first - first.mean()) * (second - second.mean())).mean() / deviations)


def _mean_ranks(values: NDArray[np.int64]) -> NDArray[np.float64]:
    # Ties at their mean rank: otherwise a column of two values would correlate with whatever breaks its ties.
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def _same_order(context: ExaminationContext) -> float:
    """The share of rows of the output whose unchanged columns read as the source's row in the same place."""
    assert context.origin is not None
    agree = np.ones(context.rows, np.bool_)
    informative = 0
    for column in context.kept():
        source = context.source[column.name].take(context.origin) if column.name in context.source else None
        if source is None:
            continue
        rows = _shown(column)
        known = {source.values[place] for place in present(source)}
        # Only columns that were not changed can show whether rows stand where they stood.
        if len(rows) and {column.values[place] for place in present(column)} <= known:
            equal = _equal(_Key.of(source), column, rows) | blank(column)
            agree &= equal
            # A column of one value agrees in any order.
            informative += _kinds(column, rows) > 1
    return float(agree.mean()) if informative else 0.0


def _order_correlations(context: ExaminationContext) -> Iterator[float]:
    assert context.origin is not None
    place = np.arange(context.rows)
    yield correlation(place, context.origin.astype(np.int64))
    for name in keys(context):
        yield correlation(place, _ranks(context.source[name])[context.origin])


def rows_placed(context: ExaminationContext) -> bool:
    """Whether it is known, or evident from the columns that were not changed, which source row each row is."""
    return context.origin_given or (context.origin is not None and _same_order(context) >= NEARLY_ALL)


def rows_shuffled(context: ExaminationContext, *, placed: bool) -> Outcome:
    """The order of the output says nothing about the order of the source or of a key.

    By Spearman's rank correlation, above the threshold and above chance (4 / √(n - 1)); an output whose rows
    cannot be placed is not in the order of the source.
    """
    figures = [("rows", context.rows)]
    # Rows that cannot be placed are no finding here: `keys_not_shown` leaves that question open.
    kept_order = False
    if placed and context.rows >= ROWS_COMPARED_MIN:
        strongest = max(abs(value) for value in _order_correlations(context))
        # 1 / √(n - 1) is the standard deviation of the coefficient under chance (Kendall 1948): four of them.
        bound = max(context.thresholds.order_correlation_micro / 1e6, 4 / float(np.sqrt(context.rows - 1)))
        figures.append(("strongest_correlation_micro", round(strongest * 1_000_000)))
        kept_order = strongest > bound
    finding = Finding(
        item=3,
        code="order_kept",
        columns=(),
        rows=Rows((), context.rows),
        severity=Severity.LOW,
        words=Words(
            ja="行の順序が元データ又はその符号の順序を示している。",
            en="The order of the rows follows the source or one of its keys.",
        ),
        operation=Remedy.SHUFFLE,
    )
    return outcome(
        item=3,
        method="row_order",
        tested=Words(
            ja="出力の行の順序が元データの順序・符号と無関係か",
            en="The order of the rows tells nothing of the source's order or keys",
        ),
        figures=figures,
        findings=[finding] if kept_order else [],
    )
