"""What the ledger refuses. Quotes accounts, amounts and people's names, never an answer.

LedgerError (Refusal)
├── NoAccount         there is no such account: nothing may be asked
├── NobodyNamed       an act without the person who answers for it
├── Unpayable         the charge doesn't fit
│   ├── BudgetExhausted  that of ε or ρ
│   └── DeltaExhausted   that of δ
├── NoAnswer          no such answer, or another user's
├── AlreadyAnswered   (settlement) this user has used the idempotency key: `stored` is what it got
├── NoSuchHolder      a grant for a user or an organisation that doesn't exist
├── NoSuchGrant       no grant of that name
├── GrantDecided      the grant has been decided already
├── SamePerson        the second person is the first one
├── AboveUnspent      more is to be taken back than is left unspent
├── NotLimited        an account without a limit has nothing to take back
├── OtherPopulation   the lineage belongs to another population already
├── JoinAboveCap      a register has spent more than its population has left
├── PopulationJoined  (settlement) a register's population is not among those who pay
├── BelowSpent        a first cap that is less than was spent without one
└── NoReason          a grant without a reason, or with one that is too long or not one line

AboveLimit (InvalidAmount)  the account's lifetime total would pass the limit of amounts
"""

from fractions import Fraction

from privacy import delta
from privacy.budget import InvalidAmount, Price
from privacy.refusal import Refusal
from privacy.words import Words

PERSON_CHARACTERS_MAX = 64
REASON_CHARACTERS_MAX = 1_000


class LedgerError(Refusal):
    """Something the ledger refuses."""


def account_label(kind: str, holder: str) -> str:
    """An account as people read it, kind:holder; a population's holder says its kind already."""
    return holder if kind == "population" else f"{kind}:{holder}"


class NoAccount(LedgerError):
    """There is no such account."""

    code = "no_account"
    words = Words(ja="口座 {account} はありません", en="no account {account}")

    def __init__(self, *, kind: str, holder: str) -> None:
        super().__init__()
        self.kind, self.holder, self.account = kind, holder, account_label(kind, holder)


# Every act stands in the journal for ever, and an act of nobody answers to nobody.
class NobodyNamed(LedgerError):
    """The person who answers for it is missing, blank or longer than PERSON_CHARACTERS_MAX."""

    code = "nobody_named"
    words = Words(
        ja=f"責任者の名前を 1〜{PERSON_CHARACTERS_MAX} 文字で指定してください",
        en=f"name the person who answers for it, in 1 to {PERSON_CHARACTERS_MAX} characters",
    )


class Unpayable(LedgerError):
    """An account can't pay. Whoever knows the dataset says what to do (`datasets.queries.advice`)."""

    def __init__(self, *, kind: str, holder: str) -> None:
        super().__init__()
        self.kind, self.holder = kind, holder
        self.account = account_label(kind, holder)
        self.advice: Words | None = None

    def message(self) -> Words:
        """What the caller is told, with what is still to be had and whom to ask, where that is known."""
        told = super().message()
        if self.advice is None:
            return told
        return Words(ja=f"{told.ja}。{self.advice.ja}", en=f"{told.en}. {self.advice.en}")


class BudgetExhausted(Unpayable):
    """The account can't pay: `needed` is above `remaining`."""

    code = "budget_exhausted"
    words = Words(
        # Amounts of the caller's own accounts and of totals over everybody, which callers may read anyway.
        ja="{account} には {needed} が必要ですが、残りは {remaining} です",
        en="{account} needs {needed} and has {remaining}",
    )

    def __init__(self, *, kind: str, holder: str, needed: Price, remaining: Price) -> None:
        super().__init__(kind=kind, holder=holder)
        self.needed, self.remaining = needed, remaining


class DeltaExhausted(Unpayable):
    """A cap can't pay the δ: `needed` is above `remaining`; `left` is that in plain decimals."""

    code = "delta_exhausted"
    words = Words(
        ja="{account} の δ の残りは {left} で、足りません",
        en="{account} has δ {left}, which is too little",
    )

    def __init__(self, *, kind: str, holder: str, needed: Fraction, remaining: Fraction) -> None:
        super().__init__(kind=kind, holder=holder)
        self.needed, self.remaining = needed, remaining
        # Computed here, since templates fill attributes and format nothing.
        self.left = delta.shown(delta.atto_of(remaining))


# One refusal for two cases: ids of others' answers must not be found by trying.
class NoAnswer(LedgerError):
    """There is no such answer, or it is another user's: nobody can tell which."""

    code = "no_answer"
    words = Words(ja="そのような回答はありません", en="there is no such answer")


class NoSuchHolder(LedgerError):
    """A grant for somebody who doesn't exist."""

    code = "no_such_holder"
    words = Words(ja="{kind}:{holder} という利用者または組織はありません", en="no {kind} named {holder}")

    def __init__(self, *, kind: str, holder: str) -> None:
        super().__init__()
        self.kind, self.holder = kind, holder


class NoSuchGrant(LedgerError):
    """There is no grant of that name."""

    code = "no_such_grant"
    words = Words(ja="そのような付与はありません", en="there is no such grant")


class GrantDecided(LedgerError):
    """The grant was decided before; `state` is how."""

    code = "grant_decided"
    words = Words(ja="この付与はすでに決定されています（{state}）", en="the grant is {state}")

    def __init__(self, *, state: str) -> None:
        super().__init__()
        self.state = state


# By the name of the person: one official may have several keys.
class SamePerson(LedgerError):
    """More of a lifetime cap takes two people."""

    code = "same_person"
    words = Words(
        ja="生涯上限の引上げには 2 人が必要です。申請者自身は取下げのほか決定できません",
        en="more of a lifetime cap takes two people: whoever asked for it may only take it back",
    )


# What was spent was paid for an answer that somebody has: it cannot be taken back.
class AboveUnspent(LedgerError):
    """More is to be taken back than an account has left: `amount` is above `remaining`."""

    code = "above_unspent"
    words = Words(
        ja="{account} から取り消せるのは未使用の {remaining} までで、{amount} は取り消せません",
        en="{account} has {remaining} unspent: {amount} is more than can be taken back",
    )

    def __init__(self, *, kind: str, holder: str, amount: Price, remaining: Price) -> None:
        super().__init__()
        self.kind, self.holder, self.amount, self.remaining = kind, holder, amount, remaining
        self.account = account_label(kind, holder)


class NotLimited(LedgerError):
    """An account without a limit cannot be lowered."""

    code = "not_limited"
    words = Words(
        ja="{account} には上限がないため、減額できません。最初の付与で上限が定まります",
        en="{account} has no limit that could be lowered: its first grant sets one",
    )

    def __init__(self, *, kind: str, holder: str) -> None:
        super().__init__()
        self.kind, self.holder, self.account = kind, holder, account_label(kind, holder)


class BelowSpent(LedgerError):
    """A first cap over everybody is the total of a lifetime: `amount` is below what was `spent` without one."""

    code = "below_spent"
    words = Words(
        ja="{account} ではすでに {spent} を使用しています。最初の上限は生涯の合計であり、{amount} では足りません",
        en="{account} has spent {spent} already, and a first cap is the total of a lifetime: {amount} is too little",
    )

    def __init__(self, *, kind: str, holder: str, amount: Price, spent: Price) -> None:
        super().__init__()
        self.kind, self.holder, self.amount, self.spent = kind, holder, amount, spent
        self.account = account_label(kind, holder)


# A resident's total would be told too low if a register took what it has spent along to another population.
class OtherPopulation(LedgerError):
    """The lineage belongs to `population` already, and stays there."""

    code = "other_population"
    words = Words(
        ja="{lineage} はすでに母集団 {population} に属しており、変更できません",
        en="{lineage} belongs to the population {population} already, which cannot be changed",
    )

    def __init__(self, *, lineage: str, population: str) -> None:
        super().__init__()
        self.lineage, self.population = lineage, population


class JoinAboveCap(LedgerError):
    """What a register has spent (`needed`, and of δ) is more than the population that it is to join has left."""

    code = "join_above_cap"
    words = Words(
        ja="{lineage} はすでに {needed} を使用していますが、母集団 {population} の残りは {remaining} です。"
        "先に母集団の上限を引き上げてください",
        en="{lineage} has spent {needed} already and the population {population} has {remaining} left: "
        "raise the population's cap first",
    )

    def __init__(self, *, lineage: str, population: str, needed: Price, remaining: Price) -> None:
        super().__init__()
        self.lineage, self.population, self.needed, self.remaining = lineage, population, needed, remaining


class PopulationJoined(LedgerError):
    """A register has joined a population that is not among the payers: whoever asks again finds it there."""

    code = "population_joined"
    words = Words(
        ja="{lineage} は {population} に属したため、予算を消費する口座が変わりました",
        en="{lineage} has joined {population}, which must pay, too",
    )

    def __init__(self, *, lineage: str, population: str) -> None:
        super().__init__()
        self.lineage, self.population = lineage, population


class NoReason(LedgerError):
    """A reason is missing, blank, longer than REASON_CHARACTERS_MAX, or not one line that can be shown."""

    code = "no_reason"
    words = Words(
        ja=f"付与の理由を 1〜{REASON_CHARACTERS_MAX:,} 文字の 1 行で指定してください"
        "（制御文字や目に見えない文字は使えません）",
        en=f"give a reason for the grant: one line of 1 to {REASON_CHARACTERS_MAX:,} characters, without control or "
        "invisible characters",
    )


class AboveLimit(InvalidAmount):
    """The account's lifetime total would pass the limit of amounts; `amount` is what was to be added."""

    code = "above_limit"
    words = Words(
        ja="口座の生涯合計が予算の量の上限を超えます",
        en="the account's lifetime total would pass the limit of amounts",
    )

    def __init__(self, amount: Price) -> None:
        super().__init__()
        self.amount = amount
