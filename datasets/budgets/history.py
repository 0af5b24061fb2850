"""What changed a dataset's limits, when, by whom and why, and what had been spent by then: read off the journal."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from datasets.ledger.accounts import NOTHING, POPULATION
from datasets.ledger.errors import account_label
from datasets.ledger.journal import CHARGES, JOINED, LINKED, JournalEntry
from datasets.ledger.service import Ledger
from privacy.budget import Price

PAGE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """A line of the journal that is no charge. `spent` is what the cap of its chain had spent by then.

    `account` and `amount` are those of a grant, and of the opening; `by` did it or asked for it, `decided_by` decided.
    """

    at: str
    chain: str
    number: int
    kind: str
    account: str | None
    amount: str | None
    by: str | None
    decided_by: str | None
    reason: str | None
    spent: str


def history(ledger: Ledger, chains: tuple[str, ...]) -> list[HistoryLine]:
    """The lines of these chains (lineages, and populations as `population:name`), the oldest first."""
    found = [line for chain in chains for line in _of_chain(ledger, chain)]
    return sorted(found, key=lambda line: (line.at, line.chain, line.number))


def _of_chain(ledger: Ledger, chain: str) -> Iterator[HistoryLine]:
    spent = NOTHING
    for entry in _entries(ledger, chain):
        body = json.loads(entry.body)
        if entry.kind in (*CHARGES, LINKED):
            charged = body["charged"]
            spent += _price(charged.get("dataset", charged.get("population", "0")))
            continue
        # A register brings what it had spent before it joined.
        if entry.kind == JOINED:
            spent += _price(body["spent"])
        yield _line(entry, body, spent)


def _entries(ledger: Ledger, chain: str) -> Iterator[JournalEntry]:
    after = (chain, 0)
    while page := ledger.journal(lineage=chain, after=after, limit=PAGE):
        yield from page
        after = (chain, page[-1].number)


def _price(amount: str) -> Price:
    return NOTHING if amount == "0" else Price.parse(amount)


def _line(entry: JournalEntry, body: Mapping[str, Any], spent: Price) -> HistoryLine:
    account = body.get("account")
    if entry.kind == "open":
        kind = "population" if entry.lineage.startswith(POPULATION) else "dataset"
        account = {"kind": kind, "holder": entry.lineage}
    return HistoryLine(
        at=entry.at,
        chain=entry.lineage,
        number=entry.number,
        kind=entry.kind,
        account=account and account_label(account["kind"], account["holder"]),
        amount=body.get("amount"),
        by=body.get("by", body.get("requested_by")),
        decided_by=body.get("decided_by"),
        reason=body.get("decision_reason") or body.get("reason"),
        spent=str(spent),
    )
