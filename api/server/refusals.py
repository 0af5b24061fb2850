"""What is answered where no request ever reached the application: whole responses, as bytes, that end a connection."""

import secrets
from email.utils import formatdate
from http import HTTPStatus
from typing import Any

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from api.http import wire
from api.http.answers import PROBLEM_TYPE
from api.http.headers import GUARDS
from api.http.problem_words import PROBLEMS
from api.http.problems import RETRY_AFTER_S, RequestRefused, language_of, problem_body
from privacy.words import Words

PARSE_PROBLEM = "bad_request"
NOT_HTTP = Words(
    ja="HTTP/1.1 の形式になっていません（ヘッダ、本文の長さ、チャンクの指定など）。予算は消費していません。",
    en="This is not well-formed HTTP/1.1: the head, the length of the body, or its chunks. Nothing was charged.",
)
STATUS = {code: PROBLEMS[code].status for code in (PARSE_PROBLEM, "request_timeout", "unavailable")}


def refusal_bytes(problem: str, message: Any = None) -> bytes:
    """A problem as a response that ends its connection; `message` is gunicorn's request, if it has a head."""
    refusal = RequestRefused(problem, detail=NOT_HTTP if problem == PARSE_PROBLEM else None)
    spoken, request_id = language_of(_accepted(message)), f"r_{secrets.token_hex(10)}"
    body = wire.dumps(problem_body(refusal, spoken, request_id))
    headers = {
        "Date": formatdate(usegmt=True),
        "Connection": "close",
        **GUARDS,
        "Cache-Control": "no-store",
        "Content-Type": PROBLEM_TYPE,
        "Content-Language": spoken,
        "Content-Length": str(len(body)),
        "X-Request-Id": request_id,
    }
    if problem in RETRY_AFTER_S:
        headers["Retry-After"] = RETRY_AFTER_S[problem]
    status = HTTPStatus(STATUS[problem])
    lines = [
        f"HTTP/1.1 {status.value} {status.phrase}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return "\r\n".join([*lines, "\r\n"]).encode("ascii") + body


def _accepted(message: Any) -> LanguageAccept:
    found = [value for name, value in message.headers if name == "ACCEPT-LANGUAGE"] if message else []
    return parse_accept_header(",".join(found), LanguageAccept)
