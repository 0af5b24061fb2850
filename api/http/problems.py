"""One shape for every refusal: application/problem+json (RFC 9457), from a closed list, in ja or en.

Whatever is not on the list becomes an opaque 500. No text of an exception ever reaches a caller.
"""

from typing import Any

import structlog
from flask import Flask, Response, g, request
from werkzeug.exceptions import HTTPException

from api.http import wire
from api.http.problem_words import PROBLEMS, REASONS
from datasets.database.store import Unavailable
from datasets.ledger.ledger import BudgetExhausted, DeltaExhausted
from datasets.queries.service import AnswerFailed, Conflict, InProgress, NotOpen, Retired
from privacy import delta
from privacy.plan import AboveQueryLimit
from privacy.query import InvalidQuery, NotReachable, Problem

LANGUAGES = ("en", "ja")
CODE_OF_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_query",
    428: "precondition_required",
    429: "rate_limited",
    503: "unavailable",
}
CODE_OF_ERROR: dict[type[Exception], str] = {
    NotOpen: "not_found",
    Retired: "gone",
    Conflict: "idempotency_conflict",
    InProgress: "in_progress",
    AnswerFailed: "internal",
    Unavailable: "unavailable",
}
RETRY_AFTER_S = {"in_progress": "1", "unavailable": "5"}
ERRORS_MAX = 50
log = structlog.get_logger("sudare")


class Refusal(Exception):
    """A refusal on the closed list. `given`, `expected` fill the detail; `errors` name the places."""

    def __init__(
        self,
        code: str,
        *,
        given: object = None,
        expected: object = None,
        errors: list[Problem] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code, self.given, self.expected = code, given, expected
        self.errors, self.headers = errors or [], headers or {}


def language() -> str:
    """The language of the reader: the first of Accept-Language that is spoken here, else English."""
    return request.accept_languages.best_match(LANGUAGES, default="en")


def render(refusal: Refusal) -> Response:
    """A refusal as a response."""
    status, titles, details = PROBLEMS[refusal.code]
    tongue = LANGUAGES.index(language())
    body: dict[str, Any] = {
        "type": f"/problems/{refusal.code.replace('_', '-')}",
        "code": refusal.code,
        "title": titles[tongue],
        "status": status,
        "detail": details[tongue].format(given=refusal.given, expected=refusal.expected),
    }
    if refusal.errors:
        body["errors"] = [_error(problem, tongue) for problem in refusal.errors[:ERRORS_MAX]]
    body["request_id"] = g.get("request_id", "")
    response = Response(wire.dumps(body), status, content_type="application/problem+json")
    response.headers.update(refusal.headers)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = language()
    if refusal.code in RETRY_AFTER_S:
        response.headers["Retry-After"] = RETRY_AFTER_S[refusal.code]
    if status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="sudare"'
    g.problem_code = refusal.code
    return response


def _error(problem: Problem, tongue: int) -> dict[str, str]:
    template = REASONS[problem.reason][tongue]
    given = problem.given if isinstance(problem.given, Verbatim) else wire.quoted(problem.given)
    expected = problem.expected if isinstance(problem.expected, str) else wire.quoted(problem.expected)
    message = template.format(given=given, expected=expected)
    return {"pointer": problem.pointer, "reason": problem.reason, "message": message}


def install(app: Flask) -> None:
    """Route every exception of the application to `render`."""
    # In tests and debugging, too: an exception that went further would be shown with its text.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.register_error_handler(Refusal, render)
    app.register_error_handler(InvalidQuery, _invalid)
    app.register_error_handler(AboveQueryLimit, _above_limit)
    app.register_error_handler(NotReachable, _not_reachable)
    app.register_error_handler(BudgetExhausted, _exhausted)
    app.register_error_handler(DeltaExhausted, _delta_exhausted)
    app.register_error_handler(wire.MalformedJson, _malformed)
    for kind in CODE_OF_ERROR:
        app.register_error_handler(kind, _known)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _known(error: Exception) -> Response:
    """Refusals that need no more words than their code."""
    return render(Refusal(CODE_OF_ERROR[type(error)]))


def _invalid(error: InvalidQuery) -> Response:
    return render(Refusal("invalid_query", errors=error.problems))


def _above_limit(error: AboveQueryLimit) -> Response:
    return render(Refusal("above_query_limit", given=str(error.price), expected=str(error.limit)))


def _not_reachable(error: NotReachable) -> Response:
    place = Problem(
        pointer=error.pointer, reason="reachable", given=Verbatim(error.within), expected=error.reachable
    )
    refusal = Refusal("accuracy_not_reachable", given=error.within, expected=str(error.limit), errors=[place])
    return render(refusal)


class Verbatim(str):
    """Text to be repeated without quotation marks."""


def _exhausted(error: BudgetExhausted) -> Response:
    return render(
        Refusal("budget_exhausted", given=f"{error.kind}:{error.holder}", expected=str(error.remaining))
    )


def _delta_exhausted(error: DeltaExhausted) -> Response:
    left = f"δ {delta.shown(delta.atto_of(error.remaining))}"
    return render(Refusal("budget_exhausted", given=f"dataset:{error.holder}", expected=left))


def _malformed(error: wire.MalformedJson) -> Response:
    given = Verbatim("" if error.given is None else error.given)
    place = Problem(pointer=error.pointer, reason=error.reason, given=given, expected=error.expected)
    return render(Refusal("malformed_json", errors=[place]))


def _http(error: HTTPException) -> Response:
    """Werkzeug's own refusals, with the headers that belong to them (Allow, Retry-After …)."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    code = CODE_OF_STATUS.get(error.code or 500, "bad_request" if (error.code or 500) < 500 else "internal")
    if (error.code or 500) in (301, 302, 307, 308):
        return error.get_response()  # type: ignore[return-value]
    response = render(Refusal(code, expected=wire.BODY_BYTES_MAX))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after"):
            response.headers[name] = value
    return response


def _fault(error: Exception) -> Response:
    """The last resort: the log gets the kind and the place of the fault, the caller neither."""
    trace, place = error.__traceback__, "?"
    while trace is not None:
        place = f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}"
        trace = trace.tb_next
    log.error("fault", kind=type(error).__name__, place=place, request_id=g.get("request_id", ""))
    return render(Refusal("internal"))
