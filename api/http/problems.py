"""One shape for every refusal: application/problem+json (RFC 9457), from a closed list, in ja or en.

Whatever is not on the list becomes an opaque 500. No text of an exception ever reaches a caller.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from flask import Flask, Response, g, render_template, request
from werkzeug.datastructures import LanguageAccept
from werkzeug.exceptions import HTTPException

from api.http import wire
from api.http.answers import PROBLEM_TYPE
from api.http.changes import with_changes
from api.http.fields import ERRORS_MAX
from api.http.problem_advice import ADVICE
from api.http.problem_of_refusal import PROBLEM_OF, ProblemOf, Verbatim
from api.http.problem_words import MEANT, PROBLEMS, REASONS
from privacy.query import Problem
from privacy.refusal import Refusal
from privacy.words import Language, Words

SPOKEN = ("en", "ja")
"""English first: the answer to a reader who takes any language."""

CODE_OF_STATUS = {
    400: "bad_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    413: "body_too_large",
    415: "unsupported_media_type",
    422: "invalid_query",
    428: "precondition_required",
    429: "rate_limited",
    503: "unavailable",
}
# A file or an engine that is gone takes somebody to bring it back.
RETRY_AFTER_S = {"in_progress": "1", "planning_busy": "2", "unavailable": "5", "engine_unavailable": "60"}
PAGE_TYPE = "text/html"
PAGE_POLICY = "default-src 'none'; style-src 'self'; img-src 'self'; frame-ancestors 'none'; base-uri 'none'"
log = structlog.get_logger("sudare")


class RequestRefused(Refusal):
    """A refusal on the closed list of problems. `given`, `expected` fill the detail; `errors` name the places.

    `detail` is a whole sentence in place of the problem's own; `hints` are notes on what would help.
    """

    code = "request_refused"

    def __init__(
        self,
        problem: str,
        *,
        given: object = None,
        expected: object = None,
        errors: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
        detail: Words | None = None,
        hints: Sequence[Mapping[str, Any]] = (),
    ) -> None:
        super().__init__(detail or PROBLEMS[problem].detail.filled(given=given, expected=expected))
        self.problem, self.errors, self.headers = problem, errors, headers or {}
        self.hints = hints


def language() -> Language:
    """The language of the reader of this request's answer."""
    return language_of(request.accept_languages)


def language_of(accepted: LanguageAccept) -> Language:
    """The first of Accept-Language that is spoken here, else English."""
    return "ja" if accepted.best_match(SPOKEN, default="en") == "ja" else "en"


def problem_body(refusal: RequestRefused, spoken: Language, request_id: str) -> dict[str, Any]:
    """A refusal as a JSON object, for a reader of that language."""
    known = PROBLEMS[refusal.problem]
    body: dict[str, Any] = {
        "type": f"/problems/{refusal.problem.replace('_', '-')}",
        "code": refusal.problem,
        "title": known.title.within(spoken),
        "status": known.status,
        "detail": refusal.message().within(spoken),
    }
    if refusal.errors:
        body["errors"] = [_error(problem, spoken) for problem in refusal.errors[:ERRORS_MAX]]
    if refusal.hints:
        body["hints"] = list(refusal.hints)
    return body | {"request_id": request_id}


def render(refusal: RequestRefused) -> Response:
    """A refusal as a response."""
    known, spoken = PROBLEMS[refusal.problem], language()
    body = problem_body(refusal, spoken, g.get("request_id", ""))
    response = _page(body, spoken) if _is_read_by_people() else _json(body)
    response.headers.update(refusal.headers)
    response.headers["Cache-Control"] = "no-store"
    response.headers["Content-Language"] = spoken
    # Never cached, but a proxy that keeps refusals all the same must not tell one reader's to all.
    response.headers["Vary"] = "Accept, Accept-Language"
    if refusal.problem in RETRY_AFTER_S:
        response.headers["Retry-After"] = RETRY_AFTER_S[refusal.problem]
    if known.status == 401:
        response.headers["WWW-Authenticate"] = 'Bearer realm="sudare"'
    g.problem_code = refusal.problem
    return response


def _json(body: Mapping[str, Any]) -> Response:
    return Response(wire.dumps(body), body["status"], content_type=PROBLEM_TYPE)


def _is_read_by_people() -> bool:
    """Whether the reader would rather have a page than JSON, as browsers say; whoever takes anything gets JSON."""
    return request.accept_mimetypes.best_match((PROBLEM_TYPE, "application/json", PAGE_TYPE)) == PAGE_TYPE


def _page(body: Mapping[str, Any], spoken: Language) -> Response:
    """A refusal as a page, with what to do next."""
    # Relative, as the pages' own links are: a proxy may have taken a prefix off that we do not know.
    root = "../" * (request.path.count("/") - 1)
    advice = ADVICE[body["code"]].within(spoken)
    html = render_template("problem.html", **body, language=spoken, root=root, advice=advice)
    response = Response(html, body["status"], content_type=f"{PAGE_TYPE}; charset=utf-8")
    response.headers["Content-Security-Policy"] = PAGE_POLICY
    return response


def _error(problem: Problem, spoken: Language) -> dict[str, str]:
    given = problem.given if isinstance(problem.given, Verbatim) else wire.quoted(problem.given)
    expected = _shown(problem.expected, spoken)
    message = REASONS[problem.reason].filled(given=given, expected=expected).within(spoken)
    if problem.nearest is not None:
        message += MEANT.filled(nearest=wire.quoted(problem.nearest)).within(spoken)
    # What stands behind the colon chooses other words for a reason that programs know, and is for people alone.
    return {"pointer": problem.pointer, "reason": problem.reason.partition(":")[0], "message": message}


def _shown(expected: object, spoken: Language) -> str:
    if isinstance(expected, Words):
        return expected.within(spoken)
    return expected if isinstance(expected, str) else wire.quoted(expected)


def install(app: Flask) -> None:
    """Route every exception of the application to `render`."""
    # In tests and debugging, too: an exception that went further would be shown with its text.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.register_error_handler(Refusal, _refused)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _fault)


def _refused(refusal: Refusal) -> Response:
    """A refusal of any room. One that no view was to meet is a fault of ours, and is answered as one."""
    if isinstance(refusal, RequestRefused):
        return render(refusal)
    known = PROBLEM_OF.get(refusal.code)
    return _fault(refusal) if known is None else render(_as_request_refused(refusal, known))


def _as_request_refused(refusal: Refusal, known: ProblemOf) -> RequestRefused:
    fields = vars(refusal)
    return RequestRefused(
        known.problem,
        given=known.given.format(**fields),
        expected=known.expected.format(**fields),
        errors=known.places(refusal),
        detail=_ended(refusal.message()) if known.own_words else None,
        hints=with_changes(fields.get("hints", []), g.get("body")),
    )


def _ended(words: Words) -> Words:
    """A refusal's own words as whole sentences: at the terminal their last one has no full stop."""
    return Words(ja=_with_stop(words.ja, "。"), en=_with_stop(words.en, "."))


def _with_stop(text: str, stop: str) -> str:
    return text if text.endswith(stop) else f"{text}{stop}"


def _http(error: HTTPException) -> Response:
    """Werkzeug's own refusals, with the headers that belong to them (Allow, Retry-After …)."""
    if error.response is not None:
        return error.response  # type: ignore[return-value]
    code = CODE_OF_STATUS.get(error.code or 500, "bad_request" if (error.code or 500) < 500 else "internal")
    if (error.code or 500) in (301, 302, 307, 308):
        return error.get_response()  # type: ignore[return-value]
    response = render(RequestRefused(code, expected=wire.BODY_BYTES_MAX))
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
    return render(RequestRefused("internal"))
