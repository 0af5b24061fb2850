"""An INSERT that leaves a row alone if it is there already, which SQLAlchemy has in each dialect apart."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite


def insert_if_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert a row unless one with such a key stands there (ON CONFLICT DO NOTHING); whether it was inserted."""
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    # SQLAlchemy drops the count of an INSERT's rows unless it is asked to keep it: on PostgreSQL it is -1 then.
    kept = {"preserve_rowcount": True}
    return (
        connection.execute(insert(table).on_conflict_do_nothing(), row, execution_options=kept).rowcount == 1
    )
