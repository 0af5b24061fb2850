"""flask-smorest with our own strictness: limits before parsing, problems with pointers, nothing ignored."""

from collections.abc import Callable
from typing import Any, NoReturn

import flask_smorest
from flask import Request, g, request
from marshmallow import RAISE, Schema, ValidationError
from webargs.flaskparser import FlaskParser

from api.http import wire
from api.http.fields import problems
from api.http.limits import count_body
from api.http.operations import View, declare
from api.http.problems import RequestRefused

REFUSED_BODIES = (
    "malformed_json",
    "bad_request",
    "request_timeout",
    "body_too_large",
    "unsupported_media_type",
    "invalid_query",
)


def json_body() -> Any:
    """The strictly parsed body of this request; kept, so that refusals can quote it."""
    if "body" not in g:
        packed = request.headers.get("Content-Encoding", "identity").lower() != "identity"
        if packed or request.mimetype != "application/json":
            raise RequestRefused("unsupported_media_type")
        if request.content_length is None:
            # Flask checks an announced length; a body that announces none it would cut at the limit without a word.
            request.max_content_length = wire.BODY_BYTES_MAX + 1
        body = request.get_data(cache=False)
        if len(body) > wire.BODY_BYTES_MAX:
            raise RequestRefused("body_too_large", expected=wire.BODY_BYTES_MAX)
        # Before it is read: whoever is above the rate costs no more than the look at its length.
        count_body(len(body))
        g.body = wire.parse(body)
    return g.body


class StrictParser(FlaskParser):
    """Reads bodies with `api.http.wire` and turns validation errors into `invalid_query`."""

    DEFAULT_UNKNOWN_BY_LOCATION = {"json": None, "query": RAISE}  # noqa: RUF012

    def load_json(self, req: Request, schema: Schema) -> Any:
        """The strictly parsed body."""
        return json_body()

    def handle_error(self, error: ValidationError, req: Request, schema: Schema, **_: Any) -> NoReturn:
        """Refuse with every problem found."""
        messages = error.normalized_messages()
        location = next((name for name in ("json", "query") if name in messages), None)
        inner = messages[location] if location else messages
        sent = g.get("body") if location == "json" else dict(req.args)
        raise RequestRefused("invalid_query", errors=problems(inner, sent))


class Blueprint(flask_smorest.Blueprint):
    """A group of endpoints."""

    ARGUMENTS_PARSER = StrictParser()

    def arguments(
        self, schema: type[Schema], *, location: str = "json", **options: Any
    ) -> Callable[[View], View]:
        """Give a view the loaded body or query string, and say what can be wrong with it."""
        # Made here and not at every request: making one copies every field of it and of the schemas nested in it.
        parsed = super().arguments(schema(), location=location, **options)

        def mark(view: View) -> View:
            reading: View = parsed(view)
            if location == "query":
                return declare(reading, refuses=("invalid_query",), reads_query=True)
            return declare(reading, refuses=REFUSED_BODIES)

        return mark
