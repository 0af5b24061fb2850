"""What the query service refuses, beside what the plan of a query (privacy) and the ledger refuse.

Refusal
├── NotOpen        no such dataset, or no account for it: nobody can tell which
├── Retired        the dataset answers no new questions
├── Conflict       the idempotency key was used for another question
├── InProgress     a question with this key is being answered
├── PlanningBusy   as many questions as may be are being prepared: nothing was opened, nothing charged
└── AnswerFailed   it failed after the data was opened, and was charged
"""

from privacy.refusal import Refusal
from privacy.words import Words


# Two cases and one refusal, so that ids of datasets are not found by trying.
class NotOpen(Refusal):
    """The dataset does not exist, or the caller has no account for it: nobody can tell which."""

    code = "not_open"
    words = Words(
        ja="データセットが存在しないか、あなたには公開されていません",
        en="the dataset does not exist, or it is not open to you",
    )


class Retired(Refusal):
    """The dataset answers no new questions."""

    code = "retired"
    words = Words(ja="このデータセットは廃止されました", en="the dataset has been retired")


class Conflict(Refusal):
    """The idempotency key was used for another question."""

    code = "key_conflict"
    words = Words(
        ja="この Idempotency-Key は別の質問に使われています",
        en="this Idempotency-Key belongs to another question",
    )


class InProgress(Refusal):
    """A question with this idempotency key is being answered."""

    code = "in_progress"
    words = Words(ja="同じ質問に回答中です", en="the same question is being answered")


class PlanningBusy(Refusal):
    """No place to prepare a question that takes work, or not done in time: nothing was opened, nothing is charged."""

    code = "planning_busy"
    words = Words(
        ja="計算量の多い質問の準備が混み合っています。予算は消費していません",
        en="too many questions that take work to prepare are being prepared; nothing was charged",
    )


class AnswerFailed(Refusal):
    """The answer failed after the data was opened. It has been charged; a retry fails alike."""

    # A failure of ours that is recorded, charged and replayed like an answer: to the caller it is one.
    code = "answer_failed"
    words = Words(
        ja="データを開いた後に回答できなくなりました。予算は消費されました",
        en="the answer failed after the data was opened; it has been charged",
    )
