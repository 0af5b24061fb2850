"""openapi.yaml is what the server says of itself, and is valid OpenAPI 3.1 that programs can use."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from flask import Flask
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from api import create_app
from api.description.openapi import as_yaml
from api.http.problem_words import PROBLEMS
from api.settings import Settings

FILE = Path(__file__).parent.parent.parent / "openapi.yaml"


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Flask:
    folder = tmp_path_factory.mktemp("description")
    return create_app(Settings(database_url=f"sqlite:///{folder}/x.db", data_dir=folder, secret_key="x" * 32))


@pytest.fixture(scope="module")
def described(app: Flask) -> dict[str, Any]:
    found: dict[str, Any] = app.test_client().get("/openapi.json").json
    return found


def operations(described: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            if method != "parameters":
                yield f"{method.upper()} {path}", operation


def test_the_checked_in_file_is_current(described: dict[str, Any]) -> None:
    assert FILE.read_text(encoding="utf-8") == as_yaml(described), "run `make openapi`"


def test_the_file_reads_back_to_what_the_server_says(described: dict[str, Any]) -> None:
    assert yaml.safe_load(FILE.read_text(encoding="utf-8")) == described


def test_the_description_is_valid_openapi(described: dict[str, Any]) -> None:
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []


def test_every_route_of_the_api_is_described(app: Flask, described: dict[str, Any]) -> None:
    routes = {
        f"{method} {rule.rule.replace('<', '{').replace('>', '}')}"
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule.startswith("/v1") and method not in ("HEAD", "OPTIONS")
    }
    assert routes == {name for name, _ in operations(described)}


def test_every_operation_says_what_it_does_and_how_it_refuses(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        assert operation["summary"] or operation["description"], name
        for status, response in operation["responses"].items():
            if int(status) >= 400:
                # A page for whoever comes with a browser.
                assert list(response["content"]) == ["application/problem+json", "text/html"], name


def test_every_problem_of_the_catalogue_is_in_the_description(described: dict[str, Any]) -> None:
    text = " ".join(
        response["description"]
        for _, operation in operations(described)
        for response in operation["responses"].values()
    )
    undescribed = {code for code in PROBLEMS if f"`{code}`" not in text}
    assert undescribed == {"method_not_allowed"}  # of a path, not of an operation


def test_the_examples_fit_their_schemas(described: dict[str, Any]) -> None:
    bodies = [
        operation["requestBody"]["content"]["application/json"]
        for _, operation in operations(described)
        if "example" in operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    ]
    assert len(bodies) == 2
    for body in bodies:
        schema = {**body["schema"], "components": described["components"]}
        assert list(Draft202012Validator(schema).iter_errors(body["example"])) == []


def test_answers_may_gain_members_and_questions_may_not(described: dict[str, Any]) -> None:
    for name, operation in operations(described):
        for component in components(operation["responses"], described):
            assert described["components"]["schemas"][component]["additionalProperties"] is True, (
                name,
                component,
            )
        for component in components(operation.get("requestBody", {}), described):
            schema = described["components"]["schemas"][component]
            assert schema.get("additionalProperties", False) is False, (name, component)


def components(part: Any, described: dict[str, Any], seen: frozenset[str] = frozenset()) -> set[str]:
    """The components that a part of the description refers to, and those that they refer to."""
    if isinstance(part, list):
        return set().union(*(components(one, described, seen) for one in part))
    if not isinstance(part, dict):
        return set()
    found = set().union(*(components(one, described, seen) for one in part.values()))
    if "$ref" in part and (name := part["$ref"].rpartition("/")[2]) not in seen:
        found |= {name, *components(described["components"]["schemas"][name], described, seen | {name})}
    return found
