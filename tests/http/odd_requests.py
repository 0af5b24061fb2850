"""A few hundred requests, sensible and not, in a fixed order: what neighbours are compared by."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from small_town import Visitor
from werkzeug.test import TestResponse

JSON, CSV, ARROW = "application/json", "text/csv", "application/vnd.apache.arrow.stream"
CHEAP = {"epsilon": "0.004"}
N = {"as": "n", "agg": "count"}
SUM = {"as": "s", "agg": "sum", "column": "score"}
MEAN = {"as": "m", "agg": "mean", "column": "score", "clamp": [2, 8]}
PERSONS = {"as": "p", "agg": "count_persons"}

WHERES: tuple[Any, ...] = (
    None,
    {"column": "district", "op": "=", "value": "kita"},
    {"column": "district", "op": "is_missing"},
    {"not": {"column": "district", "op": "is_missing"}},
    {"column": "age", "op": "=", "value": 77},
    {"column": "age", "op": "in", "value": [76, 77, 78]},
    {"column": "score", "op": "between", "value": [9.8, 10]},
    {"column": "moved_in", "op": ">", "value": "2026-01-01"},
    {"any": []},
    {"all": [{"column": "age", "op": "<", "value": 10}, {"column": "age", "op": ">", "value": 90}]},
    {
        "not": {
            "any": [{"column": "age", "op": "<=", "value": 76}, {"column": "age", "op": ">=", "value": 78}]
        }
    },
    {"column": "age", "op": "=", "value": 120},
    {"column": "district", "op": "=", "value": "osaka"},
    {"column": "name", "op": "=", "value": "Secret Person"},
    {"column": "person", "op": "=", "value": "p9999"},
    {"column": "score", "op": "=", "value": 9.95},
)
GROUPS: tuple[Any, ...] = (
    [],
    [{"column": "district"}],
    [{"column": "district", "missing": True}],
    [{"column": "age"}],
    [{"column": "age", "bins": [0, 50, 100]}],
    [{"column": "score", "missing": True}],
    [{"column": "moved_in", "bins": ["2000-01-01", "2010-01-01", "2026-12-31"]}, {"column": "district"}],
    [{"column": "age"}, {"column": "score"}, {"column": "moved_in"}],
    [{"column": "x"}],
)
SELECTS: tuple[Any, ...] = (
    [N],
    [SUM],
    [MEAN],
    [PERSONS],
    [N, SUM, MEAN, PERSONS],
    [SUM, {**SUM, "as": "again"}],
    [N, N],
    [{"as": "v", "agg": "variance", "column": "score"}, {"as": "d", "agg": "stddev", "column": "age"}],
    [{"as": "h", "agg": "median", "column": "age"}],
    [{"as": "h", "agg": "median", "column": "moved_in", "value_bounds": True}],
    [{"as": "q", "agg": "quantile", "column": "age", "q": [0, 0.5, 0.999, 1]}],
    [{"as": "q", "agg": "quantile", "column": "age", "q": [number / 20 for number in range(1, 20)]}],
    [{"as": "r", "agg": "ratio", "numerator": {"column": "age", "op": "=", "value": 77}}],
    [
        {
            "as": "r",
            "agg": "ratio",
            "numerator": {"column": "age", "op": "=", "value": 77},
            "denominator": {"column": "score", "op": "is_missing"},
        }
    ],
    [{**SUM, "per_person_clamp": [1, 9]}],
    [{"as": "x", "agg": "share_kept"}],
)
KEYED: tuple[Any, ...] = tuple(
    {"group_by": [{"column": "moved_in", "by": by, "missing": True}]}
    for by in ("year", "fiscal_year", "quarter", "month", "week")
)
MARGINS: tuple[Any, ...] = (
    {"group_by": GROUPS[1], "totals": True},
    {"group_by": [*GROUPS[2], *GROUPS[4]], "totals": True},
    {"group_by": [*GROUPS[2], *GROUPS[4]], "totals": True, "non_negative_integers": True},
    {"group_by": [], "totals": True},
)
WORKLOADS: tuple[Any, ...] = (
    {"tables": [{"as": "a", "group_by": GROUPS[1]}, {"as": "b", "group_by": GROUPS[4]}]},
    {"tables": [{"as": "a", "group_by": GROUPS[2]}, {"as": "a", "group_by": []}]},
    {"tables": [{"as": "a", "group_by": GROUPS[3]}, {"as": "b", "group_by": GROUPS[4]}]},
)
BUDGETS: tuple[Any, ...] = (
    {"epsilon": "2"},
    {"epsilon": "2.1"},
    {"epsilon": "0.000001"},
    {"epsilon": "0.000000001"},
    {"epsilon": 0},
    {"epsilon": "x"},
    {"accuracy": {"of": "n", "within": 900}},
    {"accuracy": {"of": "n", "within": 1}},
    {"accuracy": {"of": "m", "within": 1}},
    {"accuracy": {"of": "m", "within": 9, "rows": 500}},
    {"rho": "1"},
    {},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Odd:
    """One request."""

    method: str
    path: str
    user: str | None
    body: bytes | dict[str, Any] | None = None
    key: str = ""
    accept: str = JSON

    def send(self, visitor: Visitor) -> TestResponse:
        if self.method == "GET":
            return visitor.get(self.path, self.user, Accept=self.accept)
        sent = {"Idempotency-Key": self.key} if self.key else {}
        return visitor.post(self.path, self.body, self.user, Accept=self.accept, **sent)


def odd_requests() -> Iterator[Odd]:
    """The sequence. Its runs add up to more than some accounts hold, so that refusals come up on the way."""
    numbers = itertools.count(1)

    def ask(
        body: Any, *, user: str | None = "aoi", dataset: str = "residents", key: str = "", **more: str
    ) -> Odd:
        path = f"/v1/datasets/{dataset}/queries"
        return Odd(method="POST", path=path, user=user, body=body, key=key or f"k{next(numbers)}", **more)

    def get(path: str, user: str | None = "aoi", **more: str) -> Odd:
        return Odd(method="GET", path=path, user=user, **more)

    for where, group in itertools.product(WHERES, GROUPS):
        body = {"select": [N], "group_by": group, "budget": CHEAP, **({"where": where} if where else {})}
        accept = (JSON, CSV, ARROW)[next(numbers) % 3]
        yield ask(body, accept=accept)
    for select, mode in itertools.product(SELECTS, ("run", "quote", "dummy")):
        for accept in (JSON, CSV, ARROW):
            body = {"mode": mode, "select": select, "group_by": GROUPS[2], "budget": CHEAP}
            yield ask(body, accept=accept, user="mei")
    for shape, mode in itertools.product((*KEYED, *MARGINS), ("run", "quote", "dummy")):
        accept = (JSON, CSV, ARROW)[next(numbers) % 3]
        yield ask({"mode": mode, "select": [N, SUM], "budget": CHEAP, **shape}, accept=accept, user="mei")
    for shape, mode in itertools.product(WORKLOADS, ("run", "quote", "dummy")):
        body = {"mode": mode, "select": [N, MEAN], "budget": CHEAP, **shape}
        path, key = "/v1/datasets/residents/workloads", f"k{next(numbers)}"
        yield Odd(method="POST", path=path, user="mei", body=body, key=key)
    for budget, mode in itertools.product(BUDGETS, ("run", "quote")):
        yield ask({"mode": mode, "select": [N, MEAN], "budget": budget, "reuse": "never"}, user="ren")
    for number in range(4):
        yield ask(
            {"select": [N], "budget": {"epsilon": "1.7"}, "reuse": "never"}, key=f"big{number}", user="ren"
        )
        yield ask(
            {"select": [N], "budget": {"epsilon": "1.7"}, "reuse": "never"}, key=f"big{number}", user="ren"
        )
    for user, dataset in itertools.product(
        (None, "noa", "sora", "hana", "mei"), ("residents", "visits", "nothing")
    ):
        yield ask({"select": [N], "budget": CHEAP}, user=user, dataset=dataset)
    for body in (
        b"",
        b"{",
        b"[" * 50,
        b'{"a":1,"a":1}',
        b"\xff",
        {},
        {"select": []},
        {"select": [N], "budget": CHEAP, "x": 1},
    ):
        yield ask(body)
    for agg in ("count", "count_persons", "sum", "mean"):
        column = {"column": "cost"} if agg in ("sum", "mean") else {}
        yield ask(
            {"select": [{"agg": agg, **column}], "group_by": [{"column": "kind"}], "budget": CHEAP},
            dataset="visits",
        )
    for bound, agg in itertools.product((0, 1, 2, 3, 4), ("count", "share_kept", "count_persons")):
        yield ask({"select": [{"agg": agg}], "rows_per_person": bound, "budget": CHEAP}, dataset="visits")
    yield ask({"select": [N], "budget": CHEAP}, accept="image/png")
    for path in (
        "/v1/budgets",
        "/v1/queries?limit=200",
        "/v1/datasets",
        "/v1/datasets/residents",
        "/v1/datasets/visits",
    ):
        for user in ("aoi", "ren", "noa"):
            yield get(path, user)
    for path in ("/v1/journal?limit=200", "/v1/grants", "/v1/datasets/residents", "/openapi.json", "/readyz"):
        yield get(path, "hana")
