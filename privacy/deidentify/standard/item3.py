"""Item 3: nothing in the output ties it back to the source: no key, no function of a key, no order of the rows."""

from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import grouped
from privacy.deidentify.standard.context import Setting, blank, numbers, present
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
COMMON_LEAST = 10
"""Fewer values in common with a key say nothing: small numbers are in many columns."""


def keys(setting: Setting) -> list[str]:
    """The source's columns that name a person or a row: by role, as unit, or because no value repeats."""
    return [name for name, column in setting.source.items() if _declared(setting, name) or _unique(column)]


def _declared(setting: Setting, name: str) -> bool:
    return setting.roles.get(name) in KEY_ROLES or name == setting.unit


def _unique(column: Column) -> bool:
    return len(column) > 1 and int(column.counts().max(initial=0)) == 1


def _ranks(column: Column) -> NDArray[np.int64]:
    """Each row's value by its place in the order of numbers, or of texts where they are not all numbers."""
    parsed = numbers(column)
    order = np.argsort(np.array(column.values) if parsed is None else parsed, kind="stable")
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


def _pairs(setting: Setting) -> Iterator[tuple[_Key, Column]]:
    """Each source key, row for row beside each column of the output."""
    if setting.origin is None:
        return
    for name in keys(setting):
        key = _Key.of(setting.source[name].take(setting.origin))
        for column in setting.published.values():
            yield key, column


def _shown(column: Column) -> NDArray[np.intp]:
    return np.flatnonzero(~blank(column))


def _kinds(column: Column, rows: NDArray[np.intp]) -> int:
    return int(np.count_nonzero(np.bincount(column.codes[rows], minlength=1)))


def _together(key: Column, column: Column, rows: NDArray[np.intp]) -> int:
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


def _operation(setting: Setting, column: Column) -> Remedy:
    """What a link is answered by: measurements are blurred, keys are replaced."""
    return (
        Remedy.GENERALISE
        if setting.roles.get(column.name) in (Role.QUASI, Role.SENSITIVE)
        else Remedy.PSEUDONYM
    )


def _equal_finding(setting: Setting, key: _Key, column: Column) -> Finding | None:
    rows = _shown(column)
    equal = _equal(key, column, rows)
    if _kinds(key.column, np.flatnonzero(equal)) <= _chance_hits(rows):
        return None
    return _finding(
        "equals_key",
        column,
        Rows.where(equal),
        Severity.HIGH if _declared(setting, key.name) else Severity.MEDIUM,
        Words(
            ja=f"元データの項目「{key.name}」（行又は個人ごとに異なる）の値がそのまま残っている。",
            en=f"Values of the source's {key.name}, which tells rows or persons apart, remain as they were.",
        ),
        _operation(setting, column),
    )


def _chance_hits(rows: NDArray[np.intp]) -> int:
    """So many keys may stay themselves by chance when numbers are dealt anew.

    A random permutation has one fixed point on average, and more than five once in 1,700 times (Montmort 1713).
    """
    return 5 if len(rows) >= ROWS_COMPARED_MIN else 0


def _monotone_finding(setting: Setting, key: _Key, column: Column) -> Finding | None:
    rows = _shown(column)
    if len(rows) < ROWS_COMPARED_MIN or 2 * _kinds(column, rows) <= _kinds(key.column, rows):
        return None
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


def keys_not_shown(setting: Setting, *, placed: bool) -> Outcome:
    """No output column equals, or rises or falls with, a key of the source."""
    findings = []
    compared = 0
    for key, column in _pairs(setting):
        compared += 1
        for found in (_equal_finding(setting, key, column), _monotone_finding(setting, key, column)):
            if found is not None:
                findings.append(found)
    return outcome(
        item=3,
        method="key_functions",
        tested=Words(
            ja="出力項目が元データの連結符号と等しく、又は順序を保つ関数でないか",
            en="No output attribute equals or is a monotone function of a key of the source",
        ),
        figures=[("keys", len(keys(setting))), ("pairs_compared", compared), ("links", len(findings))],
        findings=findings,
        open_question=not placed,
    )


def one_to_one(setting: Setting, *, placed: bool) -> Outcome:
    """Whether an output column stands one to one for a declared key: then the table of the two is 加工方法等情報.

    A question, not a finding: a pseudonym by a keyed function must look exactly so.
    """
    declared = {name for name in setting.source if _declared(setting, name)}
    standing = []
    for key, column in _pairs(setting):
        rows = _shown(column)
        kinds = _kinds(column, rows)
        alike = kinds > 1 and key.name in declared and kinds == _kinds(key.column, rows)
        if alike and kinds == _together(key.column, column, rows):
            standing.append(column.name)
    return outcome(
        item=3,
        method="one_to_one",
        tested=Words(
            ja="元データの符号と一対一に対応する出力項目（仮ID）があるか。あれば鍵・対応表の扱いの確認が要る",
            en="Whether an output attribute stands one to one for a key: a pseudonym, whose secret is to be guarded",
        ),
        figures=[("attributes", len(set(standing)))],
        open_question=bool(standing) or (not placed and bool(declared)),
    )


def codes_dealt_anew(setting: Setting, *, placed: bool) -> Outcome:
    """No output column draws most of its values from a key; where rows were compared, they may, dealt anew."""
    drawn: set[str] = set()
    for name in keys(setting):
        key = setting.source[name]
        known = {key.values[place] for place in present(key)}
        drawn |= {column.name for column in setting.published.values() if _draws_from(known, column)}
    return outcome(
        item=3,
        method="codes_dealt_anew",
        tested=Words(
            ja="出力項目の値の過半が元データの符号の値と重ならないか（行を照合できた場合は振り直しを認める）",
            en="No output attribute has most of its values in common with a key (unless dealt anew, row by row)",
        ),
        figures=[("attributes", len(setting.published)), ("in_common", len(drawn))],
        open_question=bool(drawn) and not placed,
    )


def _draws_from(known: Set[str], column: Column) -> bool:
    places = present(column)
    common = sum(column.values[place] in known for place in places)
    return common >= COMMON_LEAST and 2 * common > len(places)


def no_running_numbers(setting: Setting) -> Outcome:
    """No output column numbers the rows in their order with equal steps."""
    findings = [
        _finding(
            "running_number",
            column,
            Rows((), setting.rows),
            Severity.LOW,
            Words(ja="行の順の連番である。", en="The attribute numbers the rows in their order."),
            Remedy.SHUFFLE,
        )
        for column in setting.published.values()
        if _running(column)
    ]
    return outcome(
        item=3,
        method="running_numbers",
        tested=Words(ja="行の順の連番がないか", en="No attribute is a running number of the rows"),
        figures=[("columns", len(setting.published)), ("running", len(findings))],
        findings=findings,
    )


def _running(column: Column) -> bool:
    parsed = numbers(column) if _unique(column) and len(column) >= ROWS_COMPARED_MIN else None
    if parsed is None:
        return False
    steps = np.diff(parsed[column.codes])
    return bool((steps == steps[0]).all())


def correlation(left: NDArray[np.int64], right: NDArray[np.int64]) -> float:
    """Spearman's rank correlation of two rankings, ties at their mean rank; 0 where one is constant."""
    first, second = _mean_ranks(left), _mean_ranks(right)
    spread = float(first.std() * second.std())
    if spread == 0:
        return 0.0
    return float(((first - first.mean()) * (second - second.mean())).mean() / spread)


def _mean_ranks(values: NDArray[np.int64]) -> NDArray[np.float64]:
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    return (ends - (counts - 1) / 2)[inverse]


def _same_order(setting: Setting) -> float:
    """The share of rows of the output whose unchanged columns read as the source's row in the same place."""
    assert setting.origin is not None
    agree = np.ones(setting.rows, np.bool_)
    told = 0
    for column in setting.kept():
        source = setting.source[column.name].take(setting.origin) if column.name in setting.source else None
        if source is None:
            continue
        rows = _shown(column)
        known = {source.values[place] for place in present(source)}
        if len(rows) and {column.values[place] for place in present(column)} <= known:
            equal = _equal(_Key.of(source), column, rows) | blank(column)
            agree &= equal
            told += _kinds(column, rows) > 1
    return float(agree.mean()) if told else 0.0


def _order_correlations(setting: Setting) -> Iterator[float]:
    assert setting.origin is not None
    place = np.arange(setting.rows)
    yield correlation(place, setting.origin.astype(np.int64))
    for name in keys(setting):
        yield correlation(place, _ranks(setting.source[name])[setting.origin])


def rows_placed(setting: Setting) -> bool:
    """Whether it is known, or plain from the columns that were not changed, which source row each row is."""
    return setting.told or (setting.origin is not None and _same_order(setting) >= NEARLY_ALL)


def rows_shuffled(setting: Setting, *, placed: bool) -> Outcome:
    """The order of the output says nothing about the order of the source or of a key.

    By Spearman's rank correlation, above the threshold and above chance (4 / √(n - 1)); an output whose rows
    cannot be placed is not in the order of the source.
    """
    figures = [("rows", setting.rows)]
    kept_order = False
    if placed and setting.rows >= ROWS_COMPARED_MIN:
        strongest = max(abs(value) for value in _order_correlations(setting))
        bound = max(setting.thresholds.order_correlation_micro / 1e6, 4 / float(np.sqrt(setting.rows - 1)))
        figures.append(("strongest_correlation_micro", round(strongest * 1_000_000)))
        kept_order = strongest > bound
    finding = Finding(
        item=3,
        code="order_kept",
        columns=(),
        rows=Rows((), setting.rows),
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
