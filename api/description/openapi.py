"""The OpenAPI 3.1 description, generated from the code; `openapi.yaml` is its checked-in copy."""

from typing import Any

import yaml
from flask import Flask
from flask_smorest import Api

from api.formats import ARROW, CSV
from api.http.problem_words import PROBLEMS
from api.queries.answers import ProblemSchema

PROBLEM_TYPE = "application/problem+json"
DESCRIPTION = (
    "Differentially private statistics from registers of local governments. Every answer carries noise, "
    "95 % bounds and its price; every price is charged to a ledger of privacy budgets."
)
ALWAYS = ("unauthenticated", "invalid_query", "rate_limited", "internal", "unavailable")
ASKING = (
    "malformed_json",
    "bad_request",
    "forbidden",
    "budget_exhausted",
    "above_query_limit",
    "not_found",
    "not_acceptable",
    "idempotency_conflict",
    "in_progress",
    "gone",
    "body_too_large",
    "unsupported_media_type",
    "invalid_query",
    "accuracy_not_reachable",
    "precondition_required",
)
OF_OPERATION: dict[str, tuple[str, ...]] = {
    "POST /v1/datasets/{id}/queries": ASKING,
    "POST /v1/datasets/{id}/workloads": ASKING,
    "GET /v1/queries": ("invalid_query",),
    "GET /v1/queries/{id}": ("not_found", "not_acceptable"),
    "GET /v1/datasets": (),
    "GET /v1/datasets/{id}": ("not_found",),
    "GET /v1/budgets": (),
    "POST /v1/grants": (
        "malformed_json",
        "bad_request",
        "forbidden",
        "body_too_large",
        "unsupported_media_type",
        "invalid_query",
    ),
    "GET /v1/grants": ("forbidden", "invalid_query"),
    "POST /v1/grants/{id}/decision": (
        "malformed_json",
        "bad_request",
        "forbidden",
        "not_found",
        "conflict",
        "body_too_large",
        "unsupported_media_type",
        "invalid_query",
    ),
    "GET /v1/journal": ("forbidden", "invalid_query"),
}
"""Which refusals each operation can give, besides ALWAYS."""

IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
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

EXAMPLE = {
    "mode": "quote",
    "select": [{"as": "residents", "agg": "count"}],
    "where": {"column": "age", "op": ">=", "value": 20},
    "group_by": [{"column": "age", "bins": [20, 40, 65, 119]}],
    "budget": {"epsilon": "0.5"},
}
WORKLOAD_EXAMPLE = {
    "mode": "quote",
    "select": [{"as": "residents", "agg": "count"}],
    "tables": [
        {"as": "everybody", "group_by": []},
        {"as": "by_age", "group_by": [{"column": "age", "bins": [0, 20, 40, 65, 119]}]},
    ],
    "budget": {"epsilon": "0.5"},
}
CONDITIONS = (
    ("Query", "where"),
    ("Workload", "where"),
    ("Statistic", "numerator"),
    ("Statistic", "denominator"),
)
"""Members that hold a filter."""

ONE_OF = {"Budget": ("epsilon", "rho", "accuracy"), "Grant": ("user", "organisation", "dataset_cap")}
"""Members of which exactly one is given."""


class SudareApi(Api):
    """flask-smorest without its own error handler and pages: ours are `problems` and `pages`."""

    ERROR_SCHEMA = ProblemSchema

    def _register_error_handlers(self) -> None:
        """Leave errors to `api.http.problems`."""


def document(api: Api, app: Flask) -> dict[str, Any]:
    """The finished description."""
    described: dict[str, Any] = api.spec.to_dict()
    described["info"] |= {"description": DESCRIPTION}
    described["servers"] = [{"url": "/"}]
    components = described.setdefault("components", {})
    components["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key, sdr_…"}
    }
    described["security"] = [{"key": []}]
    components["responses"] = {}
    schemas = components["schemas"]
    for name, member in CONDITIONS:
        said = schemas[name]["properties"][member].get("description")
        schemas[name]["properties"][member] = {
            "$ref": "#/components/schemas/Condition",
            **({"description": said} if said else {}),
        }
    for name, members in ONE_OF.items():
        schemas[name]["oneOf"] = [{"required": [member]} for member in members]
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            if method != "parameters":
                _finish(operation, f"{method.upper()} {path}")
    return described


def _finish(operation: dict[str, Any], name: str) -> None:
    """Give an operation its refusals, formats and headers."""
    responses = {code: response for code, response in operation["responses"].items() if code.startswith("2")}
    by_status: dict[int, list[str]] = {}
    for code in dict.fromkeys((*OF_OPERATION[name], *ALWAYS)):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    for status, codes in sorted(by_status.items()):
        responses[str(status)] = {
            "description": "; ".join(f"`{code}`: {PROBLEMS[code].title.en}" for code in codes),
            "content": {PROBLEM_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
    operation["responses"] = responses
    if ("queries" in name or "workloads" in name) and name != "GET /v1/queries":
        content = responses["200"]["content"]
        content[CSV] = {"schema": {"type": "string"}}
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    if name.startswith("POST /v1/datasets"):
        operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        example = EXAMPLE if "queries" in name else WORKLOAD_EXAMPLE
        operation["requestBody"]["content"]["application/json"]["example"] = example
    if name == "GET /v1/queries/{id}":
        responses["304"] = {"description": "Not modified"}


def as_yaml(described: dict[str, Any]) -> str:
    """The description as it is checked in."""
    return yaml.dump(described, Dumper=_Plain, sort_keys=True, allow_unicode=True, width=110)


class _Plain(yaml.SafeDumper):
    """YAML without anchors: what is said twice is written twice."""

    def ignore_aliases(self, data: Any) -> bool:
        return True
