"""Attacks: what they tell is what a patient person with the two tables would count."""

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify import classes as cl
from privacy.deidentify.errors import BadModel, DeidentifyError
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.proof import attack
from privacy.deidentify.proof.attack import MatchedRecords
from privacy.deidentify.randomness import draws
from privacy.deidentify.table import Column, Table
from privacy.words import Words

DATA = Path(__file__).parents[3] / "shared" / "data"
SMALL = settings(deadline=None, derandomize=True, max_examples=60)
AREA = Hierarchy.of("area", [("1a", "1", "*"), ("1b", "1", "*"), ("2a", "2", "*"), ("2b", "2", "*")])
AGE = Hierarchy.of(
    "age",
    [
        (str(age), f"{age // 2 * 2}-{age // 2 * 2 + 1}", "young" if age < 4 else "old", "*")
        for age in range(8)
    ],
)
TREES = {"area": AREA, "age": AGE}
Rows = list[tuple[str, ...]]
PEOPLE = st.lists(
    st.tuples(st.sampled_from(AREA.domain), st.sampled_from(AGE.domain)), min_size=1, max_size=20
)


def tabled(rows: Rows, *names: str) -> Table:
    return Table([Column.of(name, [row[i] for row in rows]) for i, name in enumerate(names)])


def label(tree: Hierarchy, value: str, level: int) -> str:
    return tree.labels[level][tree.maps[level][tree.domain.index(value)]]


def published(people: Rows, schemes: list[tuple[int, int]], k: int) -> tuple[Table, np.ndarray]:
    """Each person told on the levels of his scheme; tuples of fewer than k persons suppressed."""
    told = [
        (label(AREA, area, levels[0]), label(AGE, age, levels[1]))
        for (area, age), levels in zip(people, schemes, strict=True)
    ]
    hidden = np.array([told.count(row) < k for row in told])
    rows = [("*", "*") if h else row for row, h in zip(told, hidden, strict=True)]
    return tabled(rows, "area", "age"), hidden


def fits(told: str, value: str, tree: Hierarchy) -> bool:
    return any(label(tree, value, level) == told for level in range(tree.height))


def by_hand(people: Rows, table: Table, hidden: np.ndarray) -> list[int]:
    """The published records that fit each person, suppressed ones left out."""
    told = list(zip(table["area"].texts(), table["age"].texts(), strict=True))
    return [
        sum(
            not h and fits(row[0], area, AREA) and fits(row[1], age, AGE)
            for row, h in zip(told, hidden, strict=True)
        )
        for area, age in people
    ]


SCHEMES = st.tuples(st.integers(0, 2), st.integers(0, 3))


@SMALL
@given(PEOPLE, st.data(), st.integers(1, 4))
def test_candidates_are_those_that_a_count_by_hand_finds(people: Rows, data: st.DataObject, k: int) -> None:
    schemes = [data.draw(SCHEMES) for _ in people]
    table, hidden = published(people, schemes, k)
    found = attack.linkage(
        MatchedRecords(source=tabled(people, "area", "age"), published=table, suppressed=hidden),
        ["area", "age"],
        hierarchies=TREES,
        k=k + 1,
    )
    counts = np.array(by_hand(people, table, hidden))
    shown = counts[~hidden]
    assert found.targets == len(shown)
    assert found.suppressed_targets == hidden.sum()
    assert found.least_with_suppressed == (counts + hidden.sum()).min()
    assert found.rows.tolist() == np.flatnonzero(~hidden & (counts <= k)).tolist()
    if len(shown):
        assert found.least == shown.min()
        assert found.mean == pytest.approx(shown.mean())
        assert found.narrowed == pytest.approx((shown <= k).mean())
        assert found.unique == found.correct == pytest.approx((shown == 1).mean())
        assert found.covered == 1
        assert found.success == pytest.approx((1 / shown).mean())


def test_a_thousand_random_outputs_never_narrow_a_person_below_k() -> None:
    chance = np.random.default_rng(8)
    for _ in range(1000):
        k, size = int(chance.integers(2, 5)), int(chance.integers(5, 40))
        people = [(AREA.domain[a], AGE.domain[b]) for a, b in chance.integers(0, (4, 8), size=(size, 2))]
        some = chance.integers(0, (3, 4), size=(3, 2))
        schemes = [(int(some[s][0]), int(some[s][1])) for s in chance.integers(0, 3, size)]
        table, hidden = published(people, schemes, k)
        records = MatchedRecords(source=tabled(people, "area", "age"), published=table, suppressed=hidden)
        found = attack.linkage(records, ["area", "age"], hierarchies=TREES, k=k)
        assert found.least >= k
        assert found.narrowed == 0


@SMALL
@given(PEOPLE)
def test_a_planted_person_told_too_finely_is_found(people: Rows) -> None:
    people = [*(row for row in people if row != ("1a", "3")), ("1a", "3")]
    schemes = [*[(2, 2)] * (len(people) - 1), (0, 0)]
    told = [(label(AREA, a, s[0]), label(AGE, b, s[1])) for (a, b), s in zip(people, schemes, strict=True)]
    told = [("*", "old") if row == ("*", "young") else row for row in told]
    records = MatchedRecords(
        source=tabled(people, "area", "age"),
        published=tabled(told, "area", "age"),
        suppressed=np.zeros(len(told), dtype=np.bool_),
    )
    found = attack.linkage(records, ["area", "age"], hierarchies=TREES, k=2)
    assert len(people) - 1 in found.rows
    assert found.least <= 1
    assert found.correct > 0


@SMALL
@given(PEOPLE, st.data())
def test_shuffled_rows_hide_nobody(people: Rows, data: st.DataObject) -> None:
    table, hidden = published(people, [(1, 2)] * len(people), 3)
    order = np.array(data.draw(st.permutations(range(len(people)))))
    source = tabled(people, "area", "age")
    straight = MatchedRecords(source=source, published=table, suppressed=hidden)
    mixed = MatchedRecords(source=source, published=table.take(order), suppressed=hidden[order], origin=order)
    one, other = (attack.linkage(r, ["area", "age"], hierarchies=TREES, k=5) for r in (straight, mixed))
    assert (one.least, one.mean, one.narrowed, one.unique) == (
        other.least,
        other.mean,
        other.narrowed,
        other.unique,
    )
    assert (one.correct, one.covered, one.rows.tolist()) == (
        other.correct,
        other.covered,
        other.rows.tolist(),
    )


def test_a_unique_match_with_somebody_else_is_not_a_correct_one() -> None:
    source = tabled([("1a", "0"), ("2b", "7")], "area", "age")
    swapped = tabled([("2b", "7"), ("1a", "0")], "area", "age")
    records = MatchedRecords(source=source, published=swapped, suppressed=np.zeros(2, dtype=np.bool_))
    found = attack.linkage(records, ["area", "age"], hierarchies={}, k=2)
    assert (found.unique, found.correct, found.covered, found.success) == (1, 0, 0, 0)


def test_suppressed_persons_are_told_apart_and_hide_among_each_other() -> None:
    people = [("1a", "0"), ("1a", "0"), ("2b", "7")]
    table, hidden = published(people, [(0, 0)] * 3, 2)
    found = attack.linkage(
        MatchedRecords(source=tabled(people, "area", "age"), published=table, suppressed=hidden),
        ["area", "age"],
        hierarchies=TREES,
        k=2,
    )
    assert (found.targets, found.suppressed_targets) == (2, 1)
    assert (found.least, found.least_with_suppressed) == (2, 1)
    assert (found.narrowed, found.narrowed_suppressed) == (0, 1)


def test_two_records_of_one_person_are_no_crowd() -> None:
    people = [("1a", "0"), ("1a", "1"), ("1b", "0")]
    table = tabled([("1", "young")] * 3, "area", "age")
    records = {
        "rows": MatchedRecords(
            source=tabled(people, "area", "age"), published=table, suppressed=np.zeros(3, dtype=np.bool_)
        ),
        "persons": MatchedRecords(
            source=tabled(people, "area", "age"),
            published=table,
            suppressed=np.zeros(3, dtype=np.bool_),
            units=np.array([4, 4, 2], dtype=np.int32),
        ),
    }
    counted = {
        name: attack.linkage(one, ["area", "age"], hierarchies=TREES, k=3).least
        for name, one in records.items()
    }
    assert counted == {"rows": 3, "persons": 2}


@SMALL
@given(PEOPLE, st.data())
def test_persons_are_counted_once_over_all_tuples_that_fit(people: Rows, data: st.DataObject) -> None:
    units = np.array([data.draw(st.integers(0, 4)) for _ in people], dtype=np.int32)
    schemes = [data.draw(SCHEMES) for _ in people]
    table, hidden = published(people, schemes, 2)
    found = attack.linkage(
        MatchedRecords(source=tabled(people, "area", "age"), published=table, suppressed=hidden, units=units),
        ["area", "age"],
        hierarchies=TREES,
        k=2,
    )
    told = list(zip(table["area"].texts(), table["age"].texts(), strict=True))
    crowds = [
        {
            int(u)
            for row, h, u in zip(told, hidden, units, strict=True)
            if not h and fits(row[0], area, AREA) and fits(row[1], age, AGE)
        }
        for area, age in people
    ]
    out = {int(u) for u in units[hidden]}
    assert found.least_with_suppressed == min(len(crowd | out) for crowd in crowds)
    assert found.least == min((len(c) for c, h in zip(crowds, hidden, strict=True) if not h), default=np.inf)


@pytest.mark.parametrize(
    ("told", "covered"),
    [
        ("[2, 4]", ["2", "3", "4"]),
        ("[2,4[", ["2", "3"]),
        ("{1, 7}", ["1", "7"]),
        ("*", list("01234567")),
        ("2-3", ["2", "3"]),
        ("old", list("4567")),
        ("5", ["5"]),
    ],
)
def test_labels_are_read_as_an_attacker_reads_them(told: str, covered: list[str]) -> None:
    source = Column.of("age", list("01234567"))
    found = attack.covers(Column.of("age", [told]), source, hierarchy=AGE)
    assert [value for value, inside in zip(source.values, found[0], strict=True) if inside] == covered


def test_a_label_that_nobody_can_read_is_refused_not_taken_for_safe() -> None:
    with pytest.raises(DeidentifyError, match="can't read 2 published labels of column age") as refusal:
        attack.covers(Column.of("age", ["secret", "0", "else"]), Column.of("age", ["0"]), hierarchy=AGE)
    assert "secret" not in str(refusal.value)


def test_a_sample_of_targets_needs_a_seed_and_then_is_always_the_same() -> None:
    people = [(a, b) for a in AREA.domain for b in AGE.domain]
    table, hidden = published(people, [(1, 2)] * 32, 2)
    records = MatchedRecords(source=tabled(people, "area", "age"), published=table, suppressed=hidden)
    with pytest.raises(DeidentifyError, match="an attack on 5 of 32 rows needs a seed"):
        attack.linkage(records, ["area", "age"], hierarchies=TREES, k=9, targets_max=5)
    runs = [
        attack.linkage(
            records, ["area", "age"], hierarchies=TREES, k=9, targets_max=5, draws=draws(b"s", "attack")
        )
        for _ in range(2)
    ]
    assert runs[0].targets == 5
    assert runs[0].rows.tolist() == runs[1].rows.tolist() != [0, 1, 2, 3, 4]


def test_chunks_of_targets_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    people = [(a, b) for a in AREA.domain for b in AGE.domain] * 2
    table, hidden = published(people, [(0, 1), (1, 0)] * 32, 2)
    records = MatchedRecords(source=tabled(people, "area", "age"), published=table, suppressed=hidden)
    whole = attack.linkage(records, ["area", "age"], hierarchies=TREES, k=7)
    monkeypatch.setattr(attack, "CELLS_MAX", 50)
    parts = attack.linkage(records, ["area", "age"], hierarchies=TREES, k=7)
    assert (whole.mean, whole.success, whole.rows.tolist()) == (
        parts.mean,
        parts.success,
        parts.rows.tolist(),
    )


@pytest.mark.skipif(
    not (DATA / "adult").exists(), reason="the shared folder with the Adult records isn't here"
)
def test_adult_five_anonymous_by_arxs_levels_withstands_the_attack_on_everybody() -> None:
    with (DATA / "adult" / "adult.csv").open(encoding="utf-8") as file:
        names, *rows = csv.reader(file, delimiter=";")
    source, trees, columns = tabled(rows, *names), {}, []
    for name, level in zip(names, [0, 3, 0, 2, 2, 1, 1, 2, 0], strict=True):
        with (DATA / "adult" / f"adult_hierarchy_{name}.csv").open(encoding="utf-8") as file:
            trees[name] = Hierarchy.of(name, list(csv.reader(file, delimiter=";")))
        labels = [label(trees[name], value, level) for value in source[name].values]
        columns.append(source[name].recoded(labels))
    table = Table(columns)
    found = cl.classes(table, names)
    hidden = found.sizes[found.of] < 5
    records = MatchedRecords(source=source, published=table, suppressed=hidden)
    told = attack.linkage(records, names, hierarchies=trees, k=5)
    assert (told.targets, told.suppressed_targets) == (30_162 - 506, 506)
    assert (told.least, told.narrowed, told.covered) == (5, 0, 1)
    assert told.success == pytest.approx((found.sizes >= 5).sum() / told.targets)


# -- minimality -----------------------------------------------------------------------------------------------


def two_diverse(table: Table) -> Table:
    """Tell the ward only as far up as it takes for HIV to be at most half of each class."""
    for column in (table["ward"], table["ward"].recoded(["*"] * len(table["ward"].values))):
        told = table.replacing(column)
        sick = table["illness"].texts() == "HIV"
        found = cl.classes(told, ["ward"])
        if (2 * np.bincount(found.of[sick], minlength=len(found)) <= found.sizes).all():
            return told
    raise BadModel(Words(ja="解なし", en="no solution"))


WONG = tabled([("q1", "HIV"), ("q1", "HIV"), *[("q2", "flu")] * 5], "ward", "illness")


def test_an_attacker_who_knows_the_program_sees_through_a_minimal_generalisation() -> None:
    assert set(two_diverse(WONG)["ward"].texts()) == {"*"}
    found = attack.minimality(WONG, "illness", two_diverse)
    assert found.worlds == 1
    assert found.highest == 1
    assert found.posterior[0].tolist() == [1, 0]


def test_without_minimality_he_learns_only_the_shares() -> None:
    blunt = lambda table: table.replacing(table["ward"].recoded(["*"] * len(table["ward"].values)))  # noqa: E731
    found = attack.minimality(WONG, "illness", blunt)
    assert found.worlds == 21
    assert found.posterior[:, 0] == pytest.approx(np.full(7, 2 / 7))


def test_worlds_that_the_program_refuses_explain_nothing() -> None:
    table = tabled([("q1", "HIV"), ("q1", "flu"), ("q2", "HIV"), ("q2", "flu")], "ward", "illness")
    found = attack.minimality(table, "illness", two_diverse)
    assert found.worlds == 4
    assert found.highest == 0.5


def test_more_worlds_than_can_be_tried_are_refused() -> None:
    table = tabled([("q", str(i)) for i in range(9)], "ward", "illness")
    with pytest.raises(DeidentifyError, match="9 rows have 362880 assignments"):
        attack.minimality(table, "illness", two_diverse)
