"""Totals of the ledger for whoever watches the server: nobody's own accounts, and nothing of any question."""

from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import func, select

from datasets.database.closed_lists import CHAINED
from datasets.database.installation import installation
from datasets.database.store import Store
from datasets.database.tables import AccountRow, AnswerRow
from datasets.ledger.accounts import POPULATION
from privacy.budget import NANO

_a = AccountRow.__table__.c
CAPS = select(_a.kind, _a.lineage, _a.granted, _a.spent).where(_a.kind.in_(CHAINED), _a.granted.is_not(None))
LINES = select(func.coalesce(func.sum(_a.entries), 0)).where(_a.kind.in_(CHAINED))
SETTLEMENTS = select(func.count()).select_from(AnswerRow)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapTotal:
    """A cap over everybody, of a dataset (by lineage) or a population: ε or ρ, as its measure has it."""

    kind: str
    name: str
    granted: Decimal
    remaining: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerTotals:
    """The caps, how many answers were settled, and how many lines all chains have."""

    caps: tuple[CapTotal, ...]
    settlements: int
    journal_lines: int


def ledger_totals(store: Store) -> LedgerTotals:
    """The totals as they stand."""
    with store.reading() as connection:
        return LedgerTotals(
            caps=tuple(
                CapTotal(
                    kind=row.kind,
                    name=row.lineage.removeprefix(POPULATION),
                    granted=Decimal(row.granted) / NANO,
                    remaining=Decimal(row.granted - row.spent) / NANO,
                )
                for row in connection.execute(CAPS.order_by(_a.kind, _a.lineage))
            ),
            settlements=connection.execute(SETTLEMENTS).scalar_one(),
            # Counted by the accounts that carry the heads: the journal itself may be long.
            journal_lines=int(connection.execute(LINES).scalar_one()) + installation(connection).entries,
        )
