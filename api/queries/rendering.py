"""An answer as a response: in the format asked for, and with what a stored answer's reader finds in headers."""

import re
from urllib.parse import quote

from flask import Response

from api.formats.base import AnswerFormat, RenderableAnswer
from api.formats.csv import CSV
from api.http.addresses import address
from api.queries.display import Display
from api.queries.labels import labelled, query_of
from api.services import services
from datasets.queries.answer import Answer, SettledAnswer
from privacy.about import spoken

BOM = b"\xef\xbb\xbf"
QUESTION_HEADER_MAX = 4_096
"""Longer headers are refused by common proxies, whose buffers for all headers hold 4 or 8 KiB."""
READABLE = ' "{}[]:,<>=!()'
"""What a header may hold as it is; whatever else of the JSON is not a letter or digit is percent-encoded."""
FILE_TITLE_MAX = 80
_NOT_IN_FILE_NAMES = re.compile(r'[\x00-\x1f\x7f"*/:<>?\\|]')


def settled_response(answer: SettledAnswer, form: AnswerFormat, shown: Display) -> Response:
    """A stored answer, the same bytes every time it is asked for in the same format and language."""
    stored = answer.stored
    response, id = answer_response(answer, form, shown, asked=stored.question), stored.id
    # CSV has no place for these, so they stand in the headers of every format.
    where = address(f"/v1/queries/{id}")
    response.headers["Content-Location"] = where
    response.headers["Link"] = f'<{where}>; rel="self", <{address("/v1/budgets")}>; rel="budget"'
    response.headers["Sudare-Query-Id"] = id
    response.headers["Sudare-Charge"] = str(stored.charge)
    return response


def answer_response(answer: Answer, form: AnswerFormat, shown: Display, *, asked: str) -> Response:
    """An answer in a format; `asked` is its question, also one that was kept as it was sent."""
    told: RenderableAnswer = answer
    if shown.labels is not None:
        dataset = answer.members["dataset"]
        # The version that was asked, not the one that answers now: words may have changed since.
        schema = services().catalog.schema(dataset["id"], dataset["version"])
        told = labelled(answer, query_of(asked), schema, shown.labels)
    body = form.render(told)
    response = Response(BOM + body if shown.bom and form is CSV else body, content_type=form.content_type)
    response.headers["Vary"] = "Accept"
    if form.suffix is not None:
        response.headers["Content-Disposition"] = _file_name(answer, form.suffix, shown)
    if (header := question_header(answer.question)) is not None:
        response.headers["Sudare-Question"] = header
    return response


def question_header(question: str | None) -> str | None:
    """The canonical question in ASCII for a header; None where it is too long for one, or not told."""
    if question is None:
        return None
    encoded = quote(question, safe=READABLE)
    return encoded if len(encoded) <= QUESTION_HEADER_MAX else None


def _file_name(answer: Answer, suffix: str, shown: Display) -> str:
    """What to call the answer as a file (RFC 6266): by dataset and query, and after RFC 8187 by the title."""
    members = answer.members
    dataset = members["dataset"]
    plain = "-".join([dataset["id"], members.get("id", members["mode"])])
    title = spoken(dataset.get("title", {}), shown.labels or "ja", dataset["id"])[:FILE_TITLE_MAX]
    said = "-".join([_NOT_IN_FILE_NAMES.sub("_", title).strip(". "), plain])
    return f"attachment; filename=\"{plain}.{suffix}\"; filename*=UTF-8''{quote(f'{said}.{suffix}', safe='')}"
