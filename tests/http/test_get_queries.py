"""GET /v1/queries and /v1/queries/{id}: one's own history, and each answer again, free."""

import pytest
from odd_engines import BrokenEngine, with_engine
from small_town import BY_DISTRICT, COUNT, Visitor

NEVER = {**COUNT, "budget": {"epsilon": "0.1"}, "reuse": "never"}


def test_history_tells_newest_first_what_was_asked_and_charged(visitor: Visitor) -> None:
    first, second = visitor.ask(COUNT).json, visitor.ask(BY_DISTRICT).json
    items = visitor.get("/v1/queries").json["items"]
    assert [item["id"] for item in items] == [second["id"], first["id"]]
    assert items[1] == {
        "id": first["id"],
        "dataset": {"id": "residents", "version": 1},
        "asked_at": items[1]["asked_at"],
        "outcome": "answered",
        "charged": "0.5",
        "fingerprint": first["fingerprint"],
        "question": COUNT,
        "question_text": {"ja": "全体の人数。", "en": "Number of persons, over all."},
    }


def test_history_turns_pages_without_losing_or_repeating_a_line(visitor: Visitor) -> None:
    asked = [visitor.ask(NEVER).json["id"] for _ in range(7)]
    path, seen = "/v1/queries?limit=3", []
    while path:
        page = visitor.get(path)
        seen.append([item["id"] for item in page.json["items"]])
        path = page.headers.get("Link", "").removeprefix("<").partition(">")[0]
        assert bool(path) == bool(page.json["next"])
    assert [len(page) for page in seen] == [3, 3, 1]
    assert sorted(id for page in seen for id in page) == sorted(asked)


def test_a_page_that_is_exactly_full_is_the_last(visitor: Visitor) -> None:
    for _ in range(3):
        visitor.ask(NEVER)
    assert visitor.get("/v1/queries?limit=3").json["next"] is None


@pytest.mark.parametrize("limit", ["0", "-1", "201", "x", "", "1.5", "１", "1_0", "9" * 5_000, "1e2", "null"])
def test_a_page_of_no_sensible_length_is_refused(onlooker: Visitor, limit: str) -> None:
    refused = onlooker.get(f"/v1/queries?limit={limit}")
    assert refused.status_code == 422
    assert refused.json["errors"][0]["pointer"] == "/limit"


@pytest.mark.parametrize("after", ["nothing", "q_", "'; --", "%00", "%ff", "zzzz", "あ"])
def test_a_page_after_nothing_known_is_refused_or_a_page(onlooker: Visitor, after: str) -> None:
    assert onlooker.get(f"/v1/queries?after={after}").status_code in (200, 422)


def test_an_unknown_parameter_is_refused(onlooker: Visitor) -> None:
    refused = onlooker.get("/v1/queries?limit=3&offset=3")
    assert (refused.status_code, refused.json["errors"][0]["pointer"]) == (422, "/offset")


def test_a_parameter_given_twice_is_refused(onlooker: Visitor) -> None:
    refused = onlooker.get("/v1/queries?limit=3&limit=4")
    assert (refused.status_code, refused.json["errors"][0]["reason"]) == (422, "duplicate_key")


def test_history_holds_nothing_of_others(visitor: Visitor) -> None:
    visitor.ask(user="ren")
    assert visitor.get("/v1/queries").json == {"items": [], "next": None}


def test_an_answer_again_is_the_same_bytes_and_free(visitor: Visitor) -> None:
    told = visitor.ask(BY_DISTRICT)
    again = visitor.get(f"/v1/queries/{told.json['id']}")
    assert again.data == told.data
    assert visitor.spent()["residents/user:aoi"] == "0.5"


def test_an_answer_known_already_is_not_sent_again(visitor: Visitor) -> None:
    path = f"/v1/queries/{visitor.ask(BY_DISTRICT).json['id']}"
    tag = visitor.get(path).headers["ETag"]
    unchanged = visitor.get(path, If_None_Match=tag)
    assert (unchanged.status_code, unchanged.data) == (304, b"")
    assert unchanged.headers["ETag"] == tag
    assert visitor.get(path, If_None_Match='"other"').status_code == 200


def test_each_format_has_a_tag_of_its_own(visitor: Visitor) -> None:
    path = f"/v1/queries/{visitor.ask(BY_DISTRICT).json['id']}"
    kinds = ("application/json", "text/csv", "application/vnd.apache.arrow.stream")
    tags = {visitor.get(path, Accept=kind).headers["ETag"] for kind in kinds}
    assert len(tags) == 3
    assert not any(tag.startswith("W/") for tag in tags)


def test_the_same_404_for_anothers_answer_and_for_none(visitor: Visitor) -> None:
    id = visitor.ask(user="ren").json["id"]
    refused = [visitor.get(f"/v1/queries/{name}") for name in (id, "q_nothing", "%00", "a" * 5_000)]
    assert {answer.status_code for answer in refused} == {404}
    assert len({answer.data.replace(answer.json["request_id"].encode(), b"") for answer in refused}) == 1


def test_an_administrator_reads_nobodys_answers(visitor: Visitor) -> None:
    id = visitor.ask().json["id"]
    assert visitor.get(f"/v1/queries/{id}", user="hana").status_code == 404


def test_a_failed_answer_stands_in_history_and_fails_again(visitor: Visitor) -> None:
    with_engine(visitor, BrokenEngine()).ask()
    item = visitor.get("/v1/queries").json["items"][0]
    assert (item["outcome"], item["charged"]) == ("failed", "0.5")
    assert visitor.get(f"/v1/queries/{item['id']}").json["code"] == "internal"


def test_an_answer_in_no_format_of_ours_is_refused(visitor: Visitor) -> None:
    path = f"/v1/queries/{visitor.ask().json['id']}"
    assert visitor.get(path, Accept="image/png").json["code"] == "not_acceptable"
