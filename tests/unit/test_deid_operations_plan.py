"""Operations in a plan: what is read, what is refused and how, and that each has the reviewer's name."""

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import date
from decimal import Decimal

import numpy as np
import pytest

from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.operations.naming import TERMS
from privacy.deidentify.operations.plan import OPERATIONS, READERS, InOrder, apply, parse
from privacy.deidentify.operations.steps import (
    AddNoise,
    Applied,
    BottomCode,
    DateShift,
    Microaggregate,
    Pram,
    Remove,
    TopCode,
)
from privacy.deidentify.randomness import Draws, draws
from privacy.deidentify.table import Column, Table

KEY = b"a key of this test alone"
PEOPLE = Table(
    [
        Column.of("person", ["p1", "p2", "p3", "p1", "p4", "p5"]),
        Column.of("name", ["青木", "伊藤", "上田", "青木", "江口", "岡"]),
        Column.of("district", ["chuo", "kita", "chuo", "chuo", "kita", "chuo"]),
        Column.of("age", ["34", "91", "", "35", "97", "12"]),
        Column.of("income", ["100", "250", "300", "120", "90", "0"]),
        Column.of("moved", ["2020-01-01", "2021-05-06", "", "2020-01-31", "1999-12-31", "2000-02-29"]),
        Column.of("left", ["2020-02-01", "2021-06-06", "", "2020-03-31", "2000-12-31", "2000-03-01"]),
    ]
)
EVERY: dict[str, object] = {
    "remove": "remove",
    "remove_rows": {"remove_rows": {"values": ["97"]}},
    "suppress": {"suppress": {"values": ["97"]}},
    "suppress_rare": {"suppress_rare": {"least": 2}},
    "mask": {"mask": {"keep": 1}},
    "top_code": {"top_code": {"at": 90, "label": "90以上"}},
    "bottom_code": {"bottom_code": {"least": 2}},
    "round": {"round": {"base": 10, "method": "random"}},
    "noise": {"noise": {"kind": "laplace", "sd": 3, "low": 0}},
    "microaggregate": {"microaggregate": {"k": 2, "centre": "mean"}},
    "swap": {"swap": {"percent": 50}},
    "record_swap": {"record_swap": {"share": 1, "within": ["district"]}},
    "pram": {"pram": {"retain": 0.5}},
    "sample": {"sample": {"size": 3}},
    "date_shift": {"date_shift": {"days": 30}},
    "pseudonym": "pseudonym",
    "renumber": "renumber",
}


def lent(seed: bytes = b"1") -> Callable[[str], Draws]:
    return lambda purpose: draws(seed, purpose)


def done(
    *asked: tuple[str, object], seed: bytes = b"1", table: Table = PEOPLE, unit: str | None = "person"
) -> tuple[Table, tuple[Applied, ...]]:
    operations = [(column, parse(spec, column=column)) for column, spec in asked]
    return apply(table, operations, draws_for=lent(seed), key=KEY, unit=unit)


def told(table: Table, name: str) -> list[str]:
    return table[name].texts().tolist()


def refused(spec: object, column: str = "age") -> str:
    with pytest.raises(BadOperation) as fault:
        parse(spec, column=column)
    return str(fault.value)


def test_every_operation_has_its_term_and_no_term_is_idle() -> None:
    assert set(OPERATIONS) == set(TERMS) - {"generalise", "suppress_records"}
    assert set(EVERY) == set(OPERATIONS)


def test_the_terms_are_those_of_the_secretariat_and_nearest_ones_say_so() -> None:
    assert {term.words.ja for term in TERMS.values()} == {
        "項目削除",
        "レコード削除",
        "セル削除",
        "一般化",
        "トップ（ボトム）コーディング",
        "ミクロアグリゲーション",
        "データ交換（スワップ）",
        "ノイズ（誤差）付加",
        "仮ID",
    }
    assert {name for name, term in TERMS.items() if not term.listed} == {
        "mask",
        "round",
        "pram",
        "sample",
        "date_shift",
    }


@pytest.mark.parametrize("name", EVERY)
def test_each_operation_runs_from_a_plan_and_reports_its_term(name: str) -> None:
    column = "moved" if name == "date_shift" else "age"
    table, (applied,) = done((column, EVERY[name]))
    assert (applied.column, applied.operation, applied.term) == (column, name, TERMS[name])
    assert applied.cells + applied.rows > 0
    assert (column in table) == (name != "remove")


@pytest.mark.parametrize(
    "name", sorted(set(EVERY) - {"remove", "remove_rows", "suppress", "mask", "top_code"})
)
def test_the_same_seed_gives_the_same_records(name: str) -> None:
    column = "moved" if name == "date_shift" else "age"
    once, again = done((column, EVERY[name]))[0], done((column, EVERY[name]))[0]
    assert told(once, column) == told(again, column)


@pytest.mark.parametrize("name", ["noise", "round", "swap", "pram", "date_shift", "renumber"])
def test_another_seed_gives_other_records(name: str) -> None:
    column = "moved" if name == "date_shift" else "age"
    several = {tuple(told(done((column, EVERY[name]), seed=bytes([seed]))[0], column)) for seed in range(5)}
    assert len(several) > 1


def test_parameters_become_values() -> None:
    assert parse("remove", column="name") == Remove()
    assert parse({"top_code": {"at": 90, "label": "90以上"}}, column="age") == TopCode(
        at=Decimal(90), label="90以上"
    )
    assert parse({"bottom_code": {"least": 20}}, column="age") == BottomCode(least=20)
    assert parse({"noise": {"relative": 0.1, "with": ["age"]}}, column="income") == AddNoise(
        relative=Decimal("0.1"), companions=("age",)
    )
    assert parse({"microaggregate": {"k": 5}}, column="age") == Microaggregate(k=5)
    assert parse(
        {"date_shift": {"days": 30, "from": date(2000, 1, 1), "to": "2020-12-31"}}, column="moved"
    ) == (DateShift(days=30, low=date(2000, 1, 1), high=date(2020, 12, 31)))
    assert parse({"pram": {"matrix": {"a": {"a": 0.5, "b": 0.5}, "b": {"b": 1}}}}, column="x") == Pram(
        matrix={"a": {"a": 0.5, "b": 0.5}, "b": {"b": 1.0}}
    )
    assert parse(["remove", {"mask": {"keep": 1}}], column="name") == InOrder(
        (Remove(), parse({"mask": {"keep": 1}}, column="name"))
    )


def test_each_parameter_has_a_reader_and_no_reader_is_idle() -> None:
    used = {field.name for kind in OPERATIONS.values() if is_dataclass(kind) for field in fields(kind)}
    assert used == set(READERS)


def test_an_unknown_operation_is_told_the_known_ones() -> None:
    words = refused("shred")
    assert "age" in words
    assert "'shred'" in words
    assert all(name in words for name in OPERATIONS)


def test_an_unknown_parameter_is_told_the_known_ones() -> None:
    words = refused({"date_shift": {"day": 3}}, "moved")
    assert "'day'" in words
    assert "days, zero, from, to, edge, with" in words


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ({"mask": {}}, "mask needs keep"),
        ({"mask": None}, "mask needs keep"),
        ({"mask": 3}, "must be a mapping, not 3"),
        ({"mask": {"keep": "3"}}, "keep of mask must be a whole number, not '3'"),
        ({"mask": {"keep": True}}, "a whole number"),
        ({"top_code": {}}, "exactly one of at, least"),
        ({"top_code": {"at": 3, "least": 4}}, "exactly one of at, least"),
        ({"top_code": {"at": "NaN"}}, "at of top_code must be a number"),
        ({"round": {"base": 0}}, "base above 0"),
        ({"round": {"base": 1, "method": "up"}}, "one of nearest, down, random"),
        ({"noise": {"sd": 0}}, "above 0"),
        ({"noise": {"sd": 1, "low": 3, "high": 2}}, "low ≤ high"),
        ({"noise": {"sd": 1, "with": ["age"]}}, "relative and normal"),
        ({"noise": {"sd": 1, "edge": "wrap"}}, "one of reflect, clamp"),
        ({"swap": {"percent": 5, "within": "district"}}, "a list of texts"),
        ({"date_shift": {"days": 3, "from": "yesterday"}}, "a date as"),
        ({"mask": {"keep": 1}, "remove": {}}, "one name with its parameters"),
        ({"pram": {"matrix": {"a": {1: 0.5}}}}, "a mapping from value to value to probability"),
        ([], "empty list"),
        (None, "a name"),
        (7, "a name"),
    ],
)
def test_a_bad_plan_is_refused_with_what_was_given(spec: object, words: str) -> None:
    assert words in refused(spec)


def test_a_list_is_applied_in_order_and_each_step_reported() -> None:
    table, applied = done(
        ("age", [{"top_code": {"at": 90, "label": "≥{bound}"}}, {"bottom_code": {"at": 20}}])
    )
    assert told(table, "age") == ["34", "≥90", "", "35", "≥90", "20"]
    assert [(one.operation, one.cells) for one in applied] == [("top_code", 2), ("bottom_code", 1)]


def test_numbers_and_labels_live_together_in_what_follows_a_coded_tail() -> None:
    table, _ = done(("age", [{"top_code": {"at": 90, "label": "90以上"}}, {"round": {"base": 10}}]))
    assert told(table, "age") == ["30", "90以上", "", "40", "90以上", "10"]


def test_a_bound_drawn_from_the_data_is_restricted_and_a_stated_one_is_not() -> None:
    drawn = done(("age", {"top_code": {"least": 2}}))[1][0]
    assert drawn.restricted == {"bound": "91"}
    assert done(("age", {"top_code": {"at": 91}}))[1][0].restricted == {}


def test_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadOperation, match="round: there is no column agge"):
        done(("agge", {"round": {"base": 5}}))


def test_a_removed_column_cannot_be_worked_on() -> None:
    with pytest.raises(BadOperation, match="removed before"):
        done(("age", ["remove", {"round": {"base": 5}}]))


def test_a_column_named_twice_is_refused() -> None:
    with pytest.raises(BadOperation, match="names a column twice"):
        done(("age", {"microaggregate": {"k": 2, "with": ["age"]}}))


def test_a_unit_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadOperation, match="there is no column who"):
        done(("age", "remove"), unit="who")


def test_persons_outlive_the_column_that_told_them() -> None:
    table, _ = done(("person", "remove"), ("moved", {"date_shift": {"days": 20}}))
    moved = [date.fromisoformat(told(table, "moved")[row]) for row in (0, 3)]
    assert (moved[1] - moved[0]).days == 30


def test_dates_of_a_person_in_two_columns_move_together_even_after_rows_went() -> None:
    table, _ = done(
        ("moved", {"date_shift": {"days": 20}}),
        ("district", {"remove_rows": {"values": ["kita"]}}),
        ("left", {"date_shift": {"days": 20}}),
    )
    pairs = [
        (date.fromisoformat(start), date.fromisoformat(end))
        for start, end in zip(told(table, "moved"), told(table, "left"), strict=True)
        if start
    ]
    assert [(end - start).days for start, end in pairs] == [31, 60, 1]


def test_a_second_noise_on_a_column_does_not_repeat_the_first() -> None:
    flat = Table([Column.of("x", ["0"] * 200)])
    twice = done(("x", [{"noise": {"sd": 100}}, {"noise": {"sd": 100}}]), table=flat, unit=None)[0]
    assert any(int(text) % 2 for text in told(twice, "x"))


def test_persons_are_counted_not_rows() -> None:
    table, (applied,) = done(("district", {"suppress_rare": {"least": 4}}))
    assert set(told(table, "district")) == {""}
    assert applied.cells == 6
    assert done(("district", {"suppress_rare": {"least": 4}}), unit=None)[1][0].cells == 2


def test_persons_are_counted_among_the_rows_that_are_left() -> None:
    table, _ = done(
        ("age", {"remove_rows": {"values": ["97", ""]}}), ("district", {"suppress_rare": {"least": 2}})
    )
    assert told(table, "district") == ["chuo", "", "chuo", "chuo"]


def test_a_label_that_is_a_number_is_worked_on_as_one() -> None:
    table, _ = done(("age", [{"top_code": {"at": 90, "label": "34"}}, {"round": {"base": 10}}]))
    assert told(table, "age") == ["30", "30", "", "40", "30", "10"]


def test_a_sample_takes_persons_with_all_their_rows() -> None:
    table, (applied,) = done(("person", {"sample": {"share": 0.6}}))
    assert len(set(told(table, "person"))) == 3
    assert applied.rows == 6 - table.rows
    assert told(table, "person").count("p1") in (0, 2)


def test_microaggregation_reports_its_groups() -> None:
    table, (applied,) = done(("income", {"microaggregate": {"k": 2}}))
    assert applied.figures["smallest_group"] == 2
    assert 0 < float(applied.figures["sse_by_sst"]) < 1
    assert table.rows == 6


def test_the_figures_of_a_record_are_plain_values() -> None:
    for name, spec in EVERY.items():
        for applied in done(("moved" if name == "date_shift" else "income", spec))[1]:
            values = [*applied.figures.values(), *applied.restricted.values()]
            assert all(type(value) in (int, float, str) for value in values)


@pytest.mark.parametrize("name", sorted(EVERY))
def test_one_row_and_no_rows_are_worked_on_or_refused_but_never_crash(name: str) -> None:
    column = "moved" if name == "date_shift" else "income"
    for rows in (0, 1):
        few = PEOPLE.take(np.arange(rows))
        try:
            table, _ = done((column, EVERY[name]), table=few)
        except BadOperation as fault:
            assert name in str(fault) or "sample" in str(fault)  # noqa: PT017
        else:
            assert table.rows <= rows


@pytest.mark.parametrize("name", sorted(EVERY))
def test_a_column_of_missing_cells_stays_missing_or_is_refused(name: str) -> None:
    empty = Table([Column.of("x", [""] * 4)])
    try:
        table, _ = done(
            ("x", EVERY[name] if name != "record_swap" else {"record_swap": {"share": 1}}),
            table=empty,
            unit=None,
        )
    except BadOperation as fault:
        assert name in str(fault)  # noqa: PT017
    else:
        assert "x" not in table or set(told(table, "x")) <= {""}
