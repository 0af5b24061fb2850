"""The benchmark of de-identification: its writer, its made-up table, and what it holds results against."""

import re
from dataclasses import replace
from math import prod

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.deid import __main__ as bench
from bench.deid import adult, big, report, survey, timed
from bench.deid.big import Commanded, Peaked
from bench.deid.cases import DIAL, FULL_DOMAIN, LOCAL_GOALS, SURVEY
from bench.deid.timed import Outcome
from bench.part import Part
from datasets.records.plan import reading
from privacy.deidentify.models import KAnonymity
from privacy.deidentify.search.engine import Recoding, Task
from privacy.deidentify.table import Role, Table

PLACES = "before\n<!-- a -->\nold\n<!-- end -->\nbetween\n<!-- b -->\nkept\n<!-- end -->\nafter\n"
OUTCOME = Outcome(
    seconds=0.02,
    cpu_seconds=0.019,
    loss=0.5,
    granularity_loss=0.05,
    suppressed=0,
    levels=(0, 1),
    schemes=1,
    optimal=True,
    nodes=10,
    checked=3,
    met=True,
)

RUN = Commanded(
    rows=10,
    seconds=300.0,
    cpu_seconds=1.0,
    peak_mib=4096.0,
    stages={"read": 50.0, "prepare": 1.0, "search": 200.0, "write": 4.0, "verify": 40.0, "total": 299.0},
    suppressed=0,
    granularity_loss=0.1,
    schemes=1,
    met=True,
)


def as_arx(case):
    """An outcome that finds what ARX found, within any goal of time."""
    return replace(OUTCOME, seconds=0.001, loss=case.loss_max, suppressed=case.arx.suppressed)


def cells(line):
    return [cell.strip() for cell in line.strip("|\n").split("|")]


def lines(table):
    """The lines of a Markdown table by the cells of its head."""
    head, _, *rows = [cells(line) for line in table.splitlines()]
    return [dict(zip(head, row, strict=True)) for row in rows]


# The writer


def test_a_part_is_written_into_its_place_and_no_other_text_moves():
    assert report.placed(PLACES, "a", "new\n") == PLACES.replace("old", "new")
    assert report.placed(report.placed(PLACES, "a", "x\n"), "a", "old\n") == PLACES


def test_a_place_that_is_still_empty_is_filled_once():
    empty = PLACES.replace("old\n", "")
    assert report.placed(empty, "a", "old\n") == PLACES


def test_what_is_written_is_no_pattern():
    assert report.placed(PLACES, "a", "\\1 \\g<0>\n") == PLACES.replace("old", "\\1 \\g<0>")


@pytest.mark.parametrize("name", ["c", "a.*"])
def test_a_part_without_a_place_is_refused(name):
    with pytest.raises(AssertionError, match="no single place"):
        report.placed(PLACES, name, "new\n")


def test_a_part_with_two_places_is_refused():
    with pytest.raises(AssertionError, match="no single place"):
        report.placed(PLACES + PLACES, "a", "new\n")


@pytest.mark.parametrize("name", bench.PARTS)
def test_every_part_has_its_place_in_the_report(name):
    text = report.REPORT.read_text(encoding="utf-8")
    assert "new!" in report.placed(text, name, "new!\n")


# What results are held against


def test_a_goal_of_time_is_reached_at_its_ratio_and_missed_above_it():
    found = {case.title: as_arx(case) for case in FULL_DOMAIN}
    first, second = FULL_DOMAIN[:2]
    found[first.title] = replace(found[first.title], seconds=first.arx.seconds * first.ratio_max * 0.999)
    found[second.title] = replace(found[second.title], seconds=second.arx.seconds * second.ratio_max * 1.001)
    times, _ = report.full_domain(found).split("\n\n")
    assert [line["time"] for line in lines(times)][:3] == ["reached", "**missed**", "reached"]


def test_a_loss_in_the_ninth_digit_above_arx_is_missed():
    case = FULL_DOMAIN[1]
    assert report.is_optimum(case, as_arx(case))
    assert report.is_optimum(case, replace(as_arx(case), loss=case.arx.loss - 0.1))
    assert not report.is_optimum(case, replace(as_arx(case), loss=case.arx.loss + 1e-9))


def test_what_arx_finds_in_the_entropy_case_is_not_enough():
    case = next(case for case in FULL_DOMAIN if case.optimum)
    assert not report.is_optimum(case, replace(as_arx(case), loss=case.arx.loss))


@pytest.mark.parametrize("flaw", [{"optimal": False}, {"met": False}])
def test_a_loss_that_is_unproven_or_breaks_a_model_is_missed(flaw):
    case = FULL_DOMAIN[0]
    assert not report.is_optimum(case, replace(as_arx(case), **flaw))


def test_local_recoding_is_held_against_its_goal_by_cells_alone():
    found = {
        f"{goal.k} {recoding}": replace(OUTCOME, granularity_loss=0.9)
        for goal in LOCAL_GOALS
        for recoding in DIAL
    }
    found["5 cells"] = OUTCOME
    found["10 cells"] = replace(OUTCOME, seconds=1.6)
    dial, goals = report.local(found).split("\n\n")
    assert [line["outcome"] for line in lines(goals)] == ["reached", "**missed**", "**missed**"]
    assert len(lines(dial)) == len(LOCAL_GOALS) * len(DIAL)


def test_the_survey_is_held_against_a_share_of_arx_time():
    found = {case.name: Peaked(outcome=replace(OUTCOME, seconds=20.0), peak_mib=500.0) for case in SURVEY}
    assert [line["time"] for line in lines(report.survey(found))] == ["**missed**", "**missed**", "reached"]


@pytest.mark.parametrize(
    ("flaw", "outcome"),
    [
        ({}, "reached"),
        ({"seconds": 301.0}, "**missed**"),
        ({"peak_mib": 4097.0}, "**missed**"),
        ({"met": False}, "**missed**"),
    ],
)
def test_the_command_has_bounds_of_time_and_memory(flaw, outcome):
    (line,) = lines(report.commanded({"a plan": replace(RUN, **flaw)}))
    assert line["outcome"] == outcome


def test_what_no_stage_of_the_command_accounts_for_is_told_as_the_rest():
    (line,) = lines(report.commanded({"a plan": RUN}))
    assert (line["read s"], line["rest s"]) == ("50.0", "5.0")


# Which parts are measured


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Parts that measure nothing, and a report of their own."""
    file = tmp_path / "performance.md"
    file.write_text(
        "".join(f"<!-- {name} -->\nold\n<!-- end -->\n" for name in bench.PARTS), encoding="utf-8"
    )
    monkeypatch.setattr(report, "REPORT", file)
    monkeypatch.setattr(adult, "is_there", lambda: True)
    for name in bench.PARTS:
        monkeypatch.setitem(bench.PARTS, name, Part(full=lambda folder: "new\n", tiny=lambda folder: ""))

    def renewed():
        parts = re.findall("<!-- (.*) -->\nnew\n", file.read_text(encoding="utf-8"))
        return set(parts)

    return renewed


def test_without_adult_its_parts_are_skipped_aloud_and_keep_their_figures(told, monkeypatch, capsys):
    monkeypatch.setattr(adult, "is_there", lambda: False)
    bench.main([])
    assert told() == set(bench.BIG)
    assert capsys.readouterr().out.count("skipped, there is no") == 2


def test_quick_leaves_out_the_big_tables(told, capsys):
    bench.main(["--quick"])
    assert told() == set(bench.OF_ADULT)
    assert capsys.readouterr().out.count("left out") == 2


def test_a_part_can_be_measured_alone_or_without_writing(told):
    bench.main(["--dry"])
    assert told() == set()
    bench.main(["deid-local"])
    assert told() == {"deid-local"}


# The made-up table


@pytest.fixture(scope="module")
def people():
    return survey.persons(np.random.default_rng(3), 20_000)


def test_the_survey_has_the_shape_it_claims():
    trees = survey.hierarchies()
    assert [(len(tree.domain), tree.height) for tree in trees.values()] == [
        *((13, 6), (4, 3), (4, 3), (25, 4), (86, 5), (10, 3), (2, 2), (16, 2), (26, 2))
    ]
    assert prod(tree.height for tree in trees.values()) == 25_920
    assert survey.ROWS == 1_193_504


def test_bands_are_counted_from_the_first_number_and_end_with_the_last():
    paths = {value: labels for value, *labels in survey.PATHS["PERNUM"]}
    assert paths["6"] == ["6-10", "1-10", "*"]
    assert paths["25"] == ["21-25", "21-25", "*"]


def test_the_survey_is_the_same_for_the_same_seed_and_has_every_row_asked_for(monkeypatch):
    monkeypatch.setattr(survey, "CHUNK_ROWS", 400)
    first, again, other = survey.table(1_000, 1), survey.table(1_000, 1), survey.table(1_000, 2)
    assert first.rows == 1_000
    assert all(np.array_equal(first[name].codes, again[name].codes) for name in survey.PATHS)
    assert not np.array_equal(first["AGE"].codes, other["AGE"].codes)
    assert not np.array_equal(first["AGE"].codes[:400], first["AGE"].codes[400:800])


def test_every_code_is_a_place_in_its_hierarchy(people):
    for name, paths in survey.PATHS.items():
        assert people[name].min() >= 0
        assert people[name].max() < len(paths)


def test_households_are_numbered_through_and_share_where_and_when(people):
    place = people["PERNUM"]
    later = place > 0
    assert (place[1:][later[1:]] == place[:-1][later[1:]] + 1).all()
    for name in ("YEAR", "QUARTER", "REGION", "RACEA"):
        assert (people[name][1:][later[1:]] == people[name][:-1][later[1:]]).all()


def test_children_are_in_school_by_age_and_not_married(people):
    young = people["AGE"] < 14
    assert (people["MARSTAT"][young] == 0).all()
    assert (people["MARSTAT"][~young] > 0).all()
    assert np.corrcoef(people["AGE"][young], people["EDUC"][young])[0, 1] > 0.9


# Files and runs


def test_the_file_has_the_rows_of_the_table(tmp_path, monkeypatch):
    monkeypatch.setattr(survey, "CHUNK_ROWS", 300)
    survey.write_parquet(tmp_path / "survey.parquet", 700, seed=5)
    written = pq.read_table(tmp_path / "survey.parquet")
    table = survey.table(700, 5)
    assert written.column_names == list(table)
    assert all(written[name].to_pylist() == table[name].texts().tolist() for name in table)


@pytest.mark.parametrize(("title", "recoding"), [*zip(big.ASKED, ["full_domain", "cells"], strict=True)])
def test_the_plan_is_one_that_the_command_reads(title, recoding, tmp_path):
    plan = reading.read(survey.write_plan(tmp_path, big.ASKED[title]))
    assert plan.of(Role.QUASI) == tuple(survey.PATHS)
    assert plan.models == (KAnonymity(5),)
    assert (plan.recoding, plan.suppression) == (recoding, big.ASKED[title].suppression)


def test_a_measured_task_tells_what_the_engine_found_and_whether_it_is_proven():
    table = survey.table(400)
    quasi = {name: tree for name, tree in survey.hierarchies().items() if name in ("SEX", "REGION")}
    task = Task(
        table=Table(list(table.values())), quasi=quasi, models=(KAnonymity(2),), recoding=Recoding.FULL_DOMAIN
    )
    outcome = timed.measured({"a": task}, 3)["a"]
    assert outcome.levels == (0, 0)
    assert (outcome.loss, outcome.suppressed, outcome.nodes) == (0.0, 0, 6)
    assert outcome.optimal
    assert outcome.met
    assert outcome.seconds > 0


def test_a_result_that_breaks_a_model_is_found_out(monkeypatch):
    table = survey.table(400)
    tree = survey.hierarchies()["AGE"]
    lax = Task(table=table, quasi={"AGE": tree}, models=(KAnonymity(1),))
    strict = replace(lax, models=(KAnonymity(100),))
    found = timed.measured({"lax": lax}, 1)["lax"]
    assert found.met
    engine = timed.recode
    monkeypatch.setattr(timed, "recode", lambda task, **kept: engine(lax, **kept))
    assert not timed.measured({"strict": strict}, 1)["strict"].met
