"""Refusals name what is wrong and the form that is meant, in Japanese without English and in English."""

import json
import re
from typing import Any

import pytest
from japanese import english_in, typed
from small_town import COUNT, Town, Visitor

AGE = {"column": "age", "op": ">=", "value": 65}


def where(condition: Any) -> dict[str, Any]:
    return {**COUNT, "where": condition}


def within(**members: Any) -> dict[str, Any]:
    return {**COUNT, "budget": {"accuracy": {"of": "residents", **members}}}


def refused(visitor: Visitor, body: Any, language: str) -> list[dict[str, str]]:
    answer = visitor.ask(body, Accept_Language=language)
    assert answer.status_code == 422, answer.text
    errors: list[dict[str, str]] = answer.json["errors"]
    return errors


TAUGHT: list[tuple[Any, str, str, str]] = [
    # what is asked, where it is refused, and what must be told about it in Japanese and in English
    (within(within="5%"), "/budget/accuracy/within", "割合です", "is a share"),
    (within(within="５ ％"), "/budget/accuracy/within", "relative（例: 0.05）", "relative (0.05)"),
    (within(within="20"), "/budget/accuracy/within", "（20 のことですか）", "(did you mean 20?)"),
    (within(within="１，０００"), "/budget/accuracy/within", "（1000 のことですか）", "(did you mean 1000?)"),
    (within(within="few"), "/budget/accuracy/within", '"few" は数値ではありません', '"few" is not a number'),
    (within(relative=0.05), "/budget/accuracy/within", "within と併せて", "needs within beside it"),
    (
        where({"column": "score", "op": "=", "value": None}),
        "/where/value",
        '{"column": "score", "op": "is_missing"}',
        '{"column": "score", "op": "is_missing"}',
    ),
    (
        where({"column": "score", "op": "!=", "value": None}),
        "/where/value",
        '{"not": {"column": "score", "op": "is_missing"}}',
        '{"not": {"column": "score", "op": "is_missing"}}',
    ),
    (
        where({"column": "score", "op": "in", "value": [1, None]}),
        "/where/value/1",
        "is_missing",
        "is_missing",
    ),
    (where([AGE]), "/where", f"[{json.dumps(AGE)}] はリスト", f'write {{"all": [{json.dumps(AGE)}]}}'),
    (where("age >= 65"), "/where", json.dumps(AGE), json.dumps(AGE)),
    (where({"column": "age", "op": "in", "value": []}), "/where/value", "1 … 1000", "1 … 1000 items"),
    (where({"column": "age", "op": "between", "value": [1]}), "/where/value", "要素の数は 2 ", "2 items"),
    (where({"column": "age", "op": "in", "value": 65}), "/where/value", "[65] のように", "[65]"),
    (where({"column": "age", "op": "==", "value": 65}), "/where/op", '（"=" のことですか）', 'mean "="'),
    (where({"column": "age", "op": "≧", "value": 65}), "/where/op", '（">=" のことですか）', 'mean ">="'),
    (where({"colum": "age", "op": "=", "value": 6}), "/where/colum", '"column" のこと', 'mean "column"'),
    (where({"column": "agee", "op": "=", "value": 6}), "/where/column", '"age" のこと', 'mean "age"'),
    (where({"column": "ＡＧＥ", "op": "=", "value": 6}), "/where/column", '"age" のこと', 'mean "age"'),
    (where({"column": "age", "op": "=", "value": "65"}), "/where/value", "（65 のこと", "mean 65"),
    (
        where({"column": "moved_in", "op": ">=", "value": "2020/4/1"}),
        "/where/value",
        '"2020-04-01" のこと',
        'mean "2020-04-01"',
    ),
    ({**COUNT, "group_by": ["district"]}, "/group_by/0", '{"column": "district"}', '{"column": "district"}'),
    ({**COUNT, "group_by": "district"}, "/group_by", '[{"column": "district"}]', '[{"column": "district"}]'),
    ({**COUNT, "select": ["count"]}, "/select/0", '{"agg": "count"}', '{"agg": "count"}'),
    ({**COUNT, "select": {"agg": "count"}}, "/select", '[{"agg": "count"}]', '[{"agg": "count"}]'),
    (
        {**COUNT, "group_by": [{"column": "age", "bin": [0, 20]}]},
        "/group_by/0/bin",
        "使える項目: column, bins, groups, by, missing",
        "known here: column, bins, groups, by, missing",
    ),
    ({**COUNT, "groupby": []}, "/groupby", '"group_by" のこと', 'mean "group_by"'),
    ({**COUNT, "budget": {"epsiron": "1"}}, "/budget/epsiron", '"epsilon" のこと', 'mean "epsilon"'),
]


@pytest.mark.parametrize(("body", "pointer", "ja", "en"), TAUGHT, ids=lambda value: str(value)[:70])
def test_a_refusal_says_what_is_meant(onlooker: Visitor, body: Any, pointer: str, ja: str, en: str) -> None:
    for language, told in (("ja", ja), ("en", en)):
        errors = {error["pointer"]: error["message"] for error in refused(onlooker, body, language)}
        assert told in errors[pointer]


BAD: list[Any] = [
    {},
    {"select": [], "budget": {}},
    {**COUNT, "select": [{"agg": "median"}] * 21},
    {**COUNT, "select": [{"as": "1", "agg": "mean", "column": "age", "clamp": [1]}]},
    {**COUNT, "select": [{"agg": "sum", "column": "district"}]},
    {**COUNT, "select": [{"agg": "sum", "column": "age", "clamp": [9, 1]}]},
    {**COUNT, "select": [{"agg": "quantile", "column": "age", "q": [0.1, 2, 0.12345, "x"]}]},
    {**COUNT, "select": [{"agg": "ratio", "column": "age"}]},
    {**COUNT, "select": [{"as": "n", "agg": "count"}, {"as": "n", "agg": "share_kept"}]},
    {**COUNT, "group_by": [{"column": "age", "bins": [0, 20, 10]}, {"column": "age"}, {"column": "x"}]},
    {**COUNT, "group_by": [{"column": "age", "by": "week"}, {"column": "district", "bins": [1, 2]}]},
    {**COUNT, "totals": True},
    {**COUNT, "non_negative_integers": True, "mechanism": "discrete_gaussian"},
    {**COUNT, "rows_per_person": 9, "mode": "ask", "reuse": 1, "weights": {"x": 1}},
    {**COUNT, "budget": {"epsilon": "1", "rho": "1"}},
    {**COUNT, "budget": {"rho": "1"}},
    {**COUNT, "budget": {"epsilon": "1e3"}},
    {**COUNT, "budget": {"accuracy": {"of": "y", "within": 0, "confidence": 2, "rows": 0, "relative": 9}}},
    {**COUNT, "budget": 0.5},
    where({"all": "x", "any": []}),
    where({"not": {"column": "district", "op": "<", "value": "kita"}}),
    where({"column": "district", "op": "=", "value": "中央区"}),
    where({"column": "age", "op": "between", "value": [20, 10]}),
    where({"column": "age", "op": ">", "value": 1000}),
    where({"column": "score", "op": "=", "value": 0.05}),
    where({"column": "moved_in", "op": "=", "value": "令和2年"}),
    where({"column": 5, "op": "like", "value": {"a": 1}}),
    where({"column": "age", "op": "is_missing", "value": 1}),
    where({"column": "age", "op": "in", "value": list(range(1_001))}),
    *(body for body, *_ in TAUGHT),
]


@pytest.mark.parametrize("body", BAD, ids=lambda body: json.dumps(body, ensure_ascii=False)[:80])
def test_no_refusal_in_japanese_holds_english(onlooker: Visitor, body: Any) -> None:
    answer = onlooker.ask(body, Accept_Language="ja")
    assert answer.status_code == 422
    assert english_besides(body, answer.json) == []


OTHER: dict[str, Any] = {
    "no JSON": b"{",
    "not UTF-8": b'"\xff"',
    "a name twice": b'{"a": 1, "a": 2}',
    "no number": b'{"a": NaN}',
    "half a character": b'"\\ud800"',
    "too deep": b"[" * 40 + b"]" * 40,
    "above the limit": {**COUNT, "budget": {"epsilon": "2.5"}},
    "not reachable": {**COUNT, "budget": {"accuracy": {"of": "residents", "within": 1, "confidence": 0.99}}},
}


@pytest.mark.parametrize("name", OTHER)
def test_no_other_refusal_in_japanese_holds_english(onlooker: Visitor, name: str) -> None:
    answer = onlooker.ask(OTHER[name], Accept_Language="ja")
    assert answer.status_code >= 400
    assert english_besides(OTHER[name], answer.json) == []


def english_besides(body: Any, problem: dict[str, Any]) -> list[str]:
    """The English of a refusal that the caller did not send himself, nor the town's public schema."""
    sent = body.decode("latin-1") if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False)
    own = {"chuo", "kita", "minami", "district", "age", "score", "moved_in", *re.findall(r"\w+", sent)}
    texts = [problem["title"], problem["detail"], *(error["message"] for error in problem.get("errors", []))]
    # What is quoted from the caller is the caller's.
    return [
        word for text in texts for word in english_in(text.replace(sent, "")) if word not in own | typed()
    ]


def test_a_value_given_by_its_label_is_answered_with_the_codes(labelled: Visitor) -> None:
    asked = where({"column": "district", "op": "=", "value": "中央区"})
    told = {language: refused_in(labelled, asked, language) for language in ("ja", "en")}
    assert told["ja"] == (
        '"中央区" は宣言された値ではありません。宣言された値: chuo（中央区）, kita（北区）（"chuo" のことですか）'
    )
    assert told["en"] == (
        '"中央区" is not a declared value; declared: chuo (Chuo Ward), kita (Kita Ward) (did you mean "chuo"?)'
    )


def refused_in(visitor: Visitor, body: Any, language: str) -> str:
    answer = visitor.ask(body, dataset="wards", Accept_Language=language)
    return str(answer.json["errors"][0]["message"])


WARDS = """
id: wards
title: {ja: 区, en: Wards}
body: "131016"
privacy: {unit: null, max_rows_per_person: 1, measure: pure, cap: "5", max_per_query: "1"}
columns:
  district:
    type: category
    values: [chuo, kita]
    labels: {ja: [中央区, 北区], en: [Chuo Ward, Kita Ward]}
"""


@pytest.fixture
def labelled(town: Town) -> Visitor:
    town.register(WARDS, "district\nchuo\nkita\n", [("wards", "user", "aoi", "2")])
    return town.open()


def test_an_exhausted_budget_says_what_is_left_what_it_buys_and_whom_to_ask(visitor: Visitor) -> None:
    body = {**COUNT, "budget": {"epsilon": "1.5"}, "reuse": "never"}
    answers = [visitor.ask(body) for _ in range(4)]
    spent = next(answer for answer in answers if answer.status_code == 403)
    assert spent.json["code"] == "budget_exhausted"
    assert re.fullmatch(
        r"user:aoi needs 1\.5 and has 0\.5\. What is left buys one count within ±\d+ \(95 %\)\. "
        r"Budgets do not refill by themselves: ask the administrator of your organisation for more\.",
        spent.json["detail"],
    )
    told = visitor.ask(body, Accept_Language="ja").json
    assert re.search(r"残りは 0\.5 です。残りの予算では、件数 1 つを ±\d+ の誤差で得られます", told["detail"])
    assert told["detail"].endswith("組織の管理者に依頼してください。")
    assert set(english_besides(body, told)) <= {"aoi"}


def test_the_contact_that_a_dataset_declares_is_whom_to_ask(town: Town) -> None:
    contact = 'contact: {ja: "統計係 {内線} 12", en: "statistics {ext} 12"}\nbody:'
    town.register(WARDS.replace("body:", contact), "district\nchuo\n", [("wards", "user", "aoi", "0.5")])
    body = {"select": [{"agg": "count"}], "budget": {"epsilon": "0.6"}}
    told = town.open().ask(body, dataset="wards").json
    assert "ask the dataset's contact (statistics {ext} 12) for more" in told["detail"]
    told = town.open().ask(body, dataset="wards", Accept_Language="ja").json
    assert "データセットの連絡先（統計係 {内線} 12）に依頼してください" in told["detail"]


BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def test_a_browser_is_told_what_to_do_next_in_its_language(onlooker: Visitor) -> None:
    for language, next_step in (("ja", "次にすること"), ("en", "What to do next")):
        page = onlooker.get("/v1/datasets/nothing", Accept=BROWSER, Accept_Language=language)
        assert (page.status_code, page.mimetype) == (404, "text/html")
        assert next_step in page.text
        assert "not_found" in page.text
        assert 'href="../../docs"' in page.text
        assert "script" not in page.headers["Content-Security-Policy"]


def test_whatever_a_page_repeats_is_escaped(onlooker: Visitor) -> None:
    page = onlooker.ask({**COUNT, "<script>alert(1)</script>": 1}, Accept=BROWSER)
    assert (page.status_code, page.mimetype) == (422, "text/html")
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text


@pytest.mark.parametrize("accept", ["*/*", "application/json", "application/json, text/html", ""])
def test_a_program_gets_json(onlooker: Visitor, accept: str) -> None:
    answer = onlooker.get("/v1/datasets/nothing", Accept=accept)
    assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_page_of_every_problem_says_what_to_do_next(onlooker: Visitor) -> None:
    from api.http.problem_advice import ADVICE
    from api.http.problem_words import PROBLEMS

    assert set(ADVICE) == set(PROBLEMS)
    for code, words in ADVICE.items():
        for language in ("ja", "en"):
            page = onlooker.get(f"/problems/{code.replace('_', '-')}", Accept_Language=language)
            assert words.within(language).split("{")[0][:20] in page.text  # type: ignore[arg-type]


PARAMETERS = [
    ("/v1/datasets/residents/queries?label=ja", "/label", "labels, bom", '"labels"'),
    ("/v1/datasets/residents/queries?foo=1", "/foo", "labels, bom", ""),
    ("/v1/datasets/residents/queries?BOM=1", "/BOM", "labels, bom", '"bom"'),
]


@pytest.mark.parametrize(("path", "pointer", "known", "meant"), PARAMETERS)
def test_an_unknown_parameter_is_told_beside_those_that_are_known(
    onlooker: Visitor, path: str, pointer: str, known: str, meant: str
) -> None:
    for language, told in (("ja", f"使える項目: {known}"), ("en", f"known here: {known}")):
        answer = onlooker.client.post(
            path,
            json=COUNT,
            headers={"Authorization": f"Bearer {onlooker.keys['aoi']}", "Accept-Language": language},
        )
        (error,) = answer.json["errors"]
        assert (error["pointer"], error["reason"]) == (pointer, "unknown_field")
        assert told in error["message"]
        assert meant in error["message"]


@pytest.mark.parametrize(
    ("path", "known"), [("/v1/queries?x=1", "limit, after, user"), ("/v1/datasets?x=1", None)]
)
def test_lists_tell_their_parameters_too(onlooker: Visitor, path: str, known: str | None) -> None:
    (error,) = onlooker.get(path).json["errors"]
    assert error["reason"] == "unknown_field"
    assert "null" not in error["message"]
    assert (known or "this address takes none") in error["message"]


@pytest.mark.parametrize(
    ("budget", "meant"),
    [(0.1, '{"epsilon": "0.1"}'), ("0.25", '{"epsilon": "0.25"}'), ("much", '{"epsilon": "0.5"}')],
)
def test_a_bare_amount_is_told_the_form_of_a_budget(onlooker: Visitor, budget: Any, meant: str) -> None:
    for language in ("ja", "en"):
        (error,) = refused(onlooker, {**COUNT, "budget": budget}, language)
        assert (error["pointer"], error["reason"]) == ("/budget", "not_an_object")
        assert meant in error["message"]


def test_the_page_of_a_problem_is_about_no_case_and_has_no_holes(onlooker: Visitor) -> None:
    from api.http.problem_words import PROBLEMS

    for code, words in PROBLEMS.items():
        meaning = words.meaning
        assert "{" not in meaning.ja + meaning.en, code
        for language, told in (("ja", meaning.ja), ("en", meaning.en)):
            page = onlooker.get(f"/problems/{code.replace('_', '-')}", Accept_Language=language)
            assert told.replace("'", "&#39;").replace('"', "&#34;") in page.text
            assert "… の" not in page.text
            assert told.endswith("。" if language == "ja" else ".")
