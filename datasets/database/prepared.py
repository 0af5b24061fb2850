"""Questions to the database that are asked at every request: Core statements, written as SQL once for each dialect.

Executing a statement through SQLAlchemy takes several times what the driver and the database need for a small one. The
statements stay Core's, by column name, and so do their rows.
"""

from collections import namedtuple
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sqlalchemy import Dialect, Select


@dataclass(frozen=True, slots=True, kw_only=True)
class _Written:
    """A statement as the driver of a dialect takes it; `order` names its parameters where they have none."""

    text: str
    constants: Mapping[str, Any]
    order: Sequence[str] | None

    def parameters(self, values: Mapping[str, Any]) -> Any:
        """The values, and the constants of the statement itself, as the driver takes them."""
        named = {**self.constants, **values}
        return named if self.order is None else [named[name] for name in self.order]


class PreparedSelect:
    """A SELECT whose columns are texts, whole numbers or bytes, which drivers give as they are."""

    def __init__(self, statement: Select[Any]) -> None:
        self._statement = statement
        self._written: dict[str, _Written] = {}

    def all(self, driver: Any, dialect: Dialect, values: Mapping[str, Any]) -> list[Any]:
        """The rows, their columns by name, from a connection of a dialect's driver. Raises the driver's errors."""
        written = self._written.get(dialect.name) or self._write(dialect)
        found = driver.execute(written.text, written.parameters(values)).fetchall()
        return [self._row._make(row) for row in found]

    @cached_property
    def _row(self) -> Any:
        return namedtuple("Row", [column.name for column in self._statement.selected_columns])

    def _write(self, dialect: Dialect) -> _Written:
        compiled: Any = self._statement.compile(dialect=dialect)
        assert "POSTCOMPILE" not in compiled.string, (
            "a list of values is written anew each time: spell it out"
        )
        written = _Written(
            text=compiled.string,
            constants={name: bind.value for name, bind in compiled.binds.items() if not bind.required},
            order=compiled.positiontup if compiled.positional else None,
        )
        self._written[dialect.name] = written
        return written
