"""What the larger language refuses over HTTP: a 422 with the place, in both languages, nothing read or charged."""

import re
from pathlib import Path
from typing import Any

import pytest
from odd_engines import NoEngine, with_parts
from small_town import Town, Visitor
from town import TAXES, add, taxes_csv

from api.http.problem_words import PROBLEMS, REASONS
from api.queries.schemas import QuerySchema
from privacy.axes import CELLS_MAX

ROOT = Path(__file__).parents[2]
BACKWARDS = ["2001-01-01", "2000-01-01"]
N = {"as": "n", "agg": "count"}
KITA = {"column": "district", "op": "=", "value": "kita"}
DISTRICTS = [{"column": "district"}]
AGES = [{"column": "age"}]
FINE = [{"column": "moved_in", "by": "quarter"}, {"column": "score", "bins": [0, 2, 4, 6, 10]}]


class NoDummy:
    """Not even generated data is opened here."""

    def exact(self, plan: Any) -> Any:
        raise AssertionError("data was opened")


@pytest.fixture(scope="module")
def stranger(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """One town for all of these, since none may change it."""
    visitor = template.copy(tmp_path_factory.mktemp("worse") / "town").open()
    services = visitor.services
    add(services.store, services.settings.data_dir, TAXES, taxes_csv())
    wish = {"dataset": "taxes", "user": "aoi", "rho": "0.5", "reason": "the contract"}
    assert visitor.post("/v1/grants", wish).status_code == 201
    return with_parts(visitor, engine=NoEngine(), dummy_engine=NoDummy())


@pytest.fixture(autouse=True)
def _nothing_is_charged(stranger: Visitor) -> None:
    yield
    assert stranger.spent() == {}


def one(**statistic: Any) -> dict[str, Any]:
    return {"select": [{"as": "s", **statistic}]}


def quantile(q: Any) -> dict[str, Any]:
    return one(agg="quantile", column="age", q=q)


def accuracy(**members: Any) -> dict[str, Any]:
    wanted = {"of": "n", "within": 5, **members}
    return {"select": [N, {"as": "m", "agg": "mean", "column": "age"}], "budget": {"accuracy": wanted}}


def grouped(groups: Any, *, column: str = "district", **more: Any) -> dict[str, Any]:
    return {"select": [N], "group_by": [{"column": column, "groups": groups, **more}]}


def tables(*keys: Any, **more: Any) -> dict[str, Any]:
    return {
        "select": [N],
        "tables": [{"as": f"t{place}", "group_by": key} for place, key in enumerate(keys)],
        **more,
    }


BAD: list[tuple[dict[str, Any], str, str]] = [
    # quantiles
    (quantile(-0.1), "/select/0/q", "outside_domain"),
    (quantile(1.5), "/select/0/q", "outside_domain"),
    (quantile([0.5, 2]), "/select/0/q/1", "outside_domain"),
    (quantile("0.5"), "/select/0/q", "not_a_number"),
    (quantile([0.1, "x"]), "/select/0/q/1", "not_a_number"),
    (quantile([0.9, 0.1]), "/select/0/q", "not_ascending"),
    (quantile([0.5, 0.5]), "/select/0/q", "not_ascending"),
    (quantile(0.12345), "/select/0/q", "off_step"),
    (quantile([place / 100 for place in range(100)]), "/select/0/q", "wrong_length"),
    (quantile([]), "/select/0/q", "wrong_length"),
    (quantile(None), "/select/0/q", "null"),
    (quantile(True), "/select/0/q", "not_scalar"),
    (quantile([0.5, [0.6]]), "/select/0/q/1", "not_scalar"),
    (quantile({}), "/select/0/q", "not_scalar"),
    (one(agg="quantile", column="age"), "/select/0/q", "required"),
    (one(agg="median", column="age", q=0.5), "/select/0/q", "takes_no_member"),
    (one(agg="median", column="age", value_bounds=1), "/select/0/value_bounds", "not_a_boolean"),
    (one(agg="median", column="district"), "/select/0/column", "not_numeric"),
    # clamps and bins
    (one(agg="variance", column="age", clamp=[5, 5]), "/select/0/clamp", "not_ascending"),
    (one(agg="variance", column="age", clamp=[0, 120]), "/select/0/clamp/1", "outside_domain"),
    (one(agg="median", column="age", clamp=[-1, 5]), "/select/0/clamp/0", "outside_domain"),
    (one(agg="median", column="moved_in", clamp=BACKWARDS), "/select/0/clamp", "not_ascending"),
    (one(agg="sum", column="age", per_person_clamp=[5, 5]), "/select/0/per_person_clamp", "not_ascending"),
    (one(agg="sum", column="age", per_person_clamp=[5, 1]), "/select/0/per_person_clamp", "not_ascending"),
    (one(agg="sum", column="age", per_person_clamp=[5]), "/select/0/per_person_clamp", "wrong_length"),
    (one(agg="sum", column="age", per_person_clamp=[0, 0.5]), "/select/0/per_person_clamp/1", "off_step"),
    (one(agg="sum", column="age", per_person_clamp=[500, 600]), "/select/0/per_person_clamp", "apart"),
    (one(agg="sum", column="age", per_person_clamp=[0, 10**30]), "/select/0/per_person_clamp", "outside_domain"),
    ({"group_by": [{"column": "age", "bins": [0, 20, 20, 60]}]}, "/group_by/0/bins", "not_ascending"),
    ({"group_by": [{"column": "age", "bins": [0, 60, 20]}]}, "/group_by/0/bins", "not_ascending"),
    # groups
    (grouped({"a": ["kita"], "b": ["kita", "chuo"]}), "/group_by/0/groups/b", "overlapping_groups"),
    (grouped({"a": ["ueno"]}), "/group_by/0/groups/a/0", "undeclared_value"),
    (grouped({"a": []}), "/group_by/0/groups/a", "empty_group"),
    (grouped({}), "/group_by/0/groups", "wrong_length"),
    (grouped({f"g{place}": ["kita"] for place in range(1_001)}), "/group_by/0/groups", "wrong_length"),
    (grouped({"a/b": ["kita"] * 10_001}), "/group_by/0/groups", "wrong_length"),
    (grouped({"a/b": "kita"}), "/group_by/0/groups/a~1b", "not_a_group"),
    (grouped({"a": ["kita", ["chuo"]]}), "/group_by/0/groups/a/1", "not_scalar"),
    (grouped({"a": [None]}), "/group_by/0/groups/a/0", "not_scalar"),
    (grouped({"a": {"from": 0}}), "/group_by/0/groups/a", "not_a_group"),
    (grouped({"a": [{"from": "kita", "to": "chuo"}]}), "/group_by/0/groups/a/0", "no_order"),
    (grouped({"a\u202e": ["kita"]}), "/group_by/0/groups/a\u202e", "bad_label"),
    (grouped(["kita"]), "/group_by/0/groups", "not_groups"),
    (grouped(False), "/group_by/0/groups", "not_groups"),
    (grouped(True), "/group_by/0/groups", "no_groupings"),
    (grouped("school"), "/group_by/0/groups", "no_groupings"),
    (grouped({"a": {"from": 0, "to": 120}}, column="age"), "/group_by/0/groups/a/0/to", "outside_domain"),
    (grouped({"a": ["kita"]}, bins=[0, 1]), "/group_by/0", "choose_one"),
    # filters of statistics
    (one(agg="count", where={"column": "sex", "op": "=", "value": "f"}), "/select/0/where/column", "unknown_column"),
    (one(agg="count", where={"all": [{"column": "age"}]}), "/select/0/where/all/0/op", "required"),
    # clamps by group
    (one(agg="mean", column="age", clamp={"kita": [0, 9]}), "/select/0/clamp", "clamp_of_no_cell"),
    (one(agg="mean", column="age", clamp={"kita": [0]}), "/select/0/clamp/kita", "wrong_length"),
    (one(agg="mean", column="age", clamp={"kita": 5}), "/select/0/clamp/kita", "not_a_list"),
    (one(agg="mean", column="age", clamp={"kita": [0, None]}), "/select/0/clamp/kita/1", "not_scalar"),
    (one(agg="mean", column="age", clamp={}), "/select/0/clamp", "wrong_length"),
    (one(agg="mean", column="age", clamp=5), "/select/0/clamp", "not_a_list"),
    # members
    (one(agg="ratio"), "/select/0/numerator", "required"),
    (one(agg="ratio", denominator=KITA), "/select/0/numerator", "required"),
    (one(agg="ratio", numerator={"column": "age"}), "/select/0/numerator/op", "required"),
    (one(agg="ratio", numerator=KITA, denominator=[]), "/select/0/denominator", "not_an_object"),
    (one(agg="ratio", numerator=KITA, column="age"), "/select/0/column", "takes_no_member"),
    (one(agg="count", numerator=KITA), "/select/0/numerator", "takes_no_member"),
    (one(agg="count", per_person_clamp=[0, 1]), "/select/0/per_person_clamp", "takes_no_member"),
    (one(agg="mean", column="age", per_person_clamp=[0, 1]), "/select/0/per_person_clamp", "takes_no_member"),
    (one(agg="stddev", column="age", q=0.5), "/select/0/q", "takes_no_member"),
    (one(agg="sum", column="age", value_bounds=True), "/select/0/value_bounds", "takes_no_member"),
    (one(agg="share_kept"), "/select/0/agg", "needs_narrower_bound"),
    # rows a person
    ({"rows_per_person": 0}, "/rows_per_person", "outside_domain"),
    ({"rows_per_person": -1}, "/rows_per_person", "outside_domain"),
    ({"rows_per_person": 2}, "/rows_per_person", "outside_domain"),
    ({"rows_per_person": 1.5}, "/rows_per_person", "not_a_whole_number"),
    ({"rows_per_person": "1"}, "/rows_per_person", "not_a_whole_number"),
    ({"rows_per_person": True}, "/rows_per_person", "not_a_whole_number"),
    ({"rows_per_person": 10**16}, "/rows_per_person", "not_a_whole_number"),
    # calendar
    ({"group_by": [{"column": "age", "by": "year"}]}, "/group_by/0/by", "not_a_date_column"),
    ({"group_by": [{"column": "district", "by": "month"}]}, "/group_by/0/by", "not_a_date_column"),
    ({"group_by": [{"column": "moved_in", "by": "week"}]}, "/group_by/0/by", "not_one_of"),
    (
        {"group_by": [{"column": "moved_in", "by": "year", "bins": ["2000-01-01", "2001-01-01"]}]},
        "/group_by/0",
        "choose_one",
    ),
    # weights and accuracies
    ({"weights": {"n": 0}}, "/weights/n", "not_positive"),
    ({"budget": {"epsilon": "1", "weights": {"n": 0}}}, "/budget/weights/n", "not_positive"),
    ({"weights": {"n": -1}}, "/weights/n", "not_positive"),
    ({"weights": {"n": "1"}}, "/weights/n", "not_an_amount"),
    ({"weights": {"m": 1}}, "/weights/m", "unknown_statistic"),
    (accuracy(within=0), "/budget/accuracy/within", "not_positive"),
    (accuracy(within=1e-300), "/budget/accuracy/within", "outside_domain|not_scalar"),
    (accuracy(within=-1), "/budget/accuracy/within", "not_positive"),
    (accuracy(within="5"), "/budget/accuracy/within", "not_a_number"),
    (accuracy(within="5%"), "/budget/accuracy/within", "not_a_number"),
    (accuracy(within="５％"), "/budget/accuracy/within", "not_a_number"),
    (accuracy(within=None), "/budget/accuracy/within", "null"),
    (accuracy(of="m"), "/budget/accuracy/rows", "error_depends_on_rows"),
    (accuracy(of="m", rows=0), "/budget/accuracy/rows", "not_positive"),
    (accuracy(rows=-3), "/budget/accuracy/rows", "not_positive"),
    (accuracy(rows=2.5), "/budget/accuracy/rows", "not_a_whole_number"),
    (accuracy(relative=0), "/budget/accuracy/relative", "outside_domain"),
    (accuracy(relative=1), "/budget/accuracy/relative", "outside_domain"),
    (accuracy(relative="0.05"), "/budget/accuracy/relative", "not_a_number"),
    (accuracy(confidence=1), "/budget/accuracy/confidence", "outside_domain"),
    (accuracy(confidence="0.95"), "/budget/accuracy/confidence", "not_a_number"),
    (accuracy(every_cell="yes"), "/budget/accuracy/every_cell", "not_a_boolean"),
    ({"budget": {"epsilon": "1", "accuracy": {"of": "n", "within": 5}}}, "/budget", "choose_one"),
    # totals
    ({"totals": True}, "/totals", "needs_keys"),
    ({"totals": "true", "group_by": DISTRICTS}, "/totals", "not_a_boolean"),
    ({"totals": True, "group_by": [*AGES, *DISTRICTS, *FINE]}, "/totals", "too_many_cells"),
    ({"non_negative_integers": True, "group_by": DISTRICTS}, "/non_negative_integers", "needs_totals"),
    ({**one(agg="median", column="age"), "totals": True, "group_by": DISTRICTS}, "/select/0/agg", "not_additive"),
    # mechanisms and measures
    ({"mechanism": "discrete_gaussian"}, "/mechanism", "needs_zcdp"),
    ({"mechanism": "laplace"}, "/mechanism", "not_one_of"),
    ({"budget": {"rho": "1"}}, "/budget/rho", "wrong_measure"),
    ({"budget": {"rho": "1e-3"}}, "/budget/rho", "not_an_amount"),
    # workloads
    (tables(DISTRICTS, **one(agg="median", column="age")), "/select/0/agg", "not_additive"),
    (tables(AGES, [{"column": "age", "bins": [0, 8]}]), "/tables/1/group_by/0", "cut_differently"),
    (tables(*([DISTRICTS] * 101)), "/tables", "wrong_length"),
    (tables(), "/tables", "wrong_length"),
    (tables(AGES, [*AGES, *DISTRICTS, *FINE]), "/tables", "too_many_cells"),
    (tables([{"column": "shoe"}]), "/tables/0/group_by/0/column", "unknown_column"),
    ({"select": [N], "tables": [{"as": "t", "group_by": []}] * 2}, "/tables/1/as", "repeated_name"),
    ({"select": [N], "tables": [{"as": "a b", "group_by": []}]}, "/tables/0/as", "bad_name"),
    ({"select": [N], "tables": [{"group_by": []}]}, "/tables/0/as", "required"),
    ({"select": [N], "tables": {}}, "/tables", "not_a_list"),
    (tables(DISTRICTS, group_by=DISTRICTS), "/group_by", "unknown_field"),
    (tables(DISTRICTS, totals=True), "/totals", "unknown_field"),
    (tables(DISTRICTS, non_negative_integers=True), "/non_negative_integers", "needs_totals"),
    (tables(DISTRICTS, select=[{"as": "table", "agg": "count"}]), "/select/0/as", "repeated_name"),
]  # fmt: skip


def send(visitor: Visitor, change: dict[str, Any], dataset: str = "residents", **headers: str) -> Any:
    body = {"select": [N], "budget": {"epsilon": "1"}, **change}
    kind = "workloads" if "tables" in change else "queries"
    return visitor.post(f"/v1/datasets/{dataset}/{kind}", body, "aoi", Idempotency_Key="k", **headers)


@pytest.mark.parametrize("mode", ["run", "quote", "dummy"])
@pytest.mark.parametrize(("change", "pointer", "reason"), BAD, ids=lambda value: str(value)[:60])
def test_what_does_not_fit_is_refused_with_its_place_in_both_languages(
    stranger: Visitor, change: dict[str, Any], pointer: str, reason: str, mode: str
) -> None:
    messages = set()
    for language in ("en", "ja"):
        refused = send(stranger, {"mode": mode, **change}, Accept_Language=language)
        assert (refused.status_code, refused.json["code"]) == (422, "invalid_query"), refused.text
        found = [error for error in refused.json["errors"] if error["pointer"] == pointer]
        assert any(error["reason"] in reason.split("|") for error in found), refused.text
        messages.add(found[0]["message"])
        assert "None" not in found[0]["message"]
    assert len(messages) == 2


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"budget": {"epsilon": "0.1"}}, "/budget/epsilon", "wrong_measure"),
        ({"budget": {"rho": "0"}}, "/budget/rho", "not_an_amount"),
        ({"budget": {"rho": "-1"}}, "/budget/rho", "not_an_amount"),
        ({"budget": {"rho": "0.1", "epsilon": "0.1"}}, "/budget", "choose_one"),
        ({"budget": {"rho": "0.1"}, "mechanism": "noisy_max"}, "/mechanism", "not_one_of"),
        ({"budget": {"rho": "0.000000001"}}, "/select/0", "share_too_small"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_dataset_in_rho_refuses_what_is_not_its_own(stranger: Visitor, change, pointer, reason) -> None:
    for language in ("en", "ja"):
        refused = send(stranger, change, "taxes", Accept_Language=language)
        assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
        (error,) = refused.json["errors"]
        assert (error["pointer"], error["reason"]) == (pointer, reason)


def test_an_accuracy_of_1e_300_is_refused_however_it_is_written(stranger: Visitor) -> None:
    for text in ("1e-300", f"0.{'0' * 299}1", "0.0000000000001"):
        wanted = f'{{"accuracy": {{"of": "n", "within": {text}}}}}'
        refused = stranger.ask(f'{{"select": [{{"as": "n", "agg": "count"}}], "budget": {wanted}}}'.encode())
        assert refused.status_code == 422
        assert refused.json["errors"][0]["pointer"] == "/budget/accuracy/within"


def test_an_accuracy_out_of_reach_says_what_is_in_both_languages(stranger: Visitor) -> None:
    for language, words in (("en", "is not reachable"), ("ja", "得られません")):
        refused = send(stranger, accuracy(of="m", within=0.001, rows=100), Accept_Language=language)
        assert (refused.status_code, refused.json["code"]) == (422, "accuracy_not_reachable")
        (error,) = refused.json["errors"]
        assert (error["pointer"], error["reason"]) == ("/budget/accuracy/within", "reachable")
        assert words in error["message"]


def test_weights_however_far_apart_end_in_no_fault_of_the_server(stranger: Visitor) -> None:
    far = f'{{"n": 0.{"0" * 30}1, "m": 1000000000}}'
    for budget in ('{"epsilon": "1"}', '{"accuracy": {"of": "m", "within": 5, "rows": 1000}}'):
        body = (
            '{"select": [{"as": "n", "agg": "count"}, {"as": "m", "agg": "mean", "column": "age"}], '
            f'"weights": {far}, "budget": {budget}}}'
        )
        assert stranger.ask(body.encode()).status_code in (403, 422)


@pytest.mark.parametrize("mode", ["quote", "dummy", "run"])
@pytest.mark.parametrize("dataset", ["residents", "taxes"])
def test_a_share_of_next_to_nothing_is_the_callers_mistake_in_every_mode(
    stranger: Visitor, mode: str, dataset: str
) -> None:
    column, measure = ("age", "epsilon") if dataset == "residents" else ("cost", "rho")
    body = {
        "mode": mode,
        "select": [{"as": "n", "agg": "count"}, {"as": "s", "agg": "sum", "column": column}],
        "budget": {measure: "0.5", "weights": {"n": 1000000000, "s": 0.01}},
    }
    refused = stranger.ask(body, dataset=dataset)
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
    assert [(one["pointer"], one["reason"]) for one in refused.json["errors"]] == [
        ("/select/1", "share_too_small")
    ]


def test_the_terms_of_all_conditions_of_a_request_count_together(stranger: Visitor) -> None:
    half = {"column": "age", "op": "in", "value": [number % 120 for number in range(500)]}
    ratio = {"as": "r", "agg": "ratio", "numerator": half}
    assert send(stranger, {"mode": "quote", "select": [ratio], "where": half}).status_code == 200
    for change, pointer in (
        ({"select": [{**ratio, "denominator": {"all": [half]}}], "where": half}, "/select/0/denominator"),
        ({"select": [ratio, {**ratio, "as": "q"}, {**ratio, "as": "p"}]}, "/select/2/numerator"),
        (
            {"select": [ratio, {**ratio, "as": "q"}], "where": {"not": {"any": [half, half]}}},
            "/where/not/any/1/value",
        ),
    ):
        refused = send(stranger, change)
        assert refused.status_code == 422
        assert [(one["pointer"], one["reason"]) for one in refused.json["errors"]] == [
            (pointer, "too_many_terms")
        ]
        assert "1000" in refused.json["errors"][0]["message"]


def test_too_many_cells_are_counted_in_the_message(stranger: Visitor) -> None:
    refused = send(stranger, {"totals": True, "group_by": [*AGES, {"column": "moved_in"}]})
    messages = [error["message"] for error in refused.json["errors"] if error["reason"] == "too_many_cells"]
    assert str(CELLS_MAX) in messages[0]


# The catalogue


NAMED = (
    r'\brefuse\(\s*[^,()]*(?:\([^()]*\))?[^,()]*,\s*"([a-z_]+)"',
    r'\breason=\s*"([a-z_]+)"',
    r'\breason = "([a-z_]+)"',
    r'\breason = "[a-z_]+" if .* else "([a-z_]+)"',
    r'\._fault\(\s*[^,]*,\s*"([a-z_]+)"',
    r'FieldFault\(\s*"([a-z_]+)"',
    r'ValidationError\(\s*"([a-z_]+)"',
    r'\berror="([a-z_]+)"',
)


def codes() -> set[str]:
    """Every reason that the code names: of a refusal, a problem, a fault or a validation."""
    files = [*(ROOT / "privacy").glob("*.py"), *(ROOT / "api").rglob("*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files if file.parent.name != "commands"]
    return {code for text in texts for pattern in NAMED for code in re.findall(pattern, text)}


def test_every_reason_that_the_code_names_has_words_in_both_languages() -> None:
    named = codes()
    assert len(named) > 40
    assert named <= set(REASONS), named - set(REASONS)
    for words in REASONS.values():
        assert words.en.isascii() or "δ" in words.en or "ε" in words.en or "ρ" in words.en
        assert not words.ja.isascii()
        assert {*re.findall(r"{\w+}", words.en)} >= {*re.findall(r"{\w+}", words.ja)} - {
            "{given}",
            "{expected}",
        }
    for problem in PROBLEMS.values():
        assert problem.title.ja != problem.title.en
        assert problem.detail.ja != problem.detail.en or problem.detail.en == "{expected}"


def test_every_code_of_a_field_has_words() -> None:
    def fields(schema: Any) -> Any:
        for field in schema.fields.values():
            yield field
            if hasattr(field, "schema"):
                yield from fields(field.schema)
            if hasattr(getattr(field, "inner", None), "schema"):
                yield from fields(field.inner.schema)

    for field in fields(QuerySchema()):
        shown = {code for code in field.error_messages.values() if re.fullmatch(r"[a-z_]+", str(code))}
        assert shown <= set(REASONS), field.name
