"""An Arrow IPC stream; the schema's metadata holds the charge and the description of each column."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from api.formats.base import AnswerFormat
from privacy.answer import AnswerTable
from privacy.schema import Label

if TYPE_CHECKING:
    import pyarrow as pa

INT64_MAX = 2**63 - 1
MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def _arrow(body: bytes) -> bytes:
    # Loading pyarrow takes longer than most answers, and few readers want it.
    import pyarrow as pa

    answer = json.loads(body)
    table = AnswerTable.from_json(answer)
    metadata = {
        name: json.dumps(answer[name], ensure_ascii=False)
        for name in ("id", "dataset", "charge", "notes", "postprocessing")
        if name in answer
    }
    columns = [_array(column.values, column.role) for column in table.columns]
    fields = [
        pa.field(column.name, array.type, metadata={"sudare": json.dumps(column.description())})
        for column, array in zip(table.columns, columns, strict=True)
    ]
    batch = pa.record_batch(columns, schema=pa.schema(fields, metadata=metadata))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _array(values: Sequence[Label], role: str) -> "pa.Array":
    """An Arrow array of one type: text where text stands beside numbers, decimals beyond 64 bits."""
    import pyarrow as pa

    if not values:
        # Only counts by undeclared words can be of no words at all: keys are text, all else whole numbers.
        return pa.array([], pa.string() if role == "key" else pa.int64())
    kinds = {type(value) for value in values if value is not None}
    if str in kinds and len(kinds) > 1:
        # Ages with a total: the total's label is text.
        return pa.array([None if value is None else str(value) for value in values])
    if float in kinds:
        return pa.array([None if value is None else float(value) for value in values])
    if any(isinstance(value, int) and abs(value) > INT64_MAX for value in values):
        # A sum times a large step; Arrow would fail on it otherwise.
        return pa.array([Decimal(value) for value in values if value is not None], pa.decimal128(38))
    return pa.array(list(values))


ARROW = AnswerFormat(
    media_type=MEDIA_TYPE,
    content_type=MEDIA_TYPE,
    schema={"type": "string", "format": "binary"},
    render=_arrow,
)
