"""What fits a dataset of all that may be asked of a grant: the rules that the command line and HTTP share."""

from dataclasses import replace
from pathlib import Path

import pytest
from ledger_town import settle_in_both, settle_in_without_budgets
from settlements import DELTA_CAP, ONE, asked

from datasets.budgets.errors import (
    AmountTooLarge,
    GrantRefused,
    MoreThanUnspent,
    NothingGranted,
    NotOneAccount,
    UnknownDataset,
    ViewHasNoBudget,
    WrongMeasure,
)
from datasets.budgets.service import Budgets, GrantRequest, KnownGrant
from datasets.catalog import Catalog
from datasets.database.store import Store
from datasets.ledger.errors import NoReason, NoSuchHolder, NotLimited, SamePerson
from datasets.ledger.service import Ledger
from privacy.budget import Price

TO_AOI = GrantRequest(
    dataset="residents", user="aoi", epsilon=ONE, reason="a census year", requested_by="mayor"
)
CAP = replace(TO_AOI, user=None, dataset_cap=True)
LESS = replace(TO_AOI, change="lower")


@pytest.fixture
def budgets(settled: Ledger, store: Store, tmp_path: Path) -> Budgets:
    """Of the residents, where Aoi was granted 2, the shop 3 and everybody 10."""
    return Budgets(ledger=settled, catalog=Catalog(store, tmp_path))


def granted(ledger: Ledger) -> dict[str, str]:
    return {state.kind: str(state.granted) for state in ledger.all_accounts() if state.holder != "mei"}


def test_a_grant_is_known_by_the_name_of_the_dataset_and_in_its_measure(budgets: Budgets) -> None:
    made = budgets.grant(TO_AOI)
    assert {"dataset": "residents", "account": "user:aoi", "epsilon": "1", "change": "raise"}.items() <= (
        made.as_json().items()
    )
    assert budgets.grant(CAP).account == "dataset:residents"


@pytest.mark.parametrize(
    ("request_", "refused", "member"),
    [
        (replace(TO_AOI, dataset="nothing"), UnknownDataset, "dataset"),
        (replace(TO_AOI, user=None), NotOneAccount, ""),
        (replace(TO_AOI, user=""), NotOneAccount, ""),
        (replace(TO_AOI, organisation="shop"), NotOneAccount, ""),
        (replace(TO_AOI, dataset_cap=True), NotOneAccount, ""),
        (replace(TO_AOI, dataset_cap=False), NotOneAccount, ""),
        (replace(CAP, dataset_cap=False), NotOneAccount, ""),
        (replace(TO_AOI, epsilon=None), WrongMeasure, ""),
        (replace(TO_AOI, rho=ONE), WrongMeasure, ""),
        (replace(TO_AOI, epsilon=None, rho=ONE), WrongMeasure, "rho"),
        (replace(TO_AOI, epsilon=Price.parse("999999")), AmountTooLarge, "epsilon"),
        (replace(LESS, epsilon=Price.parse("2.1")), MoreThanUnspent, "epsilon"),
        (replace(LESS, user="noa"), NothingGranted, "user"),
        (replace(LESS, user=None, organisation="portal"), NothingGranted, "organisation"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_does_not_fit_is_refused_at_its_member(
    settled: Ledger, budgets: Budgets, request_: GrantRequest, refused: type[GrantRefused], member: str
) -> None:
    before = settled.grants(), granted(settled)
    with pytest.raises(refused) as refusal:
        budgets.grant(request_)
    assert refusal.value.member == member
    assert refusal.value.message().ja != refusal.value.message().en
    assert (settled.grants(), granted(settled)) == before


@pytest.mark.parametrize("change", ["raise", "lower"])
def test_nobody_of_that_name_is_refused_by_the_kind_of_account(budgets: Budgets, change: str) -> None:
    with pytest.raises(NoSuchHolder) as refused:
        budgets.grant(replace(TO_AOI, user=None, organisation="aoi", change=change))  # type: ignore[arg-type]
    assert refused.value.kind == "organisation"


def test_a_view_names_the_datasets_to_grant_on(store: Store, tmp_path: Path) -> None:
    ledger = settle_in_both(store)
    budgets = Budgets(ledger=ledger, catalog=Catalog(store, tmp_path))
    with pytest.raises(ViewHasNoBudget) as refused:
        budgets.grant(replace(TO_AOI, dataset="residents-care"))
    assert sorted(refused.value.sources.split(", ")) == ["care", "residents"]


def test_what_is_accounted_in_rho_is_granted_in_rho(store: Store, tmp_path: Path) -> None:
    ledger = settle_in_both(store, delta_cap_atto=DELTA_CAP)
    budgets = Budgets(ledger=ledger, catalog=Catalog(store, tmp_path))
    with pytest.raises(WrongMeasure) as refused:
        budgets.grant(TO_AOI)
    assert (refused.value.member, refused.value.expected) == ("epsilon", "rho")
    assert budgets.grant(replace(TO_AOI, epsilon=None, rho=ONE)).as_json()["rho"] == "1"


def test_lowering_takes_back_what_is_unspent_and_says_how_much_that_is(
    settled: Ledger, budgets: Budgets
) -> None:
    settled.settle(asked(1))
    with pytest.raises(MoreThanUnspent) as refused:
        budgets.grant(replace(LESS, epsilon=Price.parse("1.5")))
    assert str(refused.value) == "user:aoi has 1 unspent: 1.5 cannot be taken back"
    made = budgets.grant(LESS)
    assert (made.grant.change, made.grant.state) == ("lower", "effective")
    assert granted(settled) == {"user": "1", "organisation": "3", "dataset": "10"}
    assert settled.verify() == []


def test_a_cap_is_lowered_by_one_person_and_called_as_its_dataset(settled: Ledger, budgets: Budgets) -> None:
    with pytest.raises(MoreThanUnspent, match="dataset:residents has 10 unspent"):
        budgets.grant(replace(CAP, change="lower", epsilon=Price.parse("11")))
    assert budgets.grant(replace(CAP, change="lower")).grant.state == "effective"
    assert granted(settled)["dataset"] == "9"


def test_an_organisation_without_a_limit_is_not_lowered(store: Store, tmp_path: Path) -> None:
    budgets = Budgets(ledger=settle_in_without_budgets(store), catalog=Catalog(store, tmp_path))
    budgets.grant(TO_AOI)
    with pytest.raises(NotLimited):
        budgets.grant(replace(LESS, user=None, organisation="shop"))


def remaining(made: KnownGrant) -> list[str]:
    return [str(notice.remaining) for notice in made.notices]


def test_who_may_spend_more_than_the_cap_has_left_is_told_so(settled: Ledger, budgets: Budgets) -> None:
    assert remaining(budgets.grant(replace(TO_AOI, epsilon=Price.parse("8")))) == []
    made = budgets.grant(TO_AOI)
    assert remaining(made) == ["10"]
    assert made.notices[0].message().en == (
        "the cap of residents has only 10 left: not all of this can be spent"
    )
    assert granted(settled)["user"] == "11"
    assert remaining(budgets.grant(CAP)) == []
    assert remaining(budgets.grant(replace(LESS, epsilon=Price.parse("0.1")))) == []


def test_each_decision_does_what_it_is_called(settled: Ledger, budgets: Budgets) -> None:
    ids = [budgets.grant(CAP).grant.id for _ in range(3)]
    states = [
        budgets.decide(grant_id=id, decision=decision, decided_by="auditor", reason="minutes 3").grant
        for id, decision in zip(ids, ("approve", "decline", "return"), strict=True)
    ]
    assert [made.state for made in states] == ["effective", "declined", "returned"]
    assert {made.decision_reason for made in states} == {"minutes 3"}
    assert granted(settled)["dataset"] == "11"
    assert [made.grant for made in budgets.grants(limit=3)] == states[::-1]


def test_to_return_a_grant_takes_a_reason_and_another_person(budgets: Budgets) -> None:
    id = budgets.grant(CAP).grant.id
    with pytest.raises(NoReason):
        budgets.decide(grant_id=id, decision="return", decided_by="auditor")
    with pytest.raises(SamePerson):
        budgets.decide(grant_id=id, decision="return", decided_by="mayor", reason="unclear")
    assert budgets.decide(grant_id=id, decision="decline", decided_by="mayor").grant.state == "declined"


def test_a_cap_past_the_limit_of_amounts_is_not_approved(settled: Ledger, budgets: Budgets) -> None:
    id = budgets.grant(replace(CAP, epsilon=Price.parse("999999"))).grant.id
    with pytest.raises(AmountTooLarge) as refused:
        budgets.decide(grant_id=id, decision="approve", decided_by="auditor")
    assert (refused.value.member, str(refused.value.amount)) == ("decision", "999999")
    assert [one.state for one in settled.grants(limit=1)] == ["pending"]
