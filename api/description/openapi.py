"""The OpenAPI 3.1 description, generated from what the views say of themselves; `openapi.yaml` is its checked-in copy.

Knows no endpoint, schema or member by name.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml
from apispec.ext.marshmallow import MarshmallowPlugin
from apispec.ext.marshmallow.openapi import OpenAPIConverter
from flask import Flask
from flask_smorest import Api, Blueprint
from marshmallow.fields import Field

from api.http.answers import PROBLEM_TYPE, ProblemSchema
from api.http.operations import ApiOperation, operation_of
from api.http.problem_words import PROBLEMS

DESCRIPTION = (
    "Differentially private statistics from registers of local governments. Every answer carries noise, "
    "95 % bounds and its price; every price is charged to a ledger of privacy budgets."
)
KEY_SCHEME = {"type": "http", "scheme": "bearer", "description": "An API key, sdr_…"}
PROBLEM = {
    PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}},
    # For whoever asks with a browser.
    "text/html": {"schema": {"type": "string"}},
}
EXTENSION = "sudare_openapi"


class DescribingConverter(OpenAPIConverter):
    """apispec's converter, with what our schemas and fields say beyond marshmallow."""

    def schema2jsonschema(self, schema: Any) -> dict[str, Any]:
        """A schema, and of which members exactly one is given."""
        described: dict[str, Any] = super().schema2jsonschema(schema)
        if chosen := getattr(schema, "exactly_one", ()):
            described["oneOf"] = [_choice(member, schema.beside) for member in chosen]
        return described


def _choice(member: str, beside: Mapping[str, str]) -> dict[str, Any]:
    """One choice of several: the member, and what goes with it or must not."""
    if member in beside:
        return {"required": [member, beside[member]]}
    others = [{"required": [other]} for other in sorted(set(beside.values()))]
    return {"required": [member], **({"not": {"anyOf": others}} if others else {})}


class DescribingPlugin(MarshmallowPlugin):
    """apispec's plugin with our converter."""

    # The plugin makes its converter itself, when the specification asks for it.
    Converter = DescribingConverter


def component_of(converter: OpenAPIConverter, field: Field[Any], **_: Any) -> dict[str, str]:
    """A reference to the named schema that a field keeps, which is described when it is first met."""
    if not hasattr(field, "component"):
        return {}
    # Once only: apispec takes a second schema of one name for a mistake.
    name, schema = field.component
    if name not in converter.spec.components.schemas:
        converter.spec.components.schema(name, schema)
    return {"$ref": f"#/components/schemas/{name}"}


class SudareApi(Api):
    """flask-smorest without its own error handler, error responses and pages: ours are `problems` and `pages`."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Leave errors to `api.http.problems`."""


def install(app: Flask, rooms: Sequence[Blueprint]) -> None:
    """Register the rooms' endpoints and describe them."""
    app.config.update(API_TITLE="Sudare", API_VERSION="v1", OPENAPI_VERSION="3.1.0")
    api = SudareApi(app, spec_kwargs={"marshmallow_plugin": DescribingPlugin()})
    api.ma_plugin.converter.add_attribute_function(component_of)
    for room in rooms:
        api.register_blueprint(room)
    app.extensions[EXTENSION] = _document(api, app)


def _document(api: Api, app: Flask) -> dict[str, Any]:
    """The finished description."""
    described: dict[str, Any] = api.spec.to_dict()
    described["info"] |= {"description": DESCRIPTION}
    described["servers"] = [{"url": "/"}]
    described["components"]["securitySchemes"] = {"key": KEY_SCHEME}
    described["security"] = [{"key": []}]
    # flask-smorest fills these for errors of its own, which nobody ever gets from us.
    described["components"]["responses"] = {}
    for path, method, operation in operations(app):
        _finish(described["paths"][path][method], operation)
    return described


def operations(app: Flask) -> Iterator[tuple[str, str, ApiOperation]]:
    """The described operations of an application: path, method in lower case, what its view says of itself."""
    described = {name for name, blueprint in app.blueprints.items() if isinstance(blueprint, Blueprint)}
    for rule in app.url_map.iter_rules():
        if rule.endpoint.rpartition(".")[0] in described:
            path = rule.rule.replace("<", "{").replace(">", "}")
            # Flask answers these two by itself for every path.
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
                yield path, method.lower(), operation_of(app.view_functions[rule.endpoint])


def _finish(described: dict[str, Any], operation: ApiOperation) -> None:
    """Give an operation its refusals, formats and headers."""
    given = {code: response for code, response in described["responses"].items() if code[0] in "23"}
    for form in operation.formats:
        if form.schema is not None:
            given["200"]["content"][form.media_type] = {"schema": dict(form.schema)}
    if operation.roles is None:
        described["security"] = []  # the description's own rule is that every operation needs a key
    if operation.headers:
        described.setdefault("parameters", []).extend(operation.headers)
    described["responses"] = given | _refusals(operation)


def _refusals(operation: ApiOperation) -> dict[str, Any]:
    """By status, the problems that an operation answers with, in the order of the catalogue."""
    # A mistyped code on a view stops the start, not the first reader of the description.
    assert operation.refusals <= PROBLEMS.keys(), operation.refusals - PROBLEMS.keys()
    by_status: dict[int, list[str]] = {}
    for code, problem in PROBLEMS.items():
        if code in operation.refusals:
            by_status.setdefault(problem.status, []).append(f"`{code}`: {problem.title.en}")
    return {
        str(status): {"description": "; ".join(texts), "content": PROBLEM}
        for status, texts in by_status.items()
    }


def as_yaml(described: dict[str, Any]) -> str:
    """The description as it is checked in."""
    return yaml.dump(described, Dumper=WithoutAnchors, sort_keys=True, allow_unicode=True, width=110)


class WithoutAnchors(yaml.SafeDumper):
    """YAML that writes twice what stands in two places."""

    def ignore_aliases(self, data: Any) -> bool:
        """True: tools that read OpenAPI stumble over anchors."""
        return True
