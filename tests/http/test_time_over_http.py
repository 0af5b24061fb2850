"""Over HTTP a clock does not tell neighbours apart either, where answers end near a multiple of the quantum."""

from functools import partial
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from small_town import Town, Visitor, build
from timing import deviations_apart, durations
from town import RESIDENTS, derived

ROWS = 30_000
DESCRIPTOR = derived(
    RESIDENTS, id="crowd", privacy={"cap": "100000"}, columns={
        "district": {"type": "category", "values": [f"d{number}" for number in range(47)]},
        "age": {"type": "integer", "min": 0, "max": 119},
        "income": {"type": "integer", "min": 0, "max": 9_999_999},
    },
)  # fmt: skip
# Nothing is left to compute for an engine that knows that nobody lives there and nobody earns that much, and 120
# comparisons a row where somebody may: what it saves is made as large as a question can make it.
QUESTION = {
    "select": [{"agg": "count"}],
    "where": {
        "any": [
            {
                "all": [
                    {
                        "any": [
                            {"column": "district", "op": "=", "value": "d46"},
                            {"column": "income", "op": "=", "value": 9_999_000 + age},
                        ]
                    },
                    {"column": "age", "op": "=", "value": age},
                ]
            }
            for age in range(60)
        ]
    },
    "budget": {"epsilon": "0.01"},
    "reuse": "never",
}
ANSWERS, BLOCKS, TRIED = 2_000, 10, 20


def crowd(*, more: bool) -> str:
    """Residents of 46 districts, and perhaps the only one of the last."""
    random = np.random.default_rng(1)
    columns = [random.integers(0, most, ROWS).tolist() for most in (46, 120, 5_000_000)]
    lines = [f"p{row},d{columns[0][row]},{columns[1][row]},{columns[2][row]}" for row in range(ROWS)]
    return "\n".join(["person,district,age,income", *lines, *(["q,d46,20,4000000"] if more else [])]) + "\n"


def served(folder: Path, *, more: bool) -> Town:
    town = build(folder)
    town.register(DESCRIPTOR, crowd(more=more), [("crowd", "user", "aoi", "100000")])
    return town


def asking(visitor: Visitor) -> None:
    assert visitor.ask(QUESTION, dataset="crowd").status_code == 200


@pytest.mark.long
def test_no_more_answers_pass_a_multiple_of_the_quantum_because_of_one_person(tmp_path: Path) -> None:
    """The quantum is chosen so that about half of all answers are late by one: there the least difference shows."""
    towns = [served(tmp_path / str(more), more=more) for more in (False, True)]

    copies = count()

    def times(quantum_ms: int, answers: int) -> np.ndarray:
        visitors = [
            town.copy(tmp_path / f"copy-{next(copies)}", response_quantum_ms=quantum_ms).open()
            for town in towns
        ]
        asked = [partial(asking, visitor) for visitor in visitors]
        return durations(lambda: [*asked], blocks=1, runs=answers)

    late = []
    for _ in range(BLOCKS):
        # Chosen anew each time: whatever else the machine does would move all answers to one side.
        quantum_ms = max(1, round(float(np.median(times(0, TRIED))) * 1000))
        late.append(times(quantum_ms, ANSWERS // BLOCKS) * 1000 > 1.5 * quantum_ms)
    without, with_one = np.concatenate(late, axis=1)
    assert 0.02 < np.mean([without, with_one]) < 0.98
    assert deviations_apart(without, with_one) < 4
