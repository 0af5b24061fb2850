"""The report of a registration as the terminal prints it: every count has words, in both languages."""

from dataclasses import fields, replace
from typing import get_args

import pytest

from api.commands import datasets as command
from api.commands.datasets import CELLS, UNITS
from datasets.registration.ingest.report import CellProblem, ColumnCounts, IngestReport, Kind, UnitCounts

REPORT = IngestReport(
    rows_read=9_000,
    rows_kept=7_000,
    persons=5_000,
    rows_without_person=3,
    dropped_by_bound=4,
    columns={"age": ColumnCounts(**{field.name: 1_234 for field in fields(ColumnCounts)})},
    kept_by_bound={1: 0.5, 2: 1.0},
    problems=tuple(
        CellProblem(line=place, column="age", kind=kind) for place, kind in enumerate(get_args(Kind))
    ),
    units={"household": UnitCounts(**{field.name: 5_678 for field in fields(UnitCounts)})},
)


@pytest.fixture(params=["ja", "en"])
def spoken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("SUDARE_LANGUAGE", request.param)
    return str(request.param)


def printed(report: IngestReport, capsys: pytest.CaptureFixture[str]) -> str:
    command._show_report(report, as_json=False)
    return capsys.readouterr().out


def test_every_count_of_a_report_has_words() -> None:
    assert set(CELLS) == {field.name for field in fields(ColumnCounts)} | set(get_args(Kind))
    assert set(UNITS) == {field.name for field in fields(UnitCounts)}


def test_every_field_of_a_report_is_printed(spoken: str, capsys: pytest.CaptureFixture[str]) -> None:
    told = printed(REPORT, capsys)
    for field in fields(IngestReport):
        value = getattr(REPORT, field.name)
        assert f"{value:,}" in told if isinstance(value, int) else value, field.name
    words = {**CELLS, **UNITS}
    assert [name for name in words if words[name].within(spoken) not in told] == []  # type: ignore[arg-type]
    assert told.count("1,234") == len(fields(ColumnCounts))
    assert told.count("5,678") == len(fields(UnitCounts))
    assert "household" in told
    assert "1: 50.0%, 2: 100.0%" in told


def test_persons_who_were_made_alike_are_told_by_column_and_by_unit(
    spoken: str, capsys: pytest.CaptureFixture[str]
) -> None:
    report = replace(
        REPORT,
        columns={"home": ColumnCounts(persons_not_constant=2), "age": ColumnCounts()},
        units={"household": UnitCounts(number=7, rows_without=0, persons_not_constant=1)},
        problems=(),
    )
    lines = printed(report, capsys).splitlines()[2:5]
    assert lines == (
        [
            "  home: 行によって値が異なるため一つの値にそろえた人 2",
            "  age: すべて宣言のとおり",
            "  単位 household：単位の数 7、行によって単位が異なるため一つにそろえた人 1",
        ]
        if spoken == "ja"
        else [
            "  home: 2 persons whose rows differed, made alike",
            "  age: all cells as declared",
            "  unit household: 7 counted, 1 persons whose rows named several, made alike",
        ]
    )


def test_a_bound_that_loses_no_row_is_no_choice_to_show(capsys: pytest.CaptureFixture[str]) -> None:
    assert "%" not in printed(replace(REPORT, kept_by_bound={1: 1.0, 2: 1.0}), capsys)


@pytest.mark.usefixtures("spoken")
def test_a_count_without_words_is_called_by_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The dataset stands registered when its report is printed."""
    monkeypatch.setattr(command, "CELLS", {})
    monkeypatch.setattr(command, "UNITS", {})
    assert "persons_not_constant" in printed(REPORT, capsys)
