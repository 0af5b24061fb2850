"""Made-up questions, legal and odd: none is answered as a fault of the server's, and only an answer is charged."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from small_town import Town, Visitor
from town import (
    IN_RHO,
    JOBS,
    RESIDENTS,
    RESIDENTS_VISITS,
    TAXES,
    derived,
    grant,
    join,
    residents_csv,
    taxes_csv,
)

from api.http.problem_words import PROBLEMS
from privacy.query import AGGREGATES, CALENDAR, COMPARISONS, MECHANISMS

MOVES = derived(RESIDENTS, id="moves", privacy=IN_RHO)
COLUMNS: dict[str, tuple[str, ...]] = {
    "residents": ("district", "age", "score", "moved_in"),
    "moves": ("district", "age", "score", "moved_in"),
    "visits": ("kind", "cost"),
    "taxes": ("kind", "cost"),
    "jobs": ("employer", "hours"),
    "residents-visits": ("district", "how"),
}
NUMERIC = ("age", "score", "cost", "hours")
ORDERED = (*NUMERIC, "moved_in")
ADDITIVE = ("count", "sum", "mean", "variance", "stddev", "ratio")
# The town declares no second units.
FITTING = tuple(agg for agg in AGGREGATES if agg not in ("share_kept", "count_units"))
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "district": st.sampled_from(["chuo", "kita", "minami"]),
    "kind": st.sampled_from(["bus", "train"]),
    "how": st.sampled_from(["bus", "train"]),
    "age": st.integers(0, 119),
    "cost": st.integers(0, 1000),
    "hours": st.integers(0, 60),
    "score": st.integers(0, 100).map(lambda tenth: tenth / 10),
    "moved_in": st.dates().filter(lambda day: 2000 <= day.year <= 2026).map(str),
    "employer": st.sampled_from(["mill", "office"]),
}
NUMBERS = st.sampled_from(
    [0, 1, -1, 0.5, 1e-9, 0.0001, 10**6, 10**9, 10**15, 2**63, 10**39, -(10**18), "1", "0.25"]
)
ODD = st.one_of(
    NUMBERS,
    st.sampled_from(
        [None, True, "", "x", "2026-13-01", "名", "\0", [], {}, [[]], [1, "x"], {"column": "age"}, "1e5"]
    ),
    st.lists(NUMBERS, max_size=4),
    st.text(max_size=4),
)
PRICES = st.sampled_from(
    ["0.00001", "0.0001", "0.001", "0.01", 0.002, "0.000001", "0.000000001", "1", "9", 0]
)
SMALL_PRICES = st.sampled_from(["0.0001", "0.001", "0.01", "0.02"])


def rarely(odd: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly the usual; an odd one in sixty-four, since a question has many places for one."""
    return st.integers(0, 63).flatmap(lambda die: odd if die == 63 else usual)


def maybe(**members: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Some of the members, each one time in four."""
    chosen = {
        name: st.integers(0, 3).flatmap(
            lambda die, one=one: one.map(lambda it: [it]) if die == 3 else st.just([])
        )
        for name, one in members.items()
    }
    return st.fixed_dictionaries(chosen).map(
        lambda found: {name: values[0] for name, values in found.items() if values}
    )


def comparisons(columns: tuple[str, ...]) -> st.SearchStrategy[Any]:
    def of(column: str) -> st.SearchStrategy[Any]:
        value = rarely(ODD, VALUES[column])
        fitting = COMPARISONS if column in ORDERED else ("=", "!=", "in", "is_missing")
        ops = st.just("is_missing") if column == "employer" else st.sampled_from(fitting)

        def with_value(op: str) -> st.SearchStrategy[Any]:
            if op == "is_missing":
                return st.just({"column": column, "op": op})
            several = {
                "in": st.lists(value, min_size=1, max_size=6),
                "between": st.lists(VALUES[column], min_size=2, max_size=2).map(sorted),
            }
            found = rarely(ODD, several.get(op, value))
            return st.fixed_dictionaries({"column": st.just(column), "op": st.just(op), "value": found})

        return rarely(st.sampled_from(COMPARISONS), ops).flatmap(with_value)

    return st.sampled_from(columns).flatmap(of)


def wheres(columns: tuple[str, ...]) -> st.SearchStrategy[Any]:
    return st.recursive(
        comparisons(columns),
        lambda inner: st.one_of(
            st.lists(inner, max_size=4).map(lambda terms: {"all": terms}),
            st.lists(inner, max_size=4).map(lambda terms: {"any": terms}),
            inner.map(lambda term: {"not": term}),
        ),
        max_leaves=6,
    )


def keys(columns: tuple[str, ...]) -> st.SearchStrategy[Any]:
    def of(column: str) -> st.SearchStrategy[Any]:
        edges = st.lists(VALUES[column], min_size=2, max_size=6, unique=True).map(sorted)
        cut = st.one_of(
            st.just({}),
            rarely(ODD, edges).map(lambda bins: {"bins": bins})
            if column not in ("district", "kind", "how")
            else st.just({}),
            st.sampled_from(CALENDAR).map(lambda by: {"by": by}) if column == "moved_in" else st.just({}),
        )
        return st.builds(
            lambda cut, missing: {"column": column, **cut, **missing}, cut, maybe(missing=st.just(True))
        )

    return st.lists(st.sampled_from(columns).flatmap(of), max_size=2, unique_by=lambda key: key["column"])


def statistics(columns: tuple[str, ...], aggregates: tuple[str, ...]) -> st.SearchStrategy[Any]:
    def of(agg: str) -> st.SearchStrategy[Any]:
        fitting = [
            name for name in columns if name in (ORDERED if agg in ("median", "quantile") else NUMERIC)
        ]

        def on(column: str) -> st.SearchStrategy[Any]:
            members: dict[str, st.SearchStrategy[Any]] = {"agg": st.just(agg)}
            extra: dict[str, st.SearchStrategy[Any]] = {}
            clamps = st.lists(VALUES[column], min_size=2, max_size=2, unique=True).map(sorted)
            if agg == "ratio":
                members["numerator"] = wheres(columns)
                extra["denominator"] = wheres(columns)
            elif agg not in ("count", "count_persons", "share_kept"):
                members["column"] = rarely(ODD, st.just(column))
                extra["clamp"] = rarely(st.lists(NUMBERS, min_size=2, max_size=2), clamps)
            if agg == "quantile":
                shares = st.lists(st.integers(0, 10_000), min_size=1, max_size=9, unique=True)
                members["q"] = rarely(ODD, shares.map(lambda found: [one / 10_000 for one in sorted(found)]))
            if agg in ("median", "quantile"):
                extra["value_bounds"] = st.booleans()
            if agg == "sum":
                totals = st.lists(st.integers(-9, 2000), min_size=2, max_size=2, unique=True).map(sorted)
                extra["per_person_clamp"] = rarely(st.lists(NUMBERS, min_size=2, max_size=2), totals)
            return st.builds(
                lambda one, more: {**one, **more}, st.fixed_dictionaries(members), maybe(**extra)
            )

        return st.sampled_from(fitting or columns).flatmap(on)

    # Counts and ratios where there is nothing to add up.
    counted = ("count", "count_persons", "ratio")
    known = aggregates if any(name in NUMERIC for name in columns) else counted
    return rarely(st.sampled_from(AGGREGATES), st.sampled_from(known)).flatmap(of)


def budgets(measure: str) -> st.SearchStrategy[Any]:
    accuracy = st.builds(
        lambda needed, more: {"accuracy": {**needed, **more}},
        st.fixed_dictionaries(
            {
                "of": st.sampled_from(["a0", "a1"]),
                "within": rarely(ODD, st.sampled_from([5, 50, 900, 0.4, 10**9])),
            }
        ),
        maybe(
            every_cell=st.booleans(),
            rows=rarely(ODD, st.sampled_from([1, 100, 10**9])),
            confidence=rarely(ODD, st.sampled_from([0.5, 0.9, 0.99, 0.999999])),
            relative=NUMBERS,
        ),
    )
    prices = st.integers(0, 7).flatmap(lambda die: PRICES if die == 7 else SMALL_PRICES)
    # Small ones in plain notation: with an exponent a number is refused before anything else is looked at.
    weight = rarely(ODD, st.sampled_from([1, 2, 0.01, 0.0001, 10**9]))
    weights = st.dictionaries(
        rarely(st.just("zz"), st.sampled_from(["a0", "a1"])), weight, min_size=1, max_size=2
    )
    named = st.integers(0, 15).flatmap(
        lambda die: st.just("epsilon" if (measure == "pure") ^ (die == 15) else "rho")
    )
    price = st.builds(lambda name, amount: {name: amount}, named, prices)
    return st.builds(
        lambda budget, more: {**budget, **more},
        st.integers(0, 3).flatmap(lambda die: accuracy if die == 3 else price),
        maybe(weights=weights),
    )


@st.composite
def questions(draw: st.DrawFn) -> tuple[str, str, str, dict[str, Any]]:
    """A dataset, the way to ask it, the mode and a body."""
    dataset = draw(st.sampled_from(sorted(COLUMNS)))
    declared = tuple(name for name in COLUMNS[dataset] if name != "employer")
    columns, measure = COLUMNS[dataset], "zcdp" if dataset in ("moves", "taxes", "jobs") else "pure"
    way = draw(st.sampled_from(["queries", "queries", "workloads"]))
    totals = way == "queries" and draw(st.integers(0, 3)) == 3
    undeclared = dataset == "jobs" and way == "queries" and draw(st.booleans())
    aggregates = ADDITIVE if totals or way == "workloads" else FITTING
    select = draw(
        st.lists(
            statistics(columns, ("count", "count_persons") if undeclared else aggregates),
            min_size=1,
            max_size=3,
        )
    )
    body: dict[str, Any] = {
        "mode": draw(st.sampled_from(["quote", "dummy", "run"])),
        "select": [{"as": f"a{place}", **one} for place, one in enumerate(select)],
        "budget": draw(budgets(measure)),
        **draw(
            maybe(
                where=wheres(columns),
                rows_per_person=rarely(ODD, st.just(1)),
                mechanism=st.just(MECHANISMS[0]) if measure == "pure" else st.sampled_from(MECHANISMS),
                non_negative_integers=st.just(totals),
                reuse=st.sampled_from(["prefer", "never"]),
            )
        ),
    }
    if way == "queries":
        # Open columns are grouped by alone, with one count.
        body["group_by"] = [{"column": "employer"}] if undeclared else draw(keys(declared))
        body["select"] = body["select"][:1] if undeclared else body["select"]
        body |= {"totals": True} if totals and body["group_by"] and not undeclared else {}
    else:
        tables = draw(st.lists(keys(declared), min_size=1, max_size=4))
        body["tables"] = [{"as": f"t{place}", "group_by": some} for place, some in enumerate(tables)]
    mode = body["mode"]
    if draw(st.integers(0, 7)) == 7:
        body = draw(spoilt(body))
        mode = body.get("mode", "run") if isinstance(body, dict) else "run"
    return dataset, way, mode if isinstance(mode, str) else "run", body


@st.composite
def spoilt(draw: st.DrawFn, body: Any) -> Any:
    """The body with something odd, or nothing, at one place."""
    if not body or not isinstance(body, dict | list) or draw(st.integers(0, 4)) == 4:
        return draw(ODD)
    if isinstance(body, list):
        place = draw(st.integers(0, len(body) - 1))
        return [*body[:place], draw(spoilt(body[place])), *body[place + 1 :]]
    name = draw(st.sampled_from(sorted(body)))
    if draw(st.integers(0, 4)) == 4:
        return {other: value for other, value in body.items() if other != name}
    return {**body, name: draw(spoilt(body[name]))}


@pytest.fixture(scope="module")
def asked(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """A town with registers of both measures, an open column and a view, all open to aoi."""
    town = template.copy(tmp_path_factory.mktemp("random") / "town")
    moves = residents_csv() + "p900,Another One,kita,50,5.0,2020-01-01\n"
    for descriptor, csv in (
        (MOVES, moves),
        (TAXES, taxes_csv()),
        (JOBS, "person,employer,hours\np1,mill,9\np2,mill,8\n"),
    ):
        town.register(descriptor, csv)
    visitor = town.open()
    join(visitor.services.store, Path(town.settings.data_dir), RESIDENTS_VISITS)
    grant(visitor.services.store, [(lineage, "user", "aoi", "9") for lineage in ("moves", "taxes", "jobs")])
    return visitor


def holds(visitor: Visitor, dataset: str, way: str, mode: str, body: Any) -> None:
    """Ask, and look at the status, the code and what was spent."""
    before = visitor.spent()
    sent = json.dumps(body).encode()
    key = f"random-{len(visitor.__dict__.setdefault('asked', []))}"
    visitor.__dict__["asked"].append(key)
    answer = visitor.post(f"/v1/datasets/{dataset}/{way}", sent, "aoi", Idempotency_Key=key)
    told = f"{way} {dataset} {sent.decode()}: {answer.text[:500]}"
    assert answer.status_code < 500, told
    if answer.status_code != 200:
        assert answer.json["code"] in PROBLEMS, told
    if answer.status_code != 200 or mode in ("quote", "dummy"):
        assert visitor.spent() == before, told


STYLE = settings(
    deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck), max_examples=40
)


FAR_APART = {
    "mode": "dummy",
    "select": [{"as": "a0", "agg": "count"}, {"as": "a1", "agg": "mean", "column": "hours"}],
    "group_by": [],
    "budget": {"rho": "0.01", "weights": {"a0": 10**9, "a1": 0.01}},
}


@STYLE
@example(("jobs", "queries", "dummy", FAR_APART))
@given(questions())
def test_no_question_is_answered_as_a_fault_and_only_answers_are_charged(
    asked: Visitor, question: tuple[str, str, str, Any]
) -> None:
    holds(asked, *question)


@pytest.mark.long
@settings(STYLE, derandomize=False, max_examples=1_500)
@given(questions())
def test_no_question_of_thousands_is_answered_as_a_fault(
    asked: Visitor, question: tuple[str, str, str, Any]
) -> None:
    holds(asked, *question)
