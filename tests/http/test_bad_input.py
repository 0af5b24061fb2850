"""Bodies that no polite client sends: each is refused with its place named, nothing charged, nothing told."""

import io
import json

import pytest
from small_town import COUNT, Town, Visitor

SHARED = '"select": [{"as": "n", "agg": "count"}]'
DEEP = 100_000
BODY_BYTES_MAX = 1 << 20


@pytest.fixture(scope="module")
def stranger(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Visitor:
    """One town for all of these, since none may change it."""
    return template.copy(tmp_path_factory.mktemp("bad") / "town").open()


@pytest.fixture(autouse=True)
def _nothing_is_charged(stranger: Visitor) -> None:
    yield
    assert stranger.spent() == {}


def with_epsilon(text: str) -> bytes:
    return f'{{{SHARED}, "budget": {{"epsilon": {text}}}}}'.encode()


def with_where(where: object) -> bytes:
    return json.dumps({**COUNT, "where": where}).encode()


@pytest.mark.parametrize(
    "text",
    [
        "-1",
        "0",
        "-0",
        "-0.0",
        "0.0000000001",
        "5e-324",
        "1e999",
        "1E0",
        "true",
        "false",
        '"1_0"',
        '"１"',
        '" 1"',
        '"1 "',
        '"+1"',
        '"0x1"',
        '"1e0"',
        '"½"',
        '"NaN"',
        '""',
        '"1,5"',
        "1" + "0" * 30,
        "9" * 5_000,
        "0." + "9" * 5_000,
        "null",
        "[]",
        "[1]",
        "{}",
        '{"epsilon": 1}',
    ],
    ids=lambda text: text[:20],
)
def test_what_is_no_price_is_refused_where_it_stands(stranger: Visitor, text: str) -> None:
    refused = stranger.ask(with_epsilon(text))
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
    assert refused.json["errors"][0]["pointer"] == "/budget/epsilon"
    assert len(refused.data) < 1_000


def test_a_body_of_unannounced_length_is_refused_and_never_cut(stranger: Visitor) -> None:
    body = json.dumps({**COUNT, "mode": "quote"}).encode()
    sizes = {len(body): 200, BODY_BYTES_MAX: 200, BODY_BYTES_MAX + 1: 413, 2 * BODY_BYTES_MAX: 413}
    for size, status in sizes.items():
        answer = stranger.client.post(
            "/v1/datasets/residents/queries",
            # Blanks behind the question: cut off, they would leave it as it is.
            input_stream=io.BytesIO(body.ljust(size)),
            content_type="application/json",
            headers={**stranger.key_of("aoi"), "Transfer-Encoding": "chunked"},
            environ_overrides={"wsgi.input_terminated": True},
        )
        assert answer.status_code == status


@pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_json_number_is_refused_by_name(stranger: Visitor, text: str) -> None:
    refused = stranger.ask(with_epsilon(text))
    assert (refused.status_code, refused.json["code"]) == (400, "malformed_json")
    assert text in refused.json["errors"][0]["message"]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"{'a': 1}", "not_json"),
        (b'{"a": 01}', "not_json"),
        (b'{"a": +1}', "not_json"),
        (b'{"a": .5}', "not_json"),
        (b'{"a": 1,}', "not_json"),
        (b"{} {}", "not_json"),
        (b'{"a": "tab\tinside"}', "not_json"),
        (b"\xef\xbb\xbf{}", "not_json"),
        (b'{"a": "\xff"}', "not_utf8"),
        (b"\xff\xfe{\x00}\x00", "not_utf8"),
        (b"[" * DEEP, "too_deep"),
        (b"[" * DEEP + b"]" * DEEP, "too_deep"),
        (b'{"a":' * DEEP + b"1" + b"}" * DEEP, "too_deep"),
        (b'{"where": ' + b'{"not": ' * DEEP + b"1" + b"}" * DEEP + b"}", "too_deep"),
        (b'{"a": 1, "a": 1}', "duplicate_key"),
        (b'{"budget": {"epsilon": "1", "epsilon": "2"}}', "duplicate_key"),
        (json.dumps(dict.fromkeys(map(str, range(200)))).encode()[:-1] + b', "7": 1}', "duplicate_key"),
        (json.dumps(dict.fromkeys(map(str, range(50_001)))).encode(), "too_many_members"),
        (json.dumps({"select": [{"a": 1}] * 50_001}).encode(), "too_many_members"),
        (json.dumps({"select": [{"~" * 8_001: 1}]}).encode(), "name_too_long"),
        (b'{"a": "\\ud800"}', "lone_surrogate"),
        (b'{"\\udfff": 1}', "lone_surrogate"),
    ],
    ids=lambda value: str(value)[:24] if isinstance(value, bytes) else None,
)
def test_what_is_no_json_of_ours_is_refused(stranger: Visitor, body: bytes, reason: str) -> None:
    refused = stranger.ask(body)
    assert (refused.status_code, refused.json["code"]) == (400, "malformed_json")
    assert refused.json["errors"][0]["reason"] == reason


def test_a_malformed_body_tells_where_it_breaks(stranger: Visitor) -> None:
    def message(body: bytes) -> str:
        return str(stranger.ask(body).json["errors"][0]["message"])

    assert message(b'{"a":\n  ?}') == "not JSON from line:column 2:3"
    assert message(b"\xff") == "byte 0 is not UTF-8"
    assert message(b'{"a": 1, "a": 2}') == 'the name "a" stands twice'
    assert message(b"[" * 33) == "JSON may nest 32 levels"


def test_brackets_inside_text_are_not_depth(stranger: Visitor) -> None:
    refused = stranger.ask({**COUNT, "x": "[{" * 1_000})
    assert refused.json["errors"][0]["reason"] == "unknown_field"


def test_a_number_of_five_thousand_digits_is_refused_wherever_it_stands(stranger: Visitor) -> None:
    long = "7" * 5_000
    for body in (
        f'{{{SHARED}, "budget": {{"epsilon": "1"}}, "where": {{"column": "age", "op": "=", "value": {long}}}}}',
        f'{{{SHARED}, "budget": {{"epsilon": "1"}}, "weights": {{"n": {long}}}}}',
        f'{{{SHARED}, "budget": {{"epsilon": "1"}}, "group_by": [{{"column": "age", "bins": [0, {long}]}}]}}',
        f'{{{SHARED}, "budget": {{"accuracy": {{"of": "n", "within": {long}}}}}}}',
        f'{{{SHARED}, "budget": {{"epsilon": "1"}}, {json.dumps(long)}: 1}}',
    ):
        refused = stranger.ask(body.encode())
        assert refused.status_code == 422
        assert refused.json["errors"][0]["pointer"]
        assert len(refused.data) < 8_000


@pytest.mark.parametrize(
    ("where", "pointer", "reason"),
    [
        ({"all": [{"column": "age", "op": "=", "value": 1}] * 10_000}, "/where/all", "too_many_terms"),
        ({"column": "age", "op": "in", "value": list(range(10_000))}, "/where/value", "too_many_terms"),
        ({"any": [{"all": []}] * 10_000}, "/where/any", "too_many_terms"),
        ({}, "/where/column", "required"),
        (None, "/where", "null"),
        ([], "/where", "not_an_object"),
        ("age = 1", "/where", "not_an_object"),
        ({"all": {}}, "/where/all", "not_a_list"),
        ({"not": []}, "/where/not", "not_an_object"),
        ({"all": [], "any": []}, "/where/any", "unknown_field"),
        ({"column": "age", "op": "like", "value": "%"}, "/where/op", "not_one_of"),
        ({"column": "age", "op": ["="], "value": 1}, "/where/op", "not_text"),
        ({"column": "age", "op": "=", "value": True}, "/where/value", "not_scalar"),
        ({"column": "age", "op": "=", "value": None}, "/where/value", "not_scalar"),
        ({"column": "age", "op": "=", "value": "20"}, "/where/value", "not_a_number"),
        ({"column": "age", "op": "=", "value": 20.5}, "/where/value", "off_step"),
        ({"column": "age", "op": "=", "value": 120}, "/where/value", "outside_domain"),
        ({"column": "age", "op": "=", "value": -(10**30)}, "/where/value", "outside_domain"),
        ({"column": "age", "op": "in", "value": []}, "/where/value", "wrong_length"),
        ({"column": "age", "op": "in", "value": [1, "x"]}, "/where/value/1", "not_a_number"),
        ({"column": "age", "op": "between", "value": [1]}, "/where/value", "wrong_length"),
        ({"column": "age", "op": "between", "value": [9, 1]}, "/where/value", "not_ascending"),
        ({"column": "age", "op": "is_missing", "value": 1}, "/where/value", "unknown_field"),
        ({"column": "district", "op": "=", "value": "osaka"}, "/where/value", "undeclared_value"),
        ({"column": "district", "op": "<", "value": "kita"}, "/where/op", "no_order"),
        ({"column": "moved_in", "op": "=", "value": "2026-02-30"}, "/where/value", "not_a_date"),
        ({"column": "moved_in", "op": "=", "value": "20260201"}, "/where/value", "not_a_date"),
        ({"column": "name", "op": "=", "value": "x"}, "/where/column", "unknown_column"),
        ({"column": "person", "op": "=", "value": "p1"}, "/where/column", "unknown_column"),
        ({"column": "1; DROP TABLE rows", "op": "=", "value": 1}, "/where/column", "unknown_column"),
        ({"column": "a" * 100_000, "op": "=", "value": 1}, "/where/column", "unknown_column"),
        (
            {"not": {"all": [{"column": "age", "op": "=", "value": "x"}]}},
            "/where/not/all/0/value",
            "not_a_number",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_filter_that_does_not_fit_is_refused_where_it_breaks(
    stranger: Visitor, where: object, pointer: str, reason: str
) -> None:
    refused = stranger.ask(with_where(where))
    assert refused.status_code == 422
    assert (pointer, reason) in [(error["pointer"], error["reason"]) for error in refused.json["errors"]]


@pytest.mark.parametrize(
    ("change", "pointer", "reason"),
    [
        ({"select": []}, "/select", "wrong_length"),
        ({"select": [{"agg": "count"}] * 21}, "/select", "wrong_length"),
        ({"select": {}}, "/select", "not_a_list"),
        ({"select": [3]}, "/select/0", "not_an_object"),
        ({"select": [{}]}, "/select/0/agg", "required"),
        ({"select": [{"agg": "count", "AS": "n"}]}, "/select/0/AS", "unknown_field"),
        ({"select": [{"agg": "COUNT"}]}, "/select/0/agg", "not_one_of"),
        ({"select": [{"agg": "count", "as": "a b"}]}, "/select/0/as", "bad_name"),
        ({"select": [{"agg": "count", "as": "n" * 64}]}, "/select/0/as", "bad_name"),
        ({"select": [{"agg": "count", "as": "n\n"}]}, "/select/0/as", "bad_name"),
        ({"select": [{"agg": "count", "column": "age"}]}, "/select/0/column", "takes_no_member"),
        ({"select": [{"agg": "sum"}]}, "/select/0/column", "column_needed"),
        ({"select": [{"agg": "sum", "column": "district"}]}, "/select/0/column", "not_numeric"),
        ({"select": [{"agg": "sum", "column": "age", "clamp": [5]}]}, "/select/0/clamp", "wrong_length"),
        ({"select": [{"agg": "sum", "column": "age", "clamp": [9, 5]}]}, "/select/0/clamp", "not_ascending"),
        (
            {"select": [{"agg": "sum", "column": "age", "clamp": [0, 500]}]},
            "/select/0/clamp/1",
            "outside_domain",
        ),
        ({"select": [{"agg": "count"}, {"agg": "count"}]}, "/select/1/as", "repeated_name"),
        ({"group_by": [{"column": "age"}] * 9}, "/group_by", "wrong_length"),
        ({"group_by": [{"column": "age"}] * 2}, "/group_by/1/column", "repeated_key"),
        ({"group_by": [{"column": "age", "bins": [0]}]}, "/group_by/0/bins", "wrong_length"),
        ({"group_by": [{"column": "age", "bins": [5, 5]}]}, "/group_by/0/bins", "not_ascending"),
        ({"group_by": [{"column": "age", "missing": "true"}]}, "/group_by/0/missing", "not_a_boolean"),
        ({"group_by": [{"column": "age", "missing": 1}]}, "/group_by/0/missing", "not_a_boolean"),
        ({"group_by": [{"column": "age"}, {"column": "moved_in"}]}, "/group_by", "too_many_cells"),
        ({"budget": {}}, "/budget", "choose_one"),
        ({"budget": {"epsilon": "1", "rho": "1"}}, "/budget", "choose_one"),
        ({"budget": {"epsilon": "1", "nu": "1"}}, "/budget/nu", "unknown_field"),
        ({"budget": "1"}, "/budget", "not_an_object"),
        ({"budget": {"accuracy": {"within": 1}}}, "/budget/accuracy/of", "required"),
        ({"budget": {"accuracy": {"of": "x", "within": 1}}}, "/budget/accuracy/of", "unknown_statistic"),
        (
            {"budget": {"accuracy": {"of": "residents", "within": 0}}},
            "/budget/accuracy/within",
            "not_positive",
        ),
        (
            {"budget": {"accuracy": {"of": "residents", "within": "9"}}},
            "/budget/accuracy/within",
            "not_a_number",
        ),
        ({"weights": {"x": 1}}, "/weights/x", "unknown_statistic"),
        ({"weights": {"residents": 0}}, "/weights/residents", "not_positive"),
        ({"weights": {"residents": -1}}, "/weights/residents", "not_positive"),
        ({"weights": {"residents": "1"}}, "/weights/residents", "not_an_amount"),
        ({"weights": {"residents": 10**12}}, "/weights/residents", "not_an_amount"),
        ({"weights": {"a/b~c": True}}, "/weights/a~1b~0c", "not_an_amount"),
        ({"weights": []}, "/weights", "not_an_object"),
        ({"mode": "RUN"}, "/mode", "not_one_of"),
        ({"mode": None}, "/mode", "null"),
        ({"reuse": False}, "/reuse", "not_text"),
        ({"sql": "SELECT 1"}, "/sql", "unknown_field"),
        ({"": 1}, "/", "unknown_field"),
        ({"/where": 1}, "/~1where", "unknown_field"),
    ],
    ids=lambda value: str(value)[:48],
)
def test_a_question_that_does_not_fit_is_refused_where_it_breaks(
    stranger: Visitor, change: dict[str, object], pointer: str, reason: str
) -> None:
    refused = stranger.ask({**COUNT, **change})
    assert (refused.status_code, refused.json["code"]) == (422, "invalid_query")
    assert (pointer, reason) in [(error["pointer"], error["reason"]) for error in refused.json["errors"]]


@pytest.mark.parametrize("body", [b"null", b"[]", b"3", b'"run"', b"true", b"{}"])
def test_what_is_no_question_at_all_is_refused(stranger: Visitor, body: bytes) -> None:
    assert (refused := stranger.ask(body)).status_code == 422
    assert refused.json["errors"]


def test_every_fault_is_named_up_to_fifty(stranger: Visitor) -> None:
    two = stranger.ask(
        {**COUNT, "group_by": [{"column": "x"}], "where": {"column": "y", "op": "=", "value": 1}}
    )
    assert [error["pointer"] for error in two.json["errors"]] == ["/group_by/0/column", "/where/column"]
    many = stranger.ask({**COUNT, **{f"x{number}": 1 for number in range(5_000)}})
    assert len(many.json["errors"]) == 50


def test_the_message_quotes_the_caller_and_the_schema_in_the_callers_language(stranger: Visitor) -> None:
    where = with_where({"column": "district", "op": "=", "value": "大阪"})
    message = stranger.ask(where, Accept_Language="ja").json["errors"][0]["message"]
    assert message == '"大阪" は宣言された値ではありません。宣言された値: chuo, kita, minami'


def test_a_long_word_of_the_caller_is_cut(stranger: Visitor) -> None:
    refused = stranger.ask(with_where({"column": "a" * 1_000_000, "op": "=", "value": 1}))
    assert refused.status_code == 422
    assert len(refused.data) < 2_000


def test_a_body_may_have_a_mebibyte_and_no_byte_more(stranger: Visitor) -> None:
    padded = json.dumps({**COUNT, "mode": "quote"}).encode().ljust(BODY_BYTES_MAX)
    assert stranger.ask(padded).status_code == 200
    refused = stranger.ask(padded + b" ")
    assert (refused.status_code, refused.json["code"]) == (413, "body_too_large")
    assert str(BODY_BYTES_MAX) in refused.json["detail"]


@pytest.mark.parametrize(
    "content_type",
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/yaml",
    ],
)
def test_a_body_that_does_not_say_it_is_json_is_refused(stranger: Visitor, content_type: str) -> None:
    refused = stranger.ask(COUNT, Content_Type=content_type)
    assert (refused.status_code, refused.json["code"]) == (415, "unsupported_media_type")


def test_a_thousand_terms_are_still_answered(stranger: Visitor) -> None:
    terms = [{"column": "age", "op": "=", "value": number % 120} for number in range(1_000)]
    assert stranger.ask({**COUNT, "mode": "quote", "where": {"any": terms}}).status_code == 200


def test_thirty_levels_of_not_are_still_answered(stranger: Visitor) -> None:
    where: object = {"column": "age", "op": "=", "value": 1}
    for _ in range(30):
        where = {"not": where}
    assert stranger.ask({**COUNT, "mode": "quote", "where": where}).status_code == 200


def test_unknown_members_are_named_in_order_whatever_the_process(onlooker: Visitor) -> None:
    refused = onlooker.post("/v1/grants", dict.fromkeys(("zulu", "alpha", "mike", "kilo", "echo"), 1))
    unknown = [error["pointer"] for error in refused.json["errors"] if error["reason"] == "unknown_field"]
    assert unknown == ["/alpha", "/echo", "/kilo", "/mike", "/zulu"]
