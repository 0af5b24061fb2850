"""What one settlement promises: everything or nothing, once, and never above a limit."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace

import pytest
from backends import waiting_backend
from ledger_town import settle_in, settle_in_six
from settlements import AOI, ASKED, CAP, LINEAGE, ONE, asked, balances, changed, fits, left, of_six
from sqlalchemy import text, update
from town import SECRET, grant

from datasets.database.store import Store
from datasets.database.tables import AccountRow
from datasets.ledger.accounts import AccountKey
from datasets.ledger.answers import RepeatedQuestion
from datasets.ledger.errors import BudgetExhausted, NoAccount, NoAnswer
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import AlreadyAnswered, Settlement
from datasets.people.service import People
from privacy.budget import Price

NOTHING = Price(0)
AGAIN = RepeatedQuestion(
    dataset="residents",
    lineage=LINEAGE,
    version=1,
    fingerprint=ASKED.fingerprint,
    user="aoi",
    least=Price(5),
)


def settled(ledger: Ledger, count: int) -> None:
    for number in range(count):
        ledger.settle(asked(number))


def test_settlement_charges_every_account_and_keeps_the_answer(ledger: Ledger) -> None:
    stored = ledger.settle(ASKED)
    assert balances(ledger) == {
        "dataset:residents": "1",
        "organisation:shop": "1",
        "user:aoi": "1",
        "user:mei": "0",
    }
    assert ledger.answer(id="q_1", user="aoi") == stored
    assert ledger.load(id="q_1") == ASKED.table


def test_an_answer_knows_what_its_payers_had_left_after_the_debit(ledger: Ledger) -> None:
    assert left(ledger.settle(ASKED)) == ["1", "2", "9"]


def test_second_charge_with_the_same_key_returns_the_first_answer(ledger: Ledger) -> None:
    first = ledger.settle(ASKED)
    with pytest.raises(AlreadyAnswered) as refused:
        ledger.settle(changed(ASKED, id="q_2", request_digest="e" * 64))
    assert refused.value.stored == first
    assert balances(ledger)["user:aoi"] == "1"


def test_second_charge_with_the_same_key_returns_the_first_answer_even_if_nothing_is_left(
    ledger: Ledger,
) -> None:
    first = ledger.settle(changed(ASKED, charge=Price.parse("2")))
    with pytest.raises(AlreadyAnswered) as refused:
        ledger.settle(changed(ASKED, id="q_2"))
    assert refused.value.stored == first


def test_same_key_of_another_user_is_another_question(ledger: Ledger) -> None:
    ledger.settle(ASKED)
    ledger.settle(changed(ASKED, id="q_2", user="mei"))
    assert balances(ledger)["dataset:residents"] == "2"


@pytest.mark.parametrize(
    ("limits", "refusing"),
    [
        ({"user": "2.5"}, "user"),
        ({"user": "9", "shop": "2.5"}, "organisation"),
        ({"user": "9", "shop": "9", "cap": "2.5"}, "dataset"),
    ],
)
def test_what_does_not_fit_is_refused_at_every_level_and_changes_nothing(
    store: Store, limits: dict[str, str], refusing: str
) -> None:
    ledger = settle_in(store, **limits)
    settled(ledger, 2)
    before = balances(ledger), ledger.journal()
    with pytest.raises(BudgetExhausted) as refused:
        ledger.settle(asked(3))
    assert (refused.value.kind, refused.value.needed, refused.value.remaining) == (
        refusing,
        ONE,
        Price.parse("0.5"),
    )
    assert (balances(ledger), ledger.journal()) == before
    assert len(ledger.history(user="aoi")) == 2


def test_the_last_of_a_budget_can_be_spent_to_the_end(store: Store) -> None:
    ledger = settle_in(store, user="1", shop="1", cap="1")
    ledger.settle(ASKED)
    with pytest.raises(BudgetExhausted):
        ledger.settle(asked(2, charge=Price(1), dataset_charge=Price(1)))


def test_user_without_an_account_is_refused(ledger: Ledger) -> None:
    with pytest.raises(NoAccount) as refused:
        ledger.settle(changed(ASKED, user="eve"))
    assert refused.value.kind == "user"


def test_an_organisation_that_was_granted_nothing_pays_without_a_limit(store: Store, ledger: Ledger) -> None:
    people = People(store, SECRET.encode())
    people.add_organisation("museum", by="tester")
    people.add_user("hiro", organisation="museum", role="analyst", by="tester")
    grant(store, [(LINEAGE, "user", "hiro", "2")], by="mayor")
    stored = ledger.settle(changed(ASKED, user="hiro", organisation="museum"))
    assert left(stored) == ["1", None, "9"]
    assert balances(ledger)["organisation:museum"] == "1"
    assert ledger.verify() == []


def test_a_first_limit_counts_from_what_was_spent_without_one(store: Store, ledger: Ledger) -> None:
    people = People(store, SECRET.encode())
    people.add_organisation("museum", by="tester")
    people.add_user("hiro", organisation="museum", role="analyst", by="tester")
    grant(store, [(LINEAGE, "user", "hiro", "9")], by="mayor")
    of_hiro = {"user": "hiro", "organisation": "museum"}
    ledger.settle(asked(1, **of_hiro))
    grant(store, [(LINEAGE, "organisation", "museum", "1")], by="mayor")
    assert left(ledger.settle(asked(2, **of_hiro))) == ["7", "0", "8"]
    with pytest.raises(BudgetExhausted) as refused:
        ledger.settle(asked(3, **of_hiro))
    assert (refused.value.kind, refused.value.holder) == ("organisation", "museum")
    assert ledger.verify() == []


def test_a_payer_that_has_no_account_is_refused(ledger: Ledger) -> None:
    with pytest.raises(NoAccount) as refused:
        ledger.settle(changed(ASKED, organisation="museum"))
    assert (refused.value.kind, refused.value.holder) == ("organisation", "museum")


def test_answer_of_another_user_told_again_costs_the_dataset_nothing(ledger: Ledger) -> None:
    ledger.settle(ASKED)
    ledger.settle(asked(2, user="mei", dataset_charge=NOTHING))
    assert balances(ledger)["user:mei"] == "1"
    assert balances(ledger)["dataset:residents"] == "1"


def test_own_answer_told_again_is_free_and_stands_in_history_and_journal(ledger: Ledger) -> None:
    ledger.settle(ASKED)
    again = ledger.settle(asked(2, charge=NOTHING, dataset_charge=NOTHING))
    assert balances(ledger)["user:aoi"] == "1"
    assert ledger.history(user="aoi", limit=1) == [again] or again in ledger.history(user="aoi")
    assert ledger.journal(lineage=LINEAGE)[-1].kind == "replay"
    assert ledger.verify() == []


def test_failure_after_data_was_opened_is_charged(ledger: Ledger) -> None:
    ledger.settle(changed(ASKED, outcome="failed", table=b""))
    assert balances(ledger)["dataset:residents"] == "1"
    assert ledger.journal(lineage=LINEAGE)[-1].kind == "failed"


def test_fits_agrees_with_settle(ledger: Ledger) -> None:
    settled(ledger, 2)
    with pytest.raises(BudgetExhausted) as refused:
        fits(ledger, asked(3))
    assert (refused.value.kind, refused.value.holder) == ("user", "aoi")
    fitting = fits(ledger, asked(3, user="mei"))
    assert fitting == ["user", "organisation", "dataset"]


def test_fits_refuses_those_without_an_account(ledger: Ledger) -> None:
    with pytest.raises(NoAccount):
        fits(ledger, asked(3, user="eve"))


def test_accounts_of_a_user_are_its_own_and_those_above_it(ledger: Ledger) -> None:
    assert [state.account for state in ledger.accounts_of_user(user="aoi")] == [
        AOI,
        replace(AOI, kind="organisation", holder="shop"),
        CAP,
    ]
    assert ledger.accounts_of_user(user="eve") == []


def test_earlier_finds_what_the_key_was_answered(ledger: Ledger) -> None:
    stored = ledger.settle(ASKED)
    assert ledger.earlier(user="aoi", key="key-1") == stored
    with pytest.raises(NoAnswer):
        ledger.earlier(user="mei", key="key-1")


def test_answers_of_others_are_not_there(ledger: Ledger) -> None:
    ledger.settle(ASKED)
    with pytest.raises(NoAnswer):
        ledger.answer(id="q_1", user="mei")
    with pytest.raises(NoAnswer):
        ledger.load(id="q_2")


def test_same_question_lists_paid_answers_to_it_alone(ledger: Ledger) -> None:
    paid = ledger.settle(ASKED)
    shared = ledger.settle(asked(2, user="mei", charge=Price(5), dataset_charge=NOTHING))
    ledger.settle(asked(3, charge=NOTHING, dataset_charge=NOTHING))
    ledger.settle(asked(4, outcome="failed", charge=Price(5), dataset_charge=NOTHING))
    ledger.settle(asked(5, fingerprint="sha256:other", charge=Price(5), dataset_charge=NOTHING))
    ledger.settle(asked(6, dataset_charge=Price(4), charge=Price(4)))
    by_aoi, by_mei, by_ren = (
        ledger.same_question(replace(AGAIN, user=user)) for user in ("aoi", "mei", "ren")
    )
    # What was told again is its buyer's alone: to others it is the answer that was measured.
    assert (by_aoi, by_mei, by_ren) == ([paid], [shared, paid], [paid])


def many_of(store: Store, user: str, charge: int, row: str = "q_1") -> None:
    """A thousand and one answers more to the same question, measured for somebody."""
    columns = (
        "request_digest, dataset, lineage, version, entry, fingerprint, prices, outcome, asked_at, question"
    )
    with store.writing() as tx:
        tx.exec_driver_sql(
            f"""
            INSERT INTO answers (id, "user", idempotency_key, charge, dataset_charge, envelope, table_digest, {columns})
            WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 1001)
            SELECT '{user}_' || n, '{user}', 'more-' || n, {charge}, {charge}, envelope, table_digest, {columns}
            FROM answers, number WHERE id = '{row}'
            """
        )


@pytest.mark.parametrize("organisation", [None, "shop"])
def test_answers_that_may_not_be_told_or_are_too_poor_hide_no_others(
    ledger: Ledger, store: Store, organisation: str | None
) -> None:
    paid = ledger.settle(ASKED)
    many_of(store, "ren", 4)
    question = replace(AGAIN, organisation=organisation)
    assert ledger.same_question(question)[:1] == [paid]
    assert ledger.same_question(replace(question, user="mei")) == [paid]
    # An own one comes before all the cheaper ones, and a colleague's is not hidden by those of others.
    many_of(store, "noa", 10)
    assert ledger.same_question(question)[:1] == [paid]
    confined = replace(question, user="mei", organisation="shop")
    assert ledger.same_question(confined) == [paid]


def test_history_turns_its_pages_newest_first(ledger: Ledger) -> None:
    settled(ledger, 2)
    ledger.settle(asked(9, charge=NOTHING, dataset_charge=NOTHING))
    newest = ledger.history(user="aoi", limit=2)
    oldest = ledger.history(user="aoi", limit=2, after=newest[-1].id)
    ids = [stored.id for stored in newest + oldest]
    assert len(ids) == 3
    assert ids == sorted(ids, reverse=True)


def test_a_table_told_twice_is_kept_once(ledger: Ledger, store: Store) -> None:
    ledger.settle(ASKED)
    ledger.settle(asked(2))
    with store.reading() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM answer_tables").scalar() == 1


# What waits, on PostgreSQL; SQLite lets one writer work at a time


@contextmanager
def waiting_settlement(
    store: Store, settlement: Settlement, held: AccountKey, spent: int
) -> Iterator[Future]:
    """A settlement that waits for a row of which so much is spent meanwhile, until the block ends."""
    if store.is_sqlite:
        pytest.skip("SQLite lets one writer work at a time: nobody waits for a row")
    with ThreadPoolExecutor(1) as pool, store.writing() as tx:
        tx.execute(
            update(AccountRow)
            .where(AccountRow.lineage == held.lineage, AccountRow.kind == held.kind)
            .values(spent=AccountRow.spent + spent)
        )
        settling = pool.submit(Ledger(store).settle, settlement)
        waiting_backend(store)
        yield settling


def test_who_waits_for_a_row_sees_what_was_spent_meanwhile(store: Store, ledger: Ledger) -> None:
    cap = AccountKey(lineage=LINEAGE, kind="dataset", holder=LINEAGE)
    with waiting_settlement(store, ASKED, cap, spent=10 * 10**9) as settling:
        assert not settling.done()
    with pytest.raises(BudgetExhausted) as refused:
        settling.result()
    assert (refused.value.kind, str(refused.value.remaining)) == ("dataset", "0")
    assert balances(ledger)["user:aoi"] == "0"


def test_who_waits_for_a_raise_pays_from_it(store: Store, ledger: Ledger) -> None:
    """The account was used up when the statement began: what PostgreSQL checks first is the row as it was then."""
    settled(ledger, 2)
    with ThreadPoolExecutor(1) as pool:
        if store.is_sqlite:
            pytest.skip("SQLite lets one writer work at a time: nobody waits for a row")
        with store.writing() as tx:
            is_aoi = (AccountRow.kind == "user", AccountRow.holder == "aoi")
            tx.execute(update(AccountRow).where(*is_aoi).values(granted=AccountRow.granted + ONE.nano))
            settling = pool.submit(Ledger(store).settle, asked(3))
            waiting_backend(store)
        assert left(settling.result()) == ["0", "0", "7"]


def test_who_waits_for_the_first_row_holds_no_other(store: Store) -> None:
    """Whoever takes rows in the same order waits in no circle with it: the rows that follow are free."""
    ledger, settlement = settle_in_six(store), of_six()
    first, *others = settlement.payers
    with waiting_settlement(store, settlement, first.key, spent=0) as settling:
        for payer in others:
            held = text("SELECT 1 FROM accounts WHERE lineage = :lineage AND kind = :kind FOR UPDATE NOWAIT")
            with store.writing() as tx:
                tx.execute(held, {"lineage": payer.lineage, "kind": payer.kind})
    assert left(settling.result()) == ["8", "1", "2", "8", "8", "9"]
    assert ledger.verify() == []
