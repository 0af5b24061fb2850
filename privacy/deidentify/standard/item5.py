"""Item 5: differences from the other records and the nature of the file: classes, histories, joins, homogeneity.

Rule 62 item 5 of the PPC asks for other suitable measures in view of the file's nature. k-anonymity is Sweeney's
(2002), homogeneity the attack that l-diversity answers (Machanavajjhala et al. 2007).
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import classes, distribution, grouped, weights
from privacy.deidentify.standard.context import ExaminationContext, blank, present, repeats, rows_holding
from privacy.deidentify.standard.findings import (
    Finding,
    Outcome,
    Remedy,
    Rows,
    Severity,
    millionths,
    outcome,
)
from privacy.deidentify.table import Column, Role, Table
from privacy.words import Words


def _finding(
    code: str,
    columns: Sequence[str],
    rows: NDArray[np.bool_],
    severity: Severity,
    words: Words,
    do: Remedy,
) -> Finding:
    return Finding(
        item=5,
        code=code,
        columns=tuple(columns),
        rows=Rows.where(rows),
        severity=severity,
        words=words,
        operation=do,
    )


def _names(columns: Sequence[Column]) -> list[str]:
    return [column.name for column in columns]


def _filled(context: ExaminationContext, columns: Sequence[Column]) -> NDArray[np.bool_]:
    """The rows with a value in at least one of the columns: a record suppressed whole is in no class."""
    if not columns:
        return np.ones(context.rows, np.bool_)
    filled: NDArray[np.bool_] = np.logical_or.reduce([~blank(column) for column in columns])
    return filled


def small_classes(context: ExaminationContext) -> Outcome:
    """Every class of equal quasi-identifiers holds at least k persons, `*` being a value like any other."""
    quasi = context.kept(Role.QUASI)
    rows = _filled(context, quasi)
    # Nothing to look at is not passed: without quasi-identifiers the reviewer must say whether there are none.
    if not quasi or not rows.any():
        return outcome(
            item=5,
            method="class_sizes",
            tested=_CLASS_SIZES,
            figures=[("quasi_identifiers", len(quasi)), ("rows", 0)],
            open_question=True,
        )
    found = classes(context.published, _names(quasi), rows=rows)
    sizes = weights(found, context.persons)
    # Persons, not rows: a class of five rows of one person hides nobody.
    small = np.zeros(context.rows, np.bool_)
    small[rows] = (sizes < context.thresholds.k)[found.of[rows]]
    findings = []
    if small.any():
        findings.append(
            _finding(
                "small_class",
                _names(quasi),
                small,
                Severity.HIGH,
                Words(
                    ja=f"準識別子が等しい者が {context.thresholds.k} 人に満たない記録がある。",
                    en=f"Records share their quasi-identifiers with fewer than {context.thresholds.k} persons.",
                ),
                Remedy.GENERALISE,
            )
        )
    return outcome(
        item=5,
        method="class_sizes",
        tested=_CLASS_SIZES,
        figures=[
            ("quasi_identifiers", len(quasi)),
            ("classes", len(found)),
            ("smallest_class", int(sizes.min())),
            ("k", context.thresholds.k),
            ("records_below_k", int(small.sum())),
        ],
        findings=findings,
    )


_CLASS_SIZES = Words(
    ja="準識別子が等しい者の数の最小値", en="The least number of persons with equal quasi-identifiers"
)


def unique_records(context: ExaminationContext) -> Outcome:
    """How many records differ from every other on all published attributes: a question, as most files have some."""
    # All columns, sensitive ones too: somebody may know a diagnosis and nothing else.
    columns = list(context.published.values())
    alone = _filled(context, columns) & (repeats(columns) == 1)
    unique = int(alone.sum())
    return outcome(
        item=5,
        method="unique_records",
        tested=Words(
            ja="全公開項目でみて他と異なる記録の割合",
            en="The share of records that differ from all others on all published attributes",
        ),
        figures=[("unique_records", unique), ("unique_records_micro", millionths(unique, context.rows))],
        open_question=unique > 0,
    )


def long_histories(context: ExaminationContext) -> Outcome:
    """No person has far more rows than the others: `history_ratio` times the 99.9th percentile of rows a person."""
    tested = Words(
        ja="他の者より著しく記録の多い者（長い履歴）がいないか",
        en="No person has far more rows than the others (a long history)",
    )
    if context.persons is None:
        return outcome(item=5, method="long_histories", tested=tested, open_question=context.unit is not None)
    per_person = np.bincount(context.persons)
    # Persons of the source without a row in the output are no persons of the file.
    counts = np.sort(per_person[per_person > 0])
    # The nearest-rank percentile in whole numbers: ⌈0.999 n⌉ without a float that could fall beside it.
    usual = int(counts[max(0, -(-999 * len(counts) // 1000) - 1)])
    # Below 1,000 persons the percentile is the largest itself, which could never stand out from itself.
    usual = int(counts[-2]) if usual == counts[-1] and len(counts) > 1 else usual
    rows = (per_person > context.thresholds.history_ratio * usual)[context.persons]
    persons = int((per_person > context.thresholds.history_ratio * usual).sum())
    findings = []
    if persons:
        findings.append(
            _finding(
                "long_history",
                [context.unit] if context.unit else [],
                rows,
                Severity.MEDIUM,
                Words(
                    ja="他の者より著しく記録の多い者がいる。",
                    en="Persons have far more rows than the others.",
                ),
                Remedy.REMOVE_RECORDS,
            )
        )
    return outcome(
        item=5,
        method="long_histories",
        tested=tested,
        figures=[("persons", len(counts)), ("most_rows_usual", usual), ("persons_far_above", persons)],
        findings=findings,
    )


def _partners(published: Table, reference: Table, names: Sequence[str]) -> NDArray[np.int64]:
    """For each row of the output, how many rows of the reference read the same in the named columns."""
    parts = []
    for name in names:
        # The two tables code the same texts by different numbers: the reference's go into the output's numbering.
        known = {value: place for place, value in enumerate(published[name].values)}
        places = [known.setdefault(value, len(known)) for value in reference[name].values]
        theirs = np.array(places, np.int32)[reference[name].codes]
        parts.append((np.concatenate([published[name].codes, theirs]), max(1, len(known))))
    ranks, count = grouped(parts, published.rows + reference.rows)
    times: NDArray[np.int64] = np.bincount(ranks[published.rows :], minlength=count).astype(np.int64)
    return times[ranks[: published.rows]]


def linked(context: ExaminationContext) -> Outcome:
    """An exact join with the reference on all columns of the same name, run for real.

    A record with one partner is identified if the reference names persons. None, or several, is no proof of safety:
    the reference is one of many that others may hold.
    """
    tested = Words(
        ja="参照名簿と共通項目で突合し、ちょうど 1 件に一致する記録の数",
        en="Records with exactly one partner in the reference, joined on the common attributes",
    )
    reference = context.reference
    names = [name for name in context.published if reference is not None and name in reference]
    if reference is None or not names or not reference.rows:
        return outcome(
            item=5,
            method="reference_join",
            tested=tested,
            figures=[("common_columns", 0)],
            open_question=True,
        )
    # A record blank in all common columns matches blanks of the reference, which identifies nobody.
    filled = _filled(context, [context.published[name] for name in names])
    partners = np.where(filled, _partners(context.published, reference, names), 0)
    one = partners == 1
    findings = []
    if int(one.sum()) > context.thresholds.linked_records:
        findings.append(
            _finding(
                "linked_to_reference",
                names,
                one,
                Severity.HIGH,
                Words(
                    ja="参照名簿のちょうど 1 件と一致する記録がある。",
                    en="Records match exactly one record of the reference.",
                ),
                Remedy.GENERALISE,
            )
        )
    return outcome(
        item=5,
        method="reference_join",
        tested=tested,
        figures=[
            ("common_columns", len(names)),
            ("reference_rows", reference.rows),
            ("records_with_one_partner", int(one.sum())),
            ("records_with_one_partner_micro", millionths(int(one.sum()), context.rows)),
            ("records_without_partner", int((partners == 0).sum())),
        ],
        findings=findings,
    )


def _homogeneous(context: ExaminationContext, quasi: Sequence[Column], column: Column) -> NDArray[np.bool_]:
    """The rows of classes in which all have one value of a column, and not all of the file do."""
    rows = _filled(context, quasi) & ~blank(column)
    same = np.zeros(context.rows, np.bool_)
    # A value that the whole file shares is known from the file's title; no class gives it away.
    if not rows.any() or np.count_nonzero(np.bincount(column.codes[rows])) == 1:
        return same
    found = classes(context.published, _names(quasi), rows=rows)
    kinds = np.bincount(distribution(found, column).class_of, minlength=len(found))
    same[rows] = (kinds == 1)[found.of[rows]]
    return same


def homogeneity(context: ExaminationContext) -> Outcome:
    """No class of equal quasi-identifiers agrees on a sensitive value: to find the class would be to learn it."""
    quasi = context.kept(Role.QUASI)
    sensitive = context.kept(Role.SENSITIVE)
    same = {column.name: _homogeneous(context, quasi, column) for column in sensitive} if quasi else {}
    return outcome(
        item=5,
        method="homogeneity",
        tested=Words(
            ja="準識別子が等しい者の要配慮・機微な値が一つに揃っていないか",
            en="No class of equal quasi-identifiers agrees on one sensitive value",
        ),
        figures=[
            ("sensitive_columns", len(sensitive)),
            ("records", sum(int(rows.sum()) for rows in same.values())),
        ],
        findings=[
            _finding(
                "homogeneous_class",
                [name],
                rows,
                Severity.MEDIUM,
                Words(
                    ja="準識別子が等しい者の値がすべて同じである。",
                    en="All persons of a class hold the same sensitive value.",
                ),
                Remedy.GENERALISE,
            )
            for name, rows in same.items()
            if rows.any()
        ],
    )


def missing_patterns(context: ExaminationContext) -> Outcome:
    """No few records stand out by which of their cells are empty."""
    columns = [column for column in context.published.values() if blank(column).any()]
    parts = ((blank(column).astype(np.int32), 2) for column in columns)
    ranks, count = grouped(parts, context.rows)
    times = np.bincount(ranks, minlength=count)[ranks]
    # A single pattern for all rows is no difference, however short the file is.
    rare = (times < context.thresholds.persons_min) & (times < context.rows)
    findings = []
    if rare.any():
        findings.append(
            _finding(
                "rare_missing_pattern",
                _names(columns),
                rare,
                Severity.LOW,
                Words(
                    ja="空欄の組合せが珍しい記録がある。",
                    en="Records have a rare combination of empty cells.",
                ),
                Remedy.REMOVE_RECORDS,
            )
        )
    return outcome(
        item=5,
        method="missing_patterns",
        tested=Words(
            ja="空欄の組合せで目立つ記録がないか", en="No records stand out by which cells are empty"
        ),
        figures=[("columns_with_blanks", len(columns)), ("patterns", count), ("records", int(rare.sum()))],
        findings=findings,
    )


def labels_known(context: ExaminationContext) -> Outcome:
    """Every value of a quasi-identifier with a hierarchy is a label of it, so none slipped past generalisation."""
    strangers = {}
    looked = [column for column in context.kept(Role.QUASI) if column.name in context.hierarchies]
    for column in looked:
        labels = {label for level in context.hierarchies[column.name].labels for label in level}
        places = [place for place in present(column) if column.values[place] not in labels]
        if places:
            strangers[column.name] = rows_holding(column, np.array(places, np.intp))
    return outcome(
        item=5,
        method="labels",
        tested=Words(
            ja="一般化した項目の値がすべて一般化階層の値か",
            en="Every generalised value is a label of its hierarchy",
        ),
        figures=[("columns", len(looked)), ("columns_with_strangers", len(strangers))],
        findings=[
            _finding(
                "not_a_label",
                [name],
                rows,
                Severity.MEDIUM,
                Words(
                    ja="一般化階層にない値がある。",
                    en="Values are not labels of the generalisation hierarchy.",
                ),
                Remedy.REVIEW,
            )
            for name, rows in strangers.items()
        ],
    )
