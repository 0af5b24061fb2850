"""What is worked out of a question without its data: the plan, what a quote says, an answer from generated rows.

All of it can take a second of CPU, follows from question and schema alone, and can be done in another process: these
are functions of values that can be pickled.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from datasets.engines.base import EngineLimits
from datasets.engines.rehearsal import DummyEngine
from privacy import hints
from privacy.answer import AnswerTable, release, released_codes, table
from privacy.noise import Noise, OpendpNoise
from privacy.plan import AboveQueryLimit, Plan, plan
from privacy.query import NotReachable, Query
from privacy.quote import expectation, narrower_bound, strategy_comparison
from privacy.schema import Schema


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedQuote:
    """A plan, and what a quote says of it beside its price."""

    plan: Plan
    members: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """A plan, and the table of its answer from generated rows."""

    plan: Plan
    table: AnswerTable


class Preparation:
    """Prepares in this process. `rehearse` needs an engine of generated rows, and noise: OpenDP's as a rule."""

    def __init__(self, engine: DummyEngine, noise: Noise | None = None) -> None:
        self._engine, self._noise = engine, noise or OpendpNoise()

    def plan(self, query: Query, schema: Schema) -> Plan:
        """The plan. Raises what `privacy.plan.plan` raises; a refusal's `hints` say what reaches the accuracy."""
        try:
            return plan(query, schema)
        except (AboveQueryLimit, NotReachable) as refusal:
            # Only here, where the question is not answered: an answer's way plans nothing but itself.
            refusal.hints = hints.ways_to_reach(query, schema, refusal)
            raise

    def quote(self, query: Query, schema: Schema) -> PreparedQuote:
        """The plan and what a quote says. Raises what `plan` raises."""
        planned = self.plan(query, schema)
        members = {
            "expected": expectation(planned),
            **strategy_comparison(planned),
            **narrower_bound(planned),
            "notes": hints.notes(planned),
        }
        return PreparedQuote(plan=planned, members=members)

    def rehearse(self, query: Query, schema: Schema) -> Rehearsed:
        """The plan and an answer, noise and all. Raises what `plan` raises, and EngineFailed."""
        planned = self.plan(query, schema)
        # Generated codes stand for no values; numbered ones take their place.
        released = release(planned, self._engine.exact(planned), self._noise)
        values = [f"value {code + 1}" for code in released_codes(planned, released).tolist()]
        return Rehearsed(plan=planned, table=table(planned, released, values))


TASKS: dict[str, Callable[..., Any]] = {
    name: getattr(Preparation, name) for name in ("plan", "quote", "rehearse")
}
"""What a planner process can be asked to do, by name."""


def preparation(limits: EngineLimits) -> Preparation:
    """A preparation with parts of its own, for a process of its own."""
    return Preparation(DummyEngine(limits))
