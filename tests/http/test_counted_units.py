"""Households, and keys that are constant per person, asked over HTTP: what is told, at what noise, what is refused."""

from pathlib import Path
from typing import Any

import pytest
from doubles import Silence
from small_town import Town, Visitor
from town import VISITS, derived

HOUSEHOLDS = {"as": "households", "agg": "count_units", "unit": "household"}
PERSONS = {"as": "persons", "agg": "count_persons"}
KIND = {"type": "category", "values": ["bus", "train"]}
HOME = {"type": "category", "values": ["chuo", "kita"], "constant_per_person": True}
BENEFITS = derived(
    VISITS,
    id="benefits",
    privacy={"max_rows_per_person": 30},
    units={
        "household": {
            "column": "hid",
            "title": {"ja": "世帯", "en": "Households"},
            "constant_per_person": True,
        }
    },
    columns={"home": HOME, "kind": KIND},
)


def benefits_csv() -> str:
    """Sixty people of twenty households, four rows each; who is in a household lives where it is."""
    lines = [
        f"b{person},{'chuo' if person % 20 < 15 else 'kita'},{'bus' if month % 2 else 'train'},h{person % 20}\n"
        for person in range(60)
        for month in range(4)
    ]
    return "person,home,kind,hid\n" + "".join(lines)


@pytest.fixture(scope="module")
def town_of_benefits(template: Town, tmp_path_factory: pytest.TempPathFactory) -> Town:
    town = template.copy(tmp_path_factory.mktemp("benefits") / "town")
    town.register(BENEFITS, benefits_csv(), [("benefits", "user", "aoi", "9")])
    return town


@pytest.fixture
def benefits(town_of_benefits: Town, tmp_path: Path) -> Visitor:
    return town_of_benefits.copy(tmp_path / "town").open(Silence())


def asked(benefits: Visitor, *select: dict[str, Any], **changes: Any) -> Any:
    body = {"select": list(select), "budget": {"epsilon": "0.5"}, **changes}
    return benefits.ask(body, dataset="benefits")


def test_households_are_counted_where_their_people_are(benefits: Visitor) -> None:
    answer = asked(benefits, HOUSEHOLDS, group_by=[{"column": "home"}, {"column": "kind"}])
    assert answer.status_code == 200, answer.text
    counted = {(row["home"], row["kind"]): row["households"] for row in answer.json["rows"]}
    assert counted == {("chuo", "bus"): 15, ("chuo", "train"): 15, ("kita", "bus"): 5, ("kita", "train"): 5}
    value = next(column for column in answer.json["columns"] if column["name"] == "households")
    assert value["unit"] == "household"


def test_thirty_rows_a_person_cost_the_noise_of_one_by_constant_keys(benefits: Visitor) -> None:
    quoted = asked(
        benefits, HOUSEHOLDS, PERSONS, group_by=[{"column": "home"}], mode="quote", budget={"epsilon": "1"}
    )
    widths = {one["of"]: one["half_width"] for one in quoted.json["expected"]}
    # ln(20) · 2 at ε 0.5 each, and not thirty times that.
    assert all(width <= 7 for width in widths.values())


def test_persons_have_totals_by_constant_keys(benefits: Visitor) -> None:
    answer = asked(benefits, PERSONS, group_by=[{"column": "home"}], totals=True)
    assert {row["home"]: row["persons"] for row in answer.json["rows"]} == {"chuo": 45, "kita": 15, "*": 60}


def test_a_dummy_and_a_name_of_its_own_need_nothing_more(benefits: Visitor) -> None:
    answer = asked(benefits, {"agg": "count_units", "unit": "household"}, mode="dummy")
    assert answer.json["rows"][0]["count_units_household"] > 0


def test_the_catalogue_says_what_can_be_counted_and_what_is_constant(benefits: Visitor) -> None:
    public = benefits.get("/v1/datasets/benefits").json
    assert public["units"] == [
        {"name": "household", "title": {"ja": "世帯", "en": "Households"}, "constant_per_person": True}
    ]
    assert [column.get("constant_per_person") for column in public["columns"]] == [True, None]
    assert "hid" not in str(public)


@pytest.mark.parametrize(
    ("dataset", "select", "pointer", "words"),
    [
        ("residents", HOUSEHOLDS, "/select/0/agg", "declares no units"),
        ("benefits", {**HOUSEHOLDS, "unit": "school"}, "/select/0/unit", "known units: household"),
        ("benefits", {"agg": "count_units"}, "/select/0/unit", "required"),
    ],
)
def test_what_cannot_be_counted_is_refused_free_and_says_why(
    benefits: Visitor, dataset: str, select: dict[str, Any], pointer: str, words: str
) -> None:
    body = {"select": [select], "budget": {"epsilon": "0.5"}}
    refused = benefits.ask(body, dataset=dataset, Accept_Language="en")
    (error,) = refused.json["errors"]
    assert (refused.status_code, error["pointer"]) == (422, pointer)
    assert words in error["message"]
    assert benefits.spent() == {}
