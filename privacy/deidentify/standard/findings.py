"""The results of an examination: checks, findings and questions, in counts and row numbers, never in values."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from privacy.words import Words

ROWS_NAMED_MAX = 20
ITEMS = (1, 2, 3, 4, 5)
"""The items of rule 62, in its order."""


class CheckResult(StrEnum):
    """How a check ended."""

    PASSED = "passed"
    FINDING = "finding"
    QUESTION = "question"
    """The figures do not decide it: the reviewer must."""


class Severity(StrEnum):
    """How much a finding weighs; a policy of this program, not of the law."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Remedy(StrEnum):
    """The operation that would answer a finding, by its name in a plan; in words of the PPC's list where it has one."""

    REMOVE = "remove"
    """項目削除"""
    REMOVE_RECORDS = "remove_records"
    """レコード削除"""
    SUPPRESS_CELLS = "suppress_cells"
    """セル削除"""
    SUPPRESS_RARE = "suppress_rare"
    """Values of few persons become one (セル削除)."""
    PSEUDONYM = "pseudonym"
    """仮IDへの置換え, by a keyed function whose key is destroyed or kept apart."""
    SHUFFLE = "shuffle"
    """レコードの並べ替え"""
    GENERALISE = "generalise"
    """一般化"""
    TOP_CODE = "top_code"
    """トップコーディング"""
    BOTTOM_CODE = "bottom_code"
    """ボトムコーディング"""
    NOISE = "noise"
    """ノイズ（誤差）付加"""
    REVIEW = "review"
    """A person must decide."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The numbers, from 1, of the first rows of the output that a finding is about, and how many there are."""

    first: tuple[int, ...] = ()
    total: int = 0

    @classmethod
    def where(cls, mask: NDArray[np.bool_]) -> "Rows":
        """The rows where a mask over the output holds."""
        found = np.flatnonzero(mask)
        # A reviewer counts rows from 1, as spreadsheets do.
        return cls(tuple(int(row) + 1 for row in found[:ROWS_NAMED_MAX]), len(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that the processing standard asks to change: where, how grave, and what would answer it.

    `columns` are names; `rows` are numbers of output rows, from 1.
    """

    item: int
    code: str
    columns: tuple[str, ...]
    rows: Rows
    severity: Severity
    words: Words
    operation: Remedy


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One check: its method, what it tested, how it ended and whole-number figures (shares in millionths)."""

    item: int
    method: str
    tested: Words
    result: CheckResult
    figures: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What no program can judge, put to the reviewer."""

    item: int
    key: str
    words: Words


@dataclass(frozen=True, slots=True)
class Outcome:
    """A check with the findings that it rests on."""

    check: Check
    findings: tuple[Finding, ...] = ()


def outcome(
    *,
    item: int,
    method: str,
    tested: Words,
    figures: Iterable[tuple[str, int]] = (),
    findings: Iterable[Finding] = (),
    open_question: bool = False,
) -> Outcome:
    """A check that found something if it has findings, asks if it is open, and passed otherwise."""
    found = tuple(findings)
    # A finding outweighs an open question: what was found has to be answered whatever the reviewer decides.
    result = CheckResult.FINDING if found else CheckResult.QUESTION if open_question else CheckResult.PASSED
    # NumPy's integers are no JSON and have no stable form to sign.
    whole = tuple((name, int(figure)) for name, figure in figures)
    return Outcome(Check(item=item, method=method, tested=tested, result=result, figures=whole), found)


def millionths(part: int, whole: int) -> int:
    """part / whole in millionths, rounded up so that a rare case is never shown as none."""
    # Minus twice turns floor division into rounding up, in whole numbers.
    return -(-part * 1_000_000 // whole) if whole else 0


@dataclass(frozen=True, slots=True)
class Examination:
    """All that was checked, found and asked about one output."""

    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    questions: tuple[Question, ...]

    def item(self, item: int) -> "Examination":
        """The part about one item of the standard."""
        return Examination(
            tuple(check for check in self.checks if check.item == item),
            tuple(finding for finding in self.findings if finding.item == item),
            tuple(question for question in self.questions if question.item == item),
        )

    def passed(self, item: int) -> bool:
        """Whether every check of an item passed; its questions to the reviewer stay open all the same."""
        return all(check.result is CheckResult.PASSED for check in self.item(item).checks)

    @property
    def words(self) -> Words:
        """How many checks passed: the strongest sentence that this program has.

        Whether a record set meets the standard is for the administrative body to judge (APPI article 116(1)).
        """
        # Counts and no verdict: "all passed" would be read as "anonymous".
        total = len(self.checks)
        passed = sum(check.result is CheckResult.PASSED for check in self.checks)
        left = len(self.questions)
        return Words(
            ja=f"検査 {total} 件のうち {passed} 件に合格。審査者が判断する事項が {left} 件ある。",
            en=f"{passed} of {total} checks passed; {left} questions are left to the reviewer.",
        )
