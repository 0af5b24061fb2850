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
    NothingGranted,
    NotOneAccount,
    OnePersonLowers,
    UnknownDataset,
    ViewHasNoBudget,
    WrongMeasure,
)
from datasets.catalog import Catalog, DatasetVersion, LineageMembers, NoSuchDataset
from datasets.ledger.accounts import Account, AccountKey
from datasets.ledger.errors import AboveLimit, AboveUnspent, NoAccount
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

    Of `user`, `organisation` and `dataset_cap` one is given, and of `epsilon` and `rho`. `approved_by` is the second
    person for a cap where both are at hand.
    """

    dataset: str
    user: str | None = None
    organisation: str | None = None
    dataset_cap: bool | None = None
    epsilon: Price | None = None
    rho: Price | None = None
    reason: str
    change: Change = "raise"
    requested_by: str
    approved_by: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AboveCap:
    """A notice: an account has more left than the cap over everybody, so the cap will end it first."""

    code = "above_cap"
    words = Words(
        ja="{dataset} の生涯上限の残りは {remaining} です。付与額のすべては使えません",
        en="the cap of {dataset} has only {remaining} left: not all of this can be spent",
    )

    dataset: str
    remaining: Price

    def message(self) -> Words:
        """The sentence about it."""
        return self.words.filled(dataset=self.dataset, remaining=self.remaining)

    def as_json(self) -> dict[str, str]:
        """As answers list it among their notices."""
        return {
            "code": self.code,
            "account": f"dataset:{self.dataset}",
            "remaining": str(self.remaining),
            **self.message().as_texts(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetGrant:
    """A grant as people know it: on a dataset, in its measure.

    `dataset` is the first name of the lineage, which all its datasets share; `price_name` is epsilon or rho.
    """

    grant: Grant
    dataset: str
    price_name: str
    notices: tuple[AboveCap, ...] = ()

    @property
    def account(self) -> str:
        """kind:holder, a cap by the name of the dataset."""
        return account_name(self.grant.account, self.dataset)

    def as_json(self) -> dict[str, Any]:
        """As HTTP and the command line show it."""
        made = self.grant
        return {
            "id": made.id,
            "dataset": self.dataset,
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


class Budgets:
    """Gives and takes back budget, and lists who was given what."""

    def __init__(self, *, ledger: Ledger, catalog: Catalog) -> None:
        self._ledger, self._catalog = ledger, catalog

    def grant(self, request: GrantRequest) -> DatasetGrant:
        """Raise or lower an account: see Ledger.grant and Ledger.lower.

        Raises GrantRefused, and of the ledger NoSuchHolder, NotLimited, SamePerson, NoReason and NobodyNamed.
        """
        dataset = self._dataset(request.dataset)
        member, amount = _amount(request, dataset)
        account = _account(request, dataset.lineage)
        try:
            made = self._changed(request, dataset.lineage, account, amount)
        except AboveLimit:
            raise AmountTooLarge(member=member, amount=amount) from None
        except AboveUnspent as refused:
            raise MoreThanUnspent(
                member=member,
                account=account_name(account, dataset.id),
                amount=amount,
                remaining=refused.remaining,
            ) from None
        except NoAccount as refused:
            raise NothingGranted(member=refused.kind, holder=refused.holder, dataset=dataset.id) from None
        return self._known(made, self._catalog.lineage_members(), notices=self._notices(made, dataset.id))

    def decide(
        self, *, grant_id: str, decision: Decision, decided_by: str, reason: str | None = None
    ) -> DatasetGrant:
        """Decide on a pending grant. Whoever asked for it may only decline it; returning it takes a reason.

        Raises NoSuchGrant, GrantDecided, SamePerson, NoReason, or AmountTooLarge.
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
        return self._known(made, self._catalog.lineage_members())

    def grants(self, *, after: str | None = None, limit: int = 100) -> list[DatasetGrant]:
        """All grants, newest first; `after` is the id of the last one seen."""
        members = self._catalog.lineage_members()
        return [self._known(made, members) for made in self._ledger.grants(after=after, limit=limit)]

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
            if request.approved_by is not None:
                raise OnePersonLowers
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
            approved_by=request.approved_by,
        )

    def _notices(self, made: Grant, dataset: str) -> tuple[AboveCap, ...]:
        """Whether the cap will end before what was raised below it. Read after the grant, which stands anyway."""
        cap = AccountKey(lineage=made.lineage, kind="dataset", holder=made.lineage)
        if made.change == "lower" or made.key == cap:
            return ()
        own, over_all = self._ledger.states([made.key, cap])
        if own.remaining <= over_all.remaining:
            return ()
        return (AboveCap(dataset=dataset, remaining=over_all.remaining),)

    def _known(
        self, made: Grant, members: Mapping[str, LineageMembers], *, notices: tuple[AboveCap, ...] = ()
    ) -> DatasetGrant:
        family = members[made.lineage]
        return DatasetGrant(
            grant=made, dataset=family.names[0], price_name=PRICE_NAMES[family.measure], notices=notices
        )


def account_name(account: Account, dataset: str) -> str:
    """An account as people know it: kind:holder, a cap by the name of the dataset."""
    return f"{account.kind}:{dataset if account.kind == 'dataset' else account.holder}"


def _account(request: GrantRequest, lineage: str) -> Account:
    """The one account that is named.

    By presence, and then by truth: `"dataset_cap": false` beside a user would be a second choice, alone it is none.
    """
    given = [member for member in NotOneAccount.choices if getattr(request, member) is not None]
    if len(given) != 1 or not getattr(request, given[0]):
        raise NotOneAccount
    if request.user is not None:
        return Account(kind="user", holder=request.user)
    if request.organisation is not None:
        return Account(kind="organisation", holder=request.organisation)
    return Account(kind="dataset", holder=lineage)


def _amount(request: GrantRequest, dataset: DatasetVersion) -> tuple[str, Price]:
    """The one amount, and the member that it stands in: the one that fits the dataset's measure."""
    measure = dataset.schema.measure
    given = {name: getattr(request, name) for name in PRICE_NAMES.values()}
    named = [name for name, amount in given.items() if amount is not None]
    if named != [PRICE_NAMES[measure]]:
        raise WrongMeasure(
            member=named[0] if len(named) == 1 else "",
            dataset=dataset.id,
            measure=measure,
            expected=PRICE_NAMES[measure],
        )
    return named[0], given[named[0]]
