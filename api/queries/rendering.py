"""A table as a response: in the format asked for, and with what a stored answer's reader finds in headers."""

from flask import Response

from api.formats.base import AnswerFormat
from datasets.ledger.answers import StoredAnswer
from datasets.queries.service import joined


def table_response(body: bytes, form: AnswerFormat) -> Response:
    """A JSON answer in a format."""
    response = Response(form.render(body), content_type=form.content_type)
    response.headers["Vary"] = "Accept"
    return response


def stored_response(stored: StoredAnswer, table: bytes, form: AnswerFormat) -> Response:
    """A stored answer with its table, the same bytes every time it is asked for in the same format."""
    response = table_response(joined(stored, table), form)
    # CSV has no place for these, so they stand in the headers of every format.
    response.headers["Content-Location"] = f"/v1/queries/{stored.id}"
    response.headers["Link"] = f'</v1/queries/{stored.id}>; rel="self", </v1/budgets>; rel="budget"'
    response.headers["Sudare-Query-Id"] = stored.id
    response.headers["Sudare-Charge"] = str(stored.charge)
    return response
