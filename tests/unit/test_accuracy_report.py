"""The accuracy report: its own arithmetic, and every case of it on a tiny made-up register."""

import csv
import math
import random
from pathlib import Path

import numpy as np
import pytest

from bench.accuracy import ours, report, theory
from bench.accuracy.cases import CASES, Case, expected
from bench.accuracy.ours import Errors
from bench.accuracy.registers import ADULT_COLUMNS, Register, adult_descriptor, registered
from bench.accuracy.report import Line
from bench.accuracy.theory import Expected
from bench.peers.job import Task, as_json, tasks
from privacy.noise import Integers, Mechanism
from privacy.plan import plan

TINY = [case for case in CASES if case.register == "adult"]


@pytest.fixture(scope="module")
def adult(tmp_path_factory: pytest.TempPathFactory) -> Register:
    """Eighty made-up people."""
    folder, source = tmp_path_factory.mktemp("adult"), random.Random(1)
    with (folder / "adult.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["age", *ADULT_COLUMNS])
        for _ in range(80):
            writer.writerow(
                [source.randint(17, 90), *(source.choice(some) for some in ADULT_COLUMNS.values())]
            )
    return registered("adult", "Adult, made up", folder / "adult.csv", adult_descriptor(), folder)


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(theory, "DRAWS", 1_000)
    monkeypatch.setattr(theory, "CHOICES", 10)
    monkeypatch.setattr(theory, "SPLITS", 2)


class Silent:
    """No noise at all."""

    def add(self, exact: Integers, mechanism: Mechanism) -> Integers:
        return exact

    def top(self, scores: Integers, mechanism: Mechanism) -> int:
        return int(np.argmax(scores))


@pytest.mark.parametrize("case", TINY, ids=lambda case: case.name)
def test_without_noise_an_answer_is_the_truth_of_its_case(
    case: Case, adult: Register, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ours, "OpendpNoise", Silent)
    told = ours.draws(plan(case.query("1"), adult.schema), adult, tmp_path, 1)
    assert told[0] == pytest.approx(case.exact(adult), rel=1e-6, abs=1e-4)


@pytest.mark.parametrize("case", TINY, ids=lambda case: case.name)
def test_every_case_has_an_error_and_a_theory(
    case: Case, adult: Register, tmp_path: Path, few_draws: None
) -> None:
    (part,) = plan(case.query("1"), adult.schema).measurements
    known = expected(case, adult, 1.0, part.estimator)
    assert known is not None
    assert known.rmse >= 0 or known.best is not None
    assert ours.measure(case, adult, "1", tmp_path, runs=3).runs == 3


def test_errors_are_pooled_over_cells_and_runs() -> None:
    found = Errors.of(np.array([[1.0, 7.0], [3.0, 5.0]]), np.array([2.0, 6.0]))
    assert (found.rmse, found.rmse_se, found.p95, found.bias, found.runs) == (1.0, 0.0, 1.0, 0.0, 2)


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0])
def test_theory_of_counts_is_the_law_of_discrete_laplace_noise(epsilon: float) -> None:
    places = np.arange(-2_000, 2_001)
    chances = np.exp(-np.abs(places) * epsilon)
    chances /= chances.sum()
    known = theory.laplace(1, epsilon)
    assert known.rmse == pytest.approx(math.sqrt((chances * places**2).sum()))
    assert chances[np.abs(places) <= known.p95].sum() >= 0.95 > chances[np.abs(places) < known.p95].sum()


def test_no_noise_beats_the_staircase_mechanism() -> None:
    for epsilon in (0.1, 1.0, 3.0):
        laplace = math.sqrt(2) / epsilon
        assert 0.8 < theory.staircase(1, epsilon) / laplace < 1


def test_theory_of_weighted_noise_is_that_of_its_only_draw() -> None:
    known = theory.weighted(10.0, [np.array([1.0]), np.array([0.0])])
    assert known.rmse == pytest.approx(10 * math.sqrt(2))
    assert known.p95 == pytest.approx(10 * math.log(20), rel=0.05)


def test_noisy_max_finds_the_median_of_many() -> None:
    histogram = np.array([1_000, 1, 5_000, 1, 1_000])
    assert set(theory.noisy_max(np.random.default_rng(1), histogram, 0.5, 1, 1.0, 20)) == {2}


def test_splitting_finds_all_quantiles_where_noise_is_small() -> None:
    histogram, middles = np.full(10, 10_000), np.arange(10.0)
    known = theory.recursive_splitting(
        histogram, middles, np.array([2.0, 5.0, 7.0]), (0.25, 0.55, 0.75), 1, 1.0
    )
    assert known.rmse == 0


# What the report says


def errors(rmse: float, se: float = 0.01) -> Errors:
    return Errors(rmse=rmse, rmse_se=se, p95=2 * rmse, bias=0.0, runs=200)


def line(rmse: float, **peers: Errors | str) -> Line:
    return Line(
        register="r",
        name="persons",
        price="ε 1",
        ours=errors(rmse),
        expected=Expected(rmse=1.0, p95=2.0, best=1.0),
        peers=peers,
    )


def text(*lines: Line, skipped: tuple[str, ...] = ()) -> str:
    return report.markdown({"r": "a register"}, lines, {}, {"pipelinedp": "pipeline-dp 1"}, skipped)


def test_targets_reached_are_told_so() -> None:
    told = text(line(1.0, pipelinedp=errors(1.4), smartnoise="no such function"))
    assert "within 5 % of its own theory | reached in all 1" in told
    assert "never above a peer of the same promise | reached in all 1" in told
    assert "| 1 ± 0.01 | 1 | 1.00 |" in told


def test_an_error_above_a_peer_is_named() -> None:
    assert "missed in 1 of 1: persons at ε 1" in text(line(1.0, pipelinedp=errors(0.9)))


def test_an_error_above_a_peer_within_sampling_error_is_not() -> None:
    assert "missed" not in text(line(1.0, pipelinedp=errors(0.98)))


def test_a_peer_of_another_promise_is_told_apart() -> None:
    told = text(line(1.0, diffprivlib=errors(0.5)))
    assert "missed" not in told
    assert "Above diffprivlib, whose promise is another, in: persons at ε 1" in told


def test_an_error_away_from_theory_is_named() -> None:
    assert "within 5 % of its own theory | missed in 1 of 1: persons at ε 1" in text(line(1.2))


def test_what_is_skipped_is_said() -> None:
    assert "Skipped: Adult" in text(line(1.0), skipped=("Adult",))


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.0, "0"), (1.23456, "1.23"), (12345.6, "12,300"), (2.5e12, "2.5e12"), (math.nan, "–")],
)
def test_numbers_are_told_with_three_digits(value: float, shown: str) -> None:
    assert report.number(value) == shown


def test_a_runner_reads_the_tasks_it_was_given() -> None:
    asked = Task(name="a", data="x.npz", agg="quantile", epsilon=0.5, runs=3, groups=4, quantiles=(0.5, 0.9))
    assert list(tasks(as_json([asked]))) == [asked]
