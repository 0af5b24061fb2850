"""A record set as it was read back, beside what only the processor knows: whose row each is, which are suppressed."""

from dataclasses import dataclass
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

from datasets.records.prepare import Prepared
from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED
from privacy.deidentify.search.engine import Recoded
from privacy.deidentify.table import Codes, Column, Table
from privacy.words import Words

S = TypeVar("S", bound=np.generic)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Record:
    """Record i of `table` is prepared row `order[i]` and row `origin[i]` of the source."""

    table: Table
    suppressed: NDArray[np.bool_]
    order: NDArray[np.intp] | None
    origin: NDArray[np.intp]
    units: Codes | None

    @classmethod
    def of(
        cls, table: Table, prepared: Prepared, recoded: Recoded, order: NDArray[np.intp] | None
    ) -> "Record":
        """Checked: as many records as rows, and no value in suppressed ones."""
        suppressed = permuted(recoded.suppressed, order)
        if table.rows != prepared.table.rows:
            # Not an assertion: what was written goes to others, so this is checked however Python is run.
            raise DeidentifyError(
                Words(
                    ja=f"{prepared.table.rows} 件のうち {table.rows} 件しか読み戻せませんでした",
                    en=f"{table.rows} records were read back of {prepared.table.rows}",
                )
            )
        for column in table.values():
            # An empty table has no values and no suppressed rows.
            if column.values and not (_texts_at(column, suppressed) <= {SUPPRESSED}):
                raise DeidentifyError(
                    Words(
                        ja=f"列 {column.name} で、削除したレコードに値が残っています",
                        en=f"column {column.name} still tells something in suppressed records",
                    )
                )
        return cls(
            table=table,
            suppressed=suppressed,
            order=order,
            origin=permuted(prepared.origin, order),
            units=None if prepared.units is None else permuted(prepared.units, order),
        )


def _texts_at(column: Column, rows: NDArray[np.bool_]) -> set[str]:
    # By codes: a look at every text of every row would take minutes.
    occurs = np.bincount(column.codes[rows], minlength=len(column.values)) > 0
    return {column.values[place] for place in np.flatnonzero(occurs).tolist()}


@overload
def permuted(rows: Table, order: NDArray[np.intp] | None) -> Table: ...


@overload
def permuted(rows: NDArray[S], order: NDArray[np.intp] | None) -> NDArray[S]: ...


def permuted(rows: Any, order: NDArray[np.intp] | None) -> Any:
    """A table or one number a row, in the order of the records."""
    return rows if order is None else rows.take(order)
