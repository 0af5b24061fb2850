"""An answer's table in the forms that clients read: the same released numbers in each."""

import csv
import io
import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from werkzeug.datastructures import MIMEAccept

from privacy.answer import AnswerTable
from privacy.result_columns import AnswerColumn
from privacy.schema import Label

if TYPE_CHECKING:
    import pyarrow as pa

INT64_MAX = 2**63 - 1
JSON = "application/json"
CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
FORMULA_STARTS = ("=", "+", "-", "@", "＝", "＋", "－", "＠", "'")
"""What spreadsheets take for the beginning of a formula (after OWASP, "CSV injection"), and our own mark.

Tabs and line ends belong there, too, but no undeclared word begins with one.
"""

AVAILABLE = (JSON, CSV, ARROW)


def chosen(accept: MIMEAccept) -> str | None:
    """The format a client prefers; JSON if it does not care, None if it takes none of ours."""
    if not accept:
        return JSON
    return accept.best_match(AVAILABLE)


def rendered(body: bytes, kind: str) -> bytes:
    """A JSON answer in another format."""
    if kind == JSON:
        return body
    answer = json.loads(body)
    told = AnswerTable.from_json(answer)
    return _csv(told) if kind == CSV else _arrow(told, answer)


def content_type(kind: str) -> str:
    """The Content-Type header of a format."""
    return "text/csv; charset=utf-8; header=present" if kind == CSV else kind


def _csv(told: AnswerTable) -> bytes:
    """RFC 4180, one header row; a missing key is an empty field."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([column.name for column in told.columns])
    writer.writerows(zip(*(_fields(column) for column in told.columns), strict=True))
    return text.getvalue().encode()


def _fields(column: AnswerColumn) -> Sequence[Label]:
    """Undeclared words come from the register: one that a spreadsheet would run begins with an apostrophe."""
    if not column.about.get("undeclared"):
        return column.values
    return [f"'{word}" if str(word).startswith(FORMULA_STARTS) else word for word in column.values]


def _array(values: Sequence[Label], role: str) -> "pa.Array":
    """An Arrow array; whole numbers beyond 64 bits (a sum times a large step) become decimals, not a fault.

    Numbers beside text (ages with a total) become text. Without values, keys are text and all else is whole
    numbers: only counts by undeclared words can be of no words at all.
    """
    import pyarrow as pa

    if not values:
        return pa.array([], pa.string() if role == "key" else pa.int64())
    kinds = {type(value) for value in values if value is not None}
    if str in kinds and len(kinds) > 1:
        return pa.array([None if value is None else str(value) for value in values])
    if float in kinds:
        return pa.array([None if value is None else float(value) for value in values])

    if any(isinstance(value, int) and abs(value) > INT64_MAX for value in values):
        return pa.array([Decimal(value) for value in values if value is not None], pa.decimal128(38))
    return pa.array(list(values))


def _arrow(told: AnswerTable, answer: dict[str, Any]) -> bytes:
    """An Arrow IPC stream; the schema's metadata holds the charge and the description of each column."""
    import pyarrow as pa

    metadata = {
        name: json.dumps(answer[name], ensure_ascii=False)
        for name in ("id", "dataset", "charge", "notes", "postprocessing")
        if name in answer
    }
    columns = [_array(column.values, column.role) for column in told.columns]
    fields = [
        pa.field(column.name, array.type, metadata={"sudare": json.dumps(column.description())})
        for column, array in zip(told.columns, columns, strict=True)
    ]
    batch = pa.record_batch(columns, schema=pa.schema(fields, metadata=metadata))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())
