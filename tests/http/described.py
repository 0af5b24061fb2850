"""Every answer of the HTTP lane is held against openapi.yaml: a test client that checks what it receives.

Closed, although the description is open: a reader has to live with members that are added later, but a member that
we send ourselves and describe nowhere is a fault.
"""

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from flask.testing import FlaskClient
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from werkzeug.test import TestResponse

FILE = Path(__file__).parents[2] / "openapi.yaml"
JSON, PROBLEM = "application/json", "application/problem+json"
OUTSIDE = re.compile(r"/(|docs|openapi\.json|assets/.*|problems/.*|healthz|readyz|metrics)")
"""Pages, assets, health and metrics: not of the API, so only their refusals are described."""

CODE = re.compile(r"`(\w+)`: ")
ROWS_LOOKED_AT = 200
"""Of a longer table the first and last rows: all come from one loop, and some tables have 100,000."""


class UndescribedAnswer(AssertionError):
    """The server sent what openapi.yaml does not say."""


class DescribedClient(FlaskClient):
    """Flask's test client; raises UndescribedAnswer for whatever openapi.yaml does not allow."""

    def open(self, *args: Any, **kwargs: Any) -> TestResponse:
        response = super().open(*args, **kwargs)
        for answer in (*response.history, response):
            check(answer)
        return response


def check(answer: TestResponse) -> None:
    """Hold an answer against the description of its path, method, status and type."""
    method, path, status = answer.request.method, answer.request.path, answer.status_code
    template = template_of(path)
    operation = operations().get((template or "", "GET" if method == "HEAD" else method))
    if operation is None:
        _check_elsewhere(answer, template)
        return
    found = operation["responses"].get(str(status))
    _must(found is not None, answer, "a status that is not described")
    if method == "HEAD" or "content" not in found:
        _must(answer.data == b"", answer, "a body where none is described")
        return
    _must(answer.mimetype in found["content"], answer, "a media type that is not described")
    if answer.mimetype in (JSON, PROBLEM):
        body = _parsed(answer)
        _validate(answer, body, found["content"][answer.mimetype]["schema"]["$ref"])
        if answer.mimetype == PROBLEM:
            described = CODE.findall(found["description"])
            _must(body["code"] in described, answer, f"{body['code']} is not among {described}")


def _check_elsewhere(answer: TestResponse, template: str | None) -> None:
    """Refusals of what is no operation of the API; pages and health may answer what they like."""
    status, outside = answer.status_code, OUTSIDE.fullmatch(answer.request.path)
    if answer.request.method == "OPTIONS" and status == 200:
        _must("Allow" in answer.headers and answer.data == b"", answer, "more than the methods")
    elif status >= 400:
        _must(outside or status == (405 if template else 404), answer, "a refusal that is not described")
        _must(answer.mimetype == PROBLEM, answer, "a refusal that is no problem")
        if answer.request.method != "HEAD":
            _validate(answer, _parsed(answer), "#/components/schemas/Problem")
    else:
        _must(outside or 300 <= status < 400, answer, "a path that is not described")


def _parsed(answer: TestResponse) -> Any:
    body = json.loads(answer.data)
    if len(body.get("rows", ())) > ROWS_LOOKED_AT:
        body["rows"] = body["rows"][: ROWS_LOOKED_AT // 2] + body["rows"][-ROWS_LOOKED_AT // 2 :]
    return body


def _validate(answer: TestResponse, body: Any, reference: str) -> None:
    for fault in errors(body, reference):
        raise UndescribedAnswer(f"{_name(answer)}: {fault.json_path}: {fault.message[:300]}")


def _must(holds: object, answer: TestResponse, what: str) -> None:
    if not holds:
        raise UndescribedAnswer(f"{_name(answer)}: {what}")


def _name(answer: TestResponse) -> str:
    request = answer.request
    return f"{request.method} {request.path} → {answer.status_code} {answer.mimetype}"


def errors(body: Any, reference: str) -> Iterator[ValidationError]:
    """What of a body does not fit a component of the description."""
    found: Iterator[ValidationError] = validator(reference).iter_errors(body)
    return found


@cache
def validator(reference: str) -> Draft202012Validator:
    """Compiled once a component: looking references up in the whole description costs most of the time."""
    return Draft202012Validator(resolved(reference))


def resolved(reference: str) -> Any:
    """A component with everything it refers to in place, and closed; answers refer to nothing in a circle."""
    return _closed(description()["components"]["schemas"][reference.rpartition("/")[2]])


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return resolved(schema["$ref"])
    # Where members are named, no others are ours; a map of anything names none.
    closed = {"additionalProperties": False} if schema.get("additionalProperties") is True else {}
    return {name: _closed(member) for name, member in schema.items()} | closed


@cache
def description() -> dict[str, Any]:
    """openapi.yaml, as it is checked in."""
    found: dict[str, Any] = yaml.load(
        FILE.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    )
    return found


@cache
def operations() -> dict[tuple[str, str], dict[str, Any]]:
    """By path template and method, what is described."""
    return {
        (path, method.upper()): operation
        for path, methods in description()["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    }


@cache
def templates() -> list[tuple[str, re.Pattern[str]]]:
    """The described paths, those without parameters first, and what fits them."""
    paths = sorted(description()["paths"], key=lambda path: path.count("{"))
    return [(path, re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path)))) for path in paths]


def template_of(path: str) -> str | None:
    """The described path that a request's path fits."""
    return next((template for template, fits in templates() if fits.fullmatch(path)), None)
