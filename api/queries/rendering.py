"""An answer as a response: in the format asked for, and with what a stored answer's reader finds in headers."""

from flask import Response

from api.formats.base import AnswerFormat, RenderableAnswer
from api.http.addresses import address
from datasets.queries.answer import SettledAnswer


def answer_response(answer: RenderableAnswer, form: AnswerFormat) -> Response:
    """An answer in a format."""
    response = Response(form.render(answer), content_type=form.content_type)
    response.headers["Vary"] = "Accept"
    return response


def settled_response(answer: SettledAnswer, form: AnswerFormat) -> Response:
    """A stored answer, the same bytes every time it is asked for in the same format."""
    response, id = answer_response(answer, form), answer.stored.id
    # CSV has no place for these, so they stand in the headers of every format.
    response.headers["Content-Location"] = address(f"/v1/queries/{id}")
    response.headers["Link"] = (
        f'<{address(f"/v1/queries/{id}")}>; rel="self", <{address("/v1/budgets")}>; rel="budget"'
    )
    response.headers["Sudare-Query-Id"] = id
    response.headers["Sudare-Charge"] = str(answer.stored.charge)
    return response
