"""Settlements to choose from. Racing processes load this, so it imports no registration (see ledger_town.py)."""

from collections.abc import Sequence
from dataclasses import replace

from datasets.database.ids import new_id
from datasets.ledger.accounts import POPULATION, Account
from datasets.ledger.answers import StoredAnswer
from datasets.ledger.service import Ledger
from datasets.ledger.settlement import Payer, Settlement, must_fit, usual_payers
from privacy.budget import Price

LINEAGE = "residents"
CARE_LINEAGE = "care"
BOTH = (CARE_LINEAGE, LINEAGE)
SHOP = Account(kind="organisation", holder="shop")
AOI = Account(kind="user", holder="aoi")
MEI = Account(kind="user", holder="mei")
CAP = Account(kind="dataset", holder=LINEAGE)
ONE = Price.parse("1")
DELTA_CAP = 3 * 10**9
"""A lifetime total of 3e-9 in 10^-18."""

PAYING = ("user", "organisation", "charge", "dataset_charge")
"""What a settlement's usual payers follow from, besides its lineages and δ."""

ASKED = Settlement(
    id="q_1",
    user="aoi",
    organisation="shop",
    dataset="residents",
    lineage=LINEAGE,
    payers=usual_payers(lineages=(LINEAGE,), user="aoi", organisation="shop", charge=ONE, dataset_charge=ONE),
    version=1,
    idempotency_key="key-1",
    request_digest="d" * 64,
    fingerprint="sha256:" + "f" * 64,
    prices={"count": 1_000_000_000},
    outcome="answered",
    charge=ONE,
    dataset_charge=ONE,
    question='{"select":[{"agg":"count"}]}',
    envelope=b"{}",
    table=b'{"rows":[1]}',
)


def changed(of: Settlement = ASKED, **changes: object) -> Settlement:
    """The settlement with other members, from which its payers follow; `lineages` and `delta_atto` are the payers'."""
    lineages = changes.pop("lineages", of.chains)
    delta_atto = changes.pop("delta_atto", max(payer.delta_atto for payer in of.payers))
    made = replace(
        of,
        **changes,
        lineage=lineages[0],
        payers=usual_payers(  # type: ignore[arg-type, index]
            lineages=lineages,
            **{name: changes.get(name, getattr(of, name)) for name in PAYING},
            delta_atto=delta_atto,
        ),
    )
    return made


def in_the_city(of: Settlement, populations: Sequence[str] = ("city",)) -> Settlement:
    """The settlement with populations paying, too, as for every answer from a register that belongs to one."""
    payers = usual_payers(
        lineages=of.chains,
        user=of.user,
        organisation=of.organisation,
        charge=of.charge,
        dataset_charge=of.dataset_charge,
        delta_atto=max(payer.delta_atto for payer in of.payers),
        populations=populations,
    )
    return replace(of, payers=payers)


VIEWED = changed(dataset="residents-care", lineages=BOTH)

THREE_LINEAGES = (CARE_LINEAGE, LINEAGE, "visits")
VIEWED_BY_THREE = changed(dataset="residents-care-visits", lineages=THREE_LINEAGES)
POPULATION_CHAIN = f"{POPULATION}city"


def of_six(settlement: Settlement = ASKED) -> Settlement:
    """The settlement with a contract, a reserve and a population paying, too: six payers in one lineage."""
    more = (
        Payer(lineage=LINEAGE, kind="contract", holder="k-1", charge=settlement.charge),
        Payer(lineage=LINEAGE, kind="reserve", holder="r-1", charge=settlement.dataset_charge),
        Payer(
            lineage=POPULATION_CHAIN,
            kind="population",
            holder=POPULATION_CHAIN,
            charge=settlement.dataset_charge,
        ),
    )
    payers = sorted((*settlement.payers, *more), key=lambda payer: payer.place)
    return replace(settlement, payers=tuple(payers))


def asked(number: int, of: Settlement = ASKED, **changes: object) -> Settlement:
    """The settlement of another question."""
    return changed(of, **{"id": new_id("q"), "idempotency_key": f"key-{number}", **changes})


def left(stored: StoredAnswer) -> list[str | None]:
    """What its payers had left after an answer, None where nothing limits them."""
    assert stored.balances is not None
    return [None if price is None else str(price) for price in stored.balances]


def fits(ledger: Ledger, settlement: Settlement) -> list[str]:
    """The kinds of accounts that could pay now. Raises what the ledger refuses."""
    states = ledger.states([payer.key for payer in settlement.payers])
    must_fit(states, settlement.payers)
    return [state.kind for state in states]


def balances(ledger: Ledger, *, lineage: str = LINEAGE) -> dict[str, str]:
    """What every account of a lineage has spent."""
    return {
        f"{state.kind}:{state.holder}": str(state.spent)
        for state in ledger.all_accounts()
        if state.lineage == lineage
    }
