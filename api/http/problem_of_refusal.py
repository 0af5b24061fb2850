"""Which problem of the closed list answers which refusal: one table by domain code, for every view.

A code that is missing here is answered as a fault. Where only the view knows the place in the request, it raises
a RequestRefused itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from privacy.query import Problem


class Verbatim(str):
    """Text that a message repeats without quotation marks."""


def _nowhere(refusal: Any) -> Sequence[Problem]:
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProblemOf:
    """A problem code; `given` and `expected` of its detail as templates over the refusal's fields; its places.

    The detail is the refusal's own sentence instead where `own_words` says so.
    """

    problem: str
    own_words: bool = False
    given: str = ""
    expected: str = ""
    places: Callable[[Any], Sequence[Problem]] = _nowhere


def _own(refusal: Any) -> Sequence[Problem]:
    found: Sequence[Problem] = refusal.problems
    return found


def _reachable(refusal: Any) -> Sequence[Problem]:
    within = Verbatim(refusal.within_shown)
    return [
        Problem(pointer=refusal.pointer, reason="reachable", given=within, expected=refusal.reachable_shown)
    ]


def _in_json(refusal: Any) -> Sequence[Problem]:
    # Already quoted where it is the caller's text (wire.quoted), and a number or a place elsewhere.
    given = Verbatim("" if refusal.given is None else refusal.given)
    return [Problem(pointer=refusal.pointer, reason=refusal.reason, given=given, expected=refusal.expected)]


def _holder(refusal: Any) -> Sequence[Problem]:
    # The members of a grant are called like the kinds of account: /user, /organisation.
    return [Problem(pointer=f"/{refusal.kind}", reason="unknown_holder", given=refusal.holder)]


def _without_limit(refusal: Any) -> Sequence[Problem]:
    return [Problem(pointer=_pointer(refusal.kind), reason="not_limited", given=refusal.account)]


def _decision(refusal: Any) -> Sequence[Problem]:
    return [Problem(pointer="/decision", reason="same_person")]


def _reason(refusal: Any) -> Sequence[Problem]:
    return [Problem(pointer="/reason", reason="required")]


def _dataset(refusal: Any) -> Sequence[Problem]:
    return [Problem(pointer="/dataset", reason="required")]


def _alone(refusal: Any) -> Sequence[Problem]:
    return [Problem(pointer=f"/{refusal.member}", reason=refusal.code)]


def _one_account(refusal: Any) -> Sequence[Problem]:
    return [Problem(pointer="", reason="choose_one", expected=", ".join(refusal.choices))]


def _measure(refusal: Any) -> Sequence[Problem]:
    if not refusal.member:
        return [Problem(pointer="", reason="choose_one", expected="epsilon, rho")]
    return _member("member", "expected")(refusal)


def _member(given: str, expected: str = "") -> Callable[[Any], Sequence[Problem]]:
    """The member of a grant that the refusal names; its code is the reason, two fields fill the sentence."""

    def places(refusal: Any) -> Sequence[Problem]:
        filled = str(getattr(refusal, expected)) if expected else None
        pointer = _pointer(refusal.member)
        return [
            Problem(pointer=pointer, reason=refusal.code, given=str(getattr(refusal, given)), expected=filled)
        ]

    return places


def _pointer(member: str) -> str:
    return f"/{member}" if member else ""


PROBLEM_OF: Mapping[str, ProblemOf] = {
    # What does not exist and what is not open to the caller must look the same, or names would leak.
    "no_such_dataset": ProblemOf(problem="not_found"),
    "not_open": ProblemOf(problem="not_found"),
    "no_answer": ProblemOf(problem="not_found"),
    "no_such_grant": ProblemOf(problem="not_found"),
    "no_such_user": ProblemOf(problem="not_found"),
    "retired": ProblemOf(problem="gone"),
    "unknown_key": ProblemOf(problem="unauthenticated"),
    # Which of the three is stopped, only the refusal knows.
    "stopped": ProblemOf(problem="stopped", own_words=True),
    # questions
    "malformed_json": ProblemOf(problem="malformed_json", places=_in_json),
    "invalid_query": ProblemOf(problem="invalid_query", places=_own),
    "above_query_limit": ProblemOf(problem="above_query_limit", given="{price}", expected="{limit}"),
    "not_reachable": ProblemOf(
        problem="accuracy_not_reachable", given="{within_shown}", expected="{limit}", places=_reachable
    ),
    # Which part of the work is the most, and what to change, only the refusal knows.
    "planning_too_dear": ProblemOf(problem="planning_too_dear", own_words=True),
    # What is left, what it buys and whom to ask, only the refusal knows.
    "budget_exhausted": ProblemOf(problem="budget_exhausted", own_words=True),
    "delta_exhausted": ProblemOf(problem="budget_exhausted", own_words=True),
    "key_conflict": ProblemOf(problem="idempotency_conflict"),
    "in_progress": ProblemOf(problem="in_progress"),
    "planning_busy": ProblemOf(problem="planning_busy"),
    "answer_failed": ProblemOf(problem="internal"),
    "engine_unavailable": ProblemOf(problem="engine_unavailable"),
    # grants
    "no_such_holder": ProblemOf(problem="invalid_query", places=_holder),
    "same_person": ProblemOf(problem="invalid_query", places=_decision),
    "grant_decided": ProblemOf(problem="conflict", expected="{state}"),
    "no_reason": ProblemOf(problem="invalid_query", places=_reason),
    "not_limited": ProblemOf(problem="invalid_query", places=_without_limit),
    "unknown_dataset": ProblemOf(problem="invalid_query", places=_member("id")),
    "unknown_population": ProblemOf(problem="invalid_query", places=_member("name")),
    "no_dataset": ProblemOf(problem="invalid_query", places=_dataset),
    "population_stands_alone": ProblemOf(problem="invalid_query", places=_alone),
    "total_below_spent": ProblemOf(problem="invalid_query", places=_member("amount", "spent")),
    "is_a_view": ProblemOf(problem="invalid_query", places=_member("id", "sources")),
    "not_one_account": ProblemOf(problem="invalid_query", places=_one_account),
    "wrong_measure": ProblemOf(problem="invalid_query", places=_measure),
    "above_lifetime_limit": ProblemOf(problem="invalid_query", places=_member("amount")),
    "more_than_unspent": ProblemOf(problem="invalid_query", places=_member("amount", "remaining")),
    "nothing_granted": ProblemOf(problem="invalid_query", places=_member("holder", "dataset")),
    # the server
    "unavailable": ProblemOf(problem="unavailable"),
    # Whoever asks can tell the operator: "try again later" would be wrong.
    "not_initialised": ProblemOf(problem="unavailable", own_words=True),
    # The log says which: strangers are not to learn how the server is set up.
    "wrong_secret": ProblemOf(problem="unavailable"),
}
