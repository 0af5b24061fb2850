"""Item 3: nothing in the output ties it back to the source: no key, no function of a key, no order of the rows."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import grouped
from privacy.deidentify.standard.said import (
    Finding,
    Operation,
    Outcome,
    Rows,
    Severity,
    Words,
    outcome,
)
from privacy.deidentify.standard.setting import Setting, blank, numbers, present, rows_holding
from privacy.deidentify.table import Column, Role

KEY_ROLES = (Role.LINKAGE, Role.IDENTIFIER, Role.CODE)
ROWS_COMPARED_MIN = 20
"""Fewer rows say nothing about their order: three rows are in order once in six times by chance."""
NEARLY_ALL = 0.99


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


def _pairs(setting: Setting) -> Iterator[tuple[Column, Column]]:
    """Each source key, row for row beside each column of the output."""
    if setting.origin is None:
        return
    for name in keys(setting):
        key = setting.source[name].take(setting.origin)
        for column in setting.published.values():
            yield key, column


def _shown(column: Column) -> NDArray[np.intp]:
    return np.flatnonzero(~blank(column))


def _kinds(column: Column, rows: NDArray[np.intp]) -> int:
    return len(np.unique(column.codes[rows]))


def _together(key: Column, column: Column, rows: NDArray[np.intp]) -> int:
    parts = ((key.codes[rows], len(key.values)), (column.codes[rows], len(column.values)))
    return grouped(parts, len(rows))[1]


def _equal(key: Column, column: Column, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
    """The rows that show the key's own text."""
    known = {value: place for place, value in enumerate(key.values)}
    same = np.fromiter((known.get(value, -1) for value in column.values), np.int64, len(column.values))
    equal = np.zeros(len(column), np.bool_)
    equal[rows] = same[column.codes[rows]] == key.codes[rows]
    return equal


def _monotone(key: Column, column: Column, rows: NDArray[np.intp]) -> bool:
    """Whether the column never falls, or never rises, as the key rises."""
    order = np.argsort(_ranks(key)[rows], kind="stable")
    steps = np.diff(_ranks(column)[rows][order])
    return bool((steps >= 0).all() or (steps <= 0).all())


def _finding(
    code: str, column: Column, rows: Rows, severity: Severity, words: Words, operation: Operation
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


def _operation(setting: Setting, column: Column) -> Operation:
    """What a link is answered by: measurements are blurred, keys are replaced."""
    return (
        Operation.GENERALISE
        if setting.roles.get(column.name) in (Role.QUASI, Role.SENSITIVE)
        else Operation.PSEUDONYM
    )


def _equal_finding(setting: Setting, key: Column, column: Column) -> Finding | None:
    rows = _shown(column)
    equal = _equal(key, column, rows)
    if _kinds(key, np.flatnonzero(equal)) <= _chance_hits(rows):
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


def _monotone_finding(setting: Setting, key: Column, column: Column) -> Finding | None:
    rows = _shown(column)
    if len(rows) < ROWS_COMPARED_MIN or 2 * _kinds(column, rows) <= _kinds(key, rows):
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
        Operation.PSEUDONYM,
    )


def keys_not_shown(setting: Setting) -> Outcome:
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
        open_question=setting.origin is None,
    )


def one_to_one(setting: Setting) -> Outcome:
    """Whether an output column stands one to one for a declared key: then the table of the two is 加工方法等情報.

    A question, not a finding: a pseudonym by a keyed function must look exactly so.
    """
    declared = {name for name in setting.source if _declared(setting, name)}
    standing = []
    for key, column in _pairs(setting):
        rows = _shown(column)
        kinds = _kinds(column, rows)
        if key.name in declared and kinds > 1 and _kinds(key, rows) == kinds == _together(key, column, rows):
            standing.append(column.name)
    return outcome(
        item=3,
        method="one_to_one",
        tested=Words(
            ja="元データの符号と一対一に対応する出力項目（仮ID）があるか。あれば鍵・対応表の扱いの確認が要る",
            en="Whether an output attribute stands one to one for a key: a pseudonym, whose secret is to be guarded",
        ),
        figures=[("attributes", len(set(standing)))],
        open_question=bool(standing) or (setting.origin is None and bool(declared)),
    )


def codes_dealt_anew(setting: Setting) -> Outcome:
    """Linkage codes that stay in the output share no value with the source where rows can't be compared."""
    left = [column for column in setting.kept(Role.LINKAGE) if column.name in setting.source]
    overlapping = [column.name for column in left if _overlap(setting, column).any()]
    return outcome(
        item=3,
        method="codes_dealt_anew",
        tested=Words(
            ja="残した連結符号の値が元データの値と重ならないか",
            en="Linkage codes left in the output share no value with the source's",
        ),
        figures=[("attributes", len(left)), ("overlapping", len(overlapping))],
        open_question=bool(overlapping),
    )


def _overlap(setting: Setting, column: Column) -> NDArray[np.bool_]:
    source = setting.source[column.name]
    known = {source.values[place] for place in present(source)}
    same = [place for place in present(column) if column.values[place] in known]
    return rows_holding(column, np.array(same, dtype=np.intp))


def no_running_numbers(setting: Setting) -> Outcome:
    """No output column numbers the rows in their order with equal steps."""
    findings = [
        _finding(
            "running_number",
            column,
            Rows((), setting.rows),
            Severity.LOW,
            Words(ja="行の順の連番である。", en="The attribute numbers the rows in their order."),
            Operation.SHUFFLE,
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
            equal = _equal(source, column, rows) | blank(column)
            agree &= equal
            told += _kinds(column, rows) > 1
    return float(agree.mean()) if told else 0.0


def _order_correlations(setting: Setting) -> Iterator[float]:
    assert setting.origin is not None
    place = np.arange(setting.rows)
    yield correlation(place, setting.origin.astype(np.int64))
    for name in keys(setting):
        yield correlation(place, _ranks(setting.source[name])[setting.origin])


def rows_shuffled(setting: Setting, *, told: bool) -> Outcome:
    """The order of the output says nothing about the order of the source or of a key.

    With the true origin of the rows (`told`) by rank correlation beyond chance (4 / √(n - 1) too); without it the
    source's order is presumed where the columns that were not changed agree row by row.
    """
    figures = [("rows", setting.rows)]
    kept_order = False
    if setting.origin is not None and setting.rows >= ROWS_COMPARED_MIN:
        presumed = told or _same_order(setting) >= NEARLY_ALL
        strongest = max(abs(value) for value in _order_correlations(setting)) if presumed else 0.0
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
        operation=Operation.SHUFFLE,
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
