"""Grants as the command line and HTTP ask for them: the one place that knows what fits a dataset.

The ledger below knows lineages and accounts. Here a name becomes a dataset's lineage, members become one account, and
an amount is held against the dataset's measure.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from datasets.budgets.errors import (
    AmountTooLarge,
    MoreThanUnspent,
    NoDataset,
    NothingGranted,
    NotOneAccount,
    PopulationStandsAlone,
    TotalBelowSpent,
    UnknownDataset,
    UnknownPopulation,
    ViewHasNoBudget,
    WrongMeasure,
)
from datasets.budgets.history import HistoryLine, history
from datasets.catalog import Catalog, DatasetVersion, LineageMembers, NoSuchDataset
from datasets.ledger.accounts import NOTHING, POPULATION, Account, AccountKey, population_key
from datasets.ledger.errors import AboveLimit, AboveUnspent, BelowSpent, NoAccount, account_label
from datasets.ledger.grants import Change, Grant
from datasets.ledger.service import Ledger
from privacy.budget import Price
from privacy.schema import Measure
from privacy.words import Words

PRICE_NAMES: Mapping[Measure, str] = {"pure": "epsilon", "zcdp": "rho"}
"""What an amount is called, by the measure that it counts in."""

Decision = Literal["approve", "decline", "return"]


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRequest:
    """More or less budget as somebody asked for it; None is what was not given.

    Of `user`, `organisation`, `dataset_cap` and `population` one is given, and of `epsilon` and `rho`; `dataset` is for
    all but a population.
    """

    dataset: str | None = None
    user: str | None = None
    organisation: str | None = None
    dataset_cap: bool | None = None
    population: str | None = None
    epsilon: Price | None = None
    rho: Price | None = None
    reason: str
    change: Change = "raise"
    requested_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveCap:
    """A notice: an account has more left than a cap over everybody, so the cap will end it first.

    `cap` is the dataset, or the population as `population:name`.
    """

    code = "above_cap"
    words = Words(
        ja="{cap} の生涯上限の残りは {remaining} です。付与額のすべては使えません",
        en="the cap of {cap} has only {remaining} left: not all of this can be spent",
    )

    cap: str
    account: str
    remaining: Price

    def message(self) -> Words:
        """The sentence about it."""
        return self.words.filled(cap=self.cap, remaining=self.remaining)

    def as_json(self) -> dict[str, str]:
        """As answers list it among their notices."""
        return {
            "code": self.code,
            "account": self.account,
            "remaining": str(self.remaining),
            **self.message().as_texts(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class LifetimeTotal:
    """A notice: what a population may spend in all with a grant, once it is effective, and what is spent of that."""

    code = "lifetime_total"
    words = Words(
        ja="これにより {account} の生涯の合計は {total} となります（うち {spent} は使用済み）",
        en="with this, {account} has a total of {total} for its lifetime, of which {spent} is spent",
    )

    account: str
    total: Price
    spent: Price

    def message(self) -> Words:
        """The sentence about it."""
        return self.words.filled(account=self.account, total=self.total, spent=self.spent)

    def as_json(self) -> dict[str, str]:
        """As answers list it among their notices."""
        return {
            "code": self.code,
            "account": self.account,
            "total": str(self.total),
            "spent": str(self.spent),
            "remaining": str(self.total - self.spent),
            **self.message().as_texts(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownGrant:
    """A grant as people know it: on a dataset or for a population, in its measure.

    `datasets` are all that share the account; a dataset's grant is called by the first. `price_name` is epsilon or rho.
    """

    grant: Grant
    datasets: tuple[str, ...]
    price_name: str
    notices: tuple[AboveCap | LifetimeTotal, ...] = ()

    @property
    def is_of_population(self) -> bool:
        return self.grant.account.kind == "population"

    @property
    def account(self) -> str:
        """kind:holder, a cap by the name of the dataset."""
        return account_name(self.grant.account, self.datasets[0])

    def as_json(self) -> dict[str, Any]:
        """As HTTP and the command line show it."""
        made = self.grant
        if self.is_of_population:
            of = {"population": made.lineage.removeprefix(POPULATION)}
        else:
            of = {"dataset": self.datasets[0]}
        return {
            "id": made.id,
            **of,
            "account": self.account,
            "change": made.change,
            self.price_name: str(made.amount),
            "reason": made.reason,
            "state": made.state,
            "requested_by": made.requested_by,
            "decided_by": made.decided_by,
            "decision_reason": made.decision_reason,
            "at": made.at,
            **({"notices": [notice.as_json() for notice in self.notices]} if self.notices else {}),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purse:
    """What a grant is for: a lineage or a population's chain, by what people call it, and what it counts in."""

    lineage: str
    name: str
    measure: Measure


class Budgets:
    """Gives and takes back budget, and lists who was given what."""

    def __init__(self, *, ledger: Ledger, catalog: Catalog) -> None:
        self._ledger, self._catalog = ledger, catalog

    def grant(self, request: GrantRequest) -> KnownGrant:
        """Raise or lower an account: see Ledger.grant and Ledger.lower.

        Raises GrantRefused, and of the ledger NoSuchHolder, NotLimited, SamePerson, NoReason and NobodyNamed.
        """
        _must_name_one_account(request)
        purse = self._purse(request)
        member, amount = _amount(request, purse)
        account = _account(request, purse.lineage)
        try:
            made = self._changed(request, purse.lineage, account, amount)
        except AboveLimit:
            raise AmountTooLarge(member=member, amount=amount) from None
        except BelowSpent as refused:
            raise _below_spent(refused, member) from None
        except AboveUnspent as refused:
            raise MoreThanUnspent(
                member=member,
                account=account_name(account, purse.name),
                amount=amount,
                remaining=refused.remaining,
            ) from None
        except NoAccount as refused:
            raise NothingGranted(member=refused.kind, holder=refused.holder, dataset=purse.name) from None
        return self._known(made, self._catalog.lineage_members(), notices=self._notices(made, purse.name))

    def decide(
        self, *, grant_id: str, decision: Decision, decided_by: str, reason: str | None = None
    ) -> KnownGrant:
        """Decide on a pending grant. Whoever asked for it may only decline it; returning it takes a reason.

        Raises NoSuchGrant, GrantDecided, SamePerson, NoReason, AmountTooLarge or TotalBelowSpent.
        """
        decided = {"grant_id": grant_id, "decided_by": decided_by}
        if decision == "return":
            made = self._ledger.send_back(**decided, reason=reason or "")
        elif decision == "decline":
            made = self._ledger.decline(**decided, reason=reason)
        else:
            try:
                made = self._ledger.approve(**decided, reason=reason)
            except AboveLimit as refused:
                raise AmountTooLarge(member="decision", amount=refused.amount) from None
            except BelowSpent as refused:
                raise _below_spent(refused, "decision") from None
        of_population = made.account.kind == "population" and made.state == "effective"
        notices = self._notices(made, made.lineage) if of_population else ()
        return self._known(made, self._catalog.lineage_members(), notices=notices)

    def grants(self, *, after: str | None = None, limit: int = 100) -> list[KnownGrant]:
        """All grants, newest first; `after` is the id of the last one seen."""
        members = self._catalog.lineage_members()
        return [self._known(made, members) for made in self._ledger.grants(after=after, limit=limit)]

    def history(self, id: str) -> list[HistoryLine]:
        """What changed the limits of a dataset, of a view's sources, and of their populations. Raises NoSuchDataset."""
        dataset = self._catalog.current(id)
        populations = (population_key(name).lineage for name in dataset.populations)
        return history(self._ledger, (*dataset.lineages, *populations))

    def _purse(self, request: GrantRequest) -> _Purse:
        """The dataset or population that the request names."""
        if request.population is not None:
            if request.dataset is not None:
                raise PopulationStandsAlone
            return self._population(request.population)
        if request.dataset is None:
            raise NoDataset
        dataset = self._dataset(request.dataset)
        return _Purse(lineage=dataset.lineage, name=dataset.id, measure=dataset.schema.measure)

    def _population(self, name: str) -> _Purse:
        """A population that registers belong to; it counts in what they count in."""
        chain = population_key(name).lineage
        members = self._catalog.lineage_members().get(chain)
        if members is None:
            raise UnknownPopulation(name)
        return _Purse(lineage=chain, name=chain, measure=members.measure)

    def _dataset(self, id: str) -> DatasetVersion:
        """A dataset with accounts of its own."""
        try:
            dataset = self._catalog.current(id)
        except NoSuchDataset:
            # Not the catalogue's own refusal: in a request a name that does not exist is a wrong value, not a
            # missing page.
            raise UnknownDataset(id) from None
        if dataset.is_view:
            raise ViewHasNoBudget(id, sources=", ".join(dataset.sources))
        return dataset

    def _changed(self, request: GrantRequest, lineage: str, account: Account, amount: Price) -> Grant:
        if request.change == "lower":
            return self._ledger.lower(
                lineage=lineage,
                account=account,
                amount=amount,
                reason=request.reason,
                requested_by=request.requested_by,
            )
        return self._ledger.grant(
            lineage=lineage,
            account=account,
            amount=amount,
            reason=request.reason,
            requested_by=request.requested_by,
        )

    def _notices(self, made: Grant, name: str) -> tuple[AboveCap | LifetimeTotal, ...]:
        """What there is to know about a grant. Read after it, and it stands anyway."""
        if made.account.kind == "population":
            return (self._lifetime_total(made),)
        if made.change == "lower" or made.account.kind == "dataset":
            return ()
        cap = AccountKey(lineage=made.lineage, kind="dataset", holder=made.lineage)
        own, over_all = self._ledger.states([made.key, cap])
        caps = [over_all]
        if over_all.population is not None:
            caps += self._ledger.states([population_key(over_all.population.removeprefix(POPULATION))])
        least = min(caps, key=lambda state: state.remaining)
        if own.remaining <= least.remaining:
            return ()
        cap_name = name if least is over_all else least.holder
        account = account_name(least.account, name)
        return (AboveCap(cap=cap_name, account=account, remaining=least.remaining),)

    def _lifetime_total(self, made: Grant) -> LifetimeTotal:
        """What a population may spend in all: now, or once a grant that waits is approved."""
        (state,) = self._ledger.states([made.key])
        total = state.granted or NOTHING
        if made.state == "pending":
            total += made.amount
        return LifetimeTotal(account=state.holder, total=total, spent=state.spent)

    def _known(
        self,
        made: Grant,
        members: Mapping[str, LineageMembers],
        *,
        notices: tuple[AboveCap | LifetimeTotal, ...] = (),
    ) -> KnownGrant:
        family = members[made.lineage]
        return KnownGrant(
            grant=made, datasets=family.names, price_name=PRICE_NAMES[family.measure], notices=notices
        )


def account_name(account: Account, dataset: str) -> str:
    """An account as people know it: kind:holder, a cap by the name of the dataset."""
    return account_label(account.kind, dataset if account.kind == "dataset" else account.holder)


def _below_spent(refused: BelowSpent, member: str) -> TotalBelowSpent:
    return TotalBelowSpent(member=member, account=refused.account, amount=refused.amount, spent=refused.spent)


def _must_name_one_account(request: GrantRequest) -> None:
    """Raise NotOneAccount unless one is named.

    By presence, and then by truth: `"dataset_cap": false` beside a user would be a second choice, alone it is none.
    """
    given = [member for member in NotOneAccount.choices if getattr(request, member) is not None]
    if len(given) != 1 or not getattr(request, given[0]):
        raise NotOneAccount


def _account(request: GrantRequest, lineage: str) -> Account:
    """The account that is named; a cap's holder is the chain itself."""
    if request.user is not None:
        return Account(kind="user", holder=request.user)
    if request.organisation is not None:
        return Account(kind="organisation", holder=request.organisation)
    return Account(kind="dataset" if request.population is None else "population", holder=lineage)


def _amount(request: GrantRequest, purse: _Purse) -> tuple[str, Price]:
    """The one amount, and the member that it stands in: the one that fits the measure."""
    measure = purse.measure
    given = {name: getattr(request, name) for name in PRICE_NAMES.values()}
    named = [name for name, amount in given.items() if amount is not None]
    if named != [PRICE_NAMES[measure]]:
        raise WrongMeasure(
            member=named[0] if len(named) == 1 else "",
            dataset=purse.name,
            measure=measure,
            expected=PRICE_NAMES[measure],
        )
    return named[0], given[named[0]]
