"""Pages for people: the API's description, browsable at /docs, and what each problem means."""

from pathlib import Path

from flask import Blueprint, Response, current_app, redirect, render_template, send_from_directory
from werkzeug.wrappers import Response as Answer

from api.http import wire
from api.http.addresses import address
from api.http.problem_advice import ADVICE
from api.http.problem_words import PROBLEMS
from api.http.problems import RequestRefused, language

blueprint = Blueprint("pages", __name__, template_folder="templates")
STATIC = Path(__file__).parents[1] / "static"
# Stylesheets inline, because Swagger UI sets styles on its elements; scripts never are.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; "
    "connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
DAY_S = 86_400


@blueprint.get("/")
def home() -> Answer:
    """The description is where a visitor starts."""
    # Relative, so that a proxy may put the server under a path of its own.
    return redirect("docs")


@blueprint.get("/openapi.json")
def description() -> Response:
    """The OpenAPI 3.1 description."""
    # Programs that are made from the description call the addresses that it tells.
    servers = [{"url": address("/")}]
    body = wire.dumps({**current_app.extensions["sudare_openapi"], "servers": servers})
    response = Response(body, content_type="application/json")
    response.headers["Cache-Control"] = "public, max-age=300"
    return response


@blueprint.get("/docs")
def docs() -> Response:
    """The description as a page to read and try."""
    return _page(render_template("docs.html", language=language()))


@blueprint.get("/assets/<path:name>")
def asset(name: str) -> Response:
    """Stylesheets and scripts, all our own or vendored."""
    response = send_from_directory(STATIC, name, max_age=DAY_S)
    response.headers["Cache-Control"] = f"public, max-age={DAY_S}"
    return response


@blueprint.get("/problems/<code>")
def problem(code: str) -> Response:
    """What a problem means and what to do about it."""
    known = PROBLEMS.get(code.replace("-", "_"))
    # Codes in addresses have hyphens, as words in addresses have: /problems/budget-exhausted.
    if known is None:
        raise RequestRefused("not_found")
    spoken = language()
    return _page(
        render_template(
            "problem.html",
            language=spoken,
            root="../",
            code=code.replace("-", "_"),
            status=known.status,
            title=known.title.within(spoken),
            detail=known.meaning.within(spoken),
            advice=ADVICE[code.replace("-", "_")].within(spoken),
        )
    )


def _page(html: str) -> Response:
    response = Response(html, content_type="text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["Content-Language"] = language()
    # Without it a proxy would give the first reader's language to all.
    response.headers["Vary"] = "Accept-Language"
    response.headers["Cache-Control"] = "public, max-age=300"
    return response
