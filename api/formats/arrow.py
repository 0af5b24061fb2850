"""An Arrow IPC stream; the schema's metadata holds the charge and the description of each column."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from api.formats.base import AnswerFormat, RenderableAnswer
from privacy.schema import Label

if TYPE_CHECKING:
    import pyarrow as pa

INT64_MAX = 2**63 - 1
MEDIA_TYPE = "application/vnd.apache.arrow.stream"


def _arrow(answer: RenderableAnswer) -> bytes:
    # Loading pyarrow takes longer than most answers, and few readers want it.
    import pyarrow as pa

    table, members = answer.table, answer.members
    metadata = {
        name: json.dumps(members[name], ensure_ascii=False)
        for name in ("id", "dataset", "question_text", "charge", "notes", "postprocessing")
        if name in members
    }
    if answer.question is not None:
        metadata["question"] = answer.question
    columns = [_array(column.values, column.role) for column in table.columns]
    fields = [
        pa.field(column.name, array.type, metadata={"sudare": json.dumps(column.description())})
        for column, array in zip(table.columns, columns, strict=True)
    ]
    batch = pa.record_batch(columns, schema=pa.schema(fields, metadata=metadata))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    written: bytes = sink.getvalue().to_pybytes()
    return written


def _array(values: Sequence[Label], role: str) -> "pa.Array":
    """An Arrow array of one type: text where text stands beside numbers, decimals beyond 64 bits."""
    import pyarrow as pa

    if not values:
        # Counts by undeclared words, or what `having` left: keys are text, what was derived is not, nor all else.
        kind = {"key": pa.string(), "label": pa.string(), "derived": pa.float64()}.get(role, pa.int64())
        return pa.array([], kind)
    kinds = set(map(type, values)) - {type(None)}
    if str in kinds and len(kinds) > 1:
        # Ages with a total: the total's label is text.
        return pa.array([None if value is None else str(value) for value in values])
    if float in kinds or (role == "derived" and not kinds):
        return pa.array([None if value is None else float(value) for value in values])
    if kinds == {int} and _leaves_64_bits(values):
        # A sum times a large step; Arrow would fail on it otherwise.
        return pa.array([None if value is None else Decimal(value) for value in values], pa.decimal128(38))
    return pa.array(values)


def _leaves_64_bits(values: Sequence[Label]) -> bool:
    numbers = [value for value in values if isinstance(value, int)]
    return max(numbers) > INT64_MAX or min(numbers) < -INT64_MAX


ARROW = AnswerFormat(
    media_type=MEDIA_TYPE,
    content_type=MEDIA_TYPE,
    schema={"type": "string", "format": "binary"},
    render=_arrow,
)
