"""Idempotency keys: the same key and question give the same answer for ever, and cost once.

After the IETF draft "The Idempotency-Key HTTP Header Field"; the key may be quoted, as a structured field is, or not.
"""

import contextlib
import re
from functools import wraps
from typing import Any

from flask import request

from api.http import wire
from api.http.blueprints import json_body
from api.http.identity import caller
from api.http.operations import View, answer_format, declare, takes_header
from api.http.problems import RequestRefused
from api.queries.display import Display
from api.queries.rendering import settled_response
from api.services import services
from datasets.ledger.errors import NoAnswer
from datasets.queries.errors import Conflict
from datasets.queries.service import digest_of

HEADER = "Idempotency-Key"
KEY = re.compile(r'"[\x21\x23-\x7e]{1,255}"|[\x21\x23-\x7e]{1,255}')
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Required for mode run: 1 to 255 visible ASCII characters, quoted or not, new for each question.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": 257,
        "pattern": r'^("[\x21\x23-\x7e]{1,255}"|[\x21\x23-\x7e]{1,255})$',
    },
}


def idempotent(view: View) -> View:
    """Give a retry of a run its first answer; the view itself answers what was not asked before.

    The view's first argument is the Display, read before it.
    """

    @wraps(view)
    def answered(shown: Display, *args: Any, **kwargs: Any) -> Any:
        # Before the body is looked at any closer than to see that it is the same: a retry is answered even where
        # the dataset's schema, its limits or our own checks have changed since.
        body, key = json_body(), request.headers.get(HEADER, "")
        if KEY.fullmatch(key) and isinstance(body, dict) and body.get("mode", "run") == "run":
            # What cannot be replayed goes on to the view, which refuses it with the right words.
            with contextlib.suppress(NoAnswer, Conflict, wire.NotCanonical):
                form = answer_format()
                answer = services().queries.replay(
                    user=caller().name,
                    key=key.strip('"'),
                    digest=digest_of(kwargs["id"], wire.canonical(body)),
                )
                return settled_response(answer, form, shown)
        return view(shown, *args, **kwargs)

    refused = ("idempotency_conflict", "in_progress", "precondition_required")
    return takes_header(PARAMETER)(declare(answered, refuses=refused))  # type: ignore[return-value]


def idempotency_key(*, required: bool) -> str:
    """The key of this request, "" if there is none; a malformed one is refused even where none is needed."""
    key = request.headers.get(HEADER, "")
    if not KEY.fullmatch(key) and (required or HEADER in request.headers):
        raise RequestRefused("precondition_required")
    return key.strip('"')
