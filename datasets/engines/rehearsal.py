"""Dummy answers: the exact part of a plan from generated rows of its schema. No data is opened.

The rows are the same at every call, so that only the noise differs from one dummy answer to the next.
"""

from collections.abc import Mapping

import duckdb

from datasets.engines.base import EngineLimits
from datasets.engines.connections import Connection, Connections, exact_integers
from datasets.engines.errors import EngineFailed, EngineUnavailable
from datasets.engines.format import PERSON, RANK, TABLE, code_name, unit_name
from privacy.exact import ExactRequest
from privacy.noise import Integers
from privacy.plan import Plan
from privacy.schema import Column, Schema, UndeclaredColumn

ROWS = 10_000
WORDS = 12
RUN = "dummy"


class DummyEngine:
    """Answers plans from generated rows, a table a schema; made up, so there is no place and nothing to cancel."""

    def __init__(self, limits: EngineLimits) -> None:
        self.connections = Connections(limits)

    def exact(self, plan: Plan) -> Mapping[ExactRequest, Integers]:
        """Exact integers of a plan, as an engine finds them. Raises EngineFailed."""
        schema = plan.schema
        try:
            connection = self.connections.open(schema, lambda: self._generated(schema))
        except EngineUnavailable as failure:
            raise EngineFailed from failure
        with self.connections.computing(connection, RUN) as cursor:
            return exact_integers(plan, cursor)

    def _generated(self, schema: Schema) -> Connection:
        """A table of evenly spread codes, one row in twenty missing, the same at every call."""
        connection = self.connections.locked(duckdb.connect())
        columns = [
            f"(i // {schema.rows_per_person}) AS {PERSON}",
            f"(i % {schema.rows_per_person} + 1) AS {RANK}",
            *(
                f"{_spread(place, column)} AS {code_name(place)}"
                for place, column in enumerate(schema.queryable)
            ),
            # Three persons a household, or whatever the unit is.
            *(
                f"(i // {3 * schema.rows_per_person} + 1) AS {unit_name(place)}"
                for place in range(len(schema.units))
            ),
        ]
        connection.execute(
            f"CREATE TABLE {TABLE} AS SELECT {', '.join(columns)} FROM range({ROWS}) AS numbers(i)"
        )
        return connection


def _spread(place: int, column: Column) -> str:
    """SQL for the code of row i in the queryable column number `place`."""
    if isinstance(column, UndeclaredColumn):
        # Few words, so that most pass the threshold and a dummy shows what an answer looks like.
        return f"(hash(i, {place}) % {WORDS})::BIGINT"
    code = f"{column.low} + (hash(i, {place}) % {column.high - column.low + 1})::BIGINT"
    return f"CASE WHEN hash({place}, i) % 20 = 0 THEN {column.missing} ELSE {code} END"
