"""What the engine refuses, in the caller's words and never in the data's."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from deid_oracle import (
    ILLNESS,
    ILLNESSES,
    KS,
    OF_ILLNESS,
    SUMS,
    World,
    gone_at,
    ignored,
    never,
    optimum,
    task,
    worlds,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from privacy.deidentify.errors import BadHierarchy, BadModel, BadTable, DeidentifyError
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import (
    AverageRisk,
    DeltaPresence,
    Distance,
    DistinctDiversity,
    KAnonymity,
    KMap,
    Model,
    SampleUniqueness,
    TCloseness,
    name_of,
)
from privacy.deidentify.search.engine import NoSolution, Recoded, Recoding, Task, recode
from privacy.deidentify.search.loss import Measure
from privacy.deidentify.table import Column, Table

WARD = Hierarchy.of("ward", [("secret1", "*"), ("secret2", "*"), ("secret3", "*")])
SMALL = settings(deadline=None, derandomize=True, max_examples=30)


def table(wards: Sequence[str], illnesses: Sequence[str] | None = None) -> Table:
    illnesses = ["flu", "cold"] * len(wards) if illnesses is None else illnesses
    return Table([Column.of("ward", wards), Column.of("illness", illnesses[: len(wards)])])


FOUR = table(["secret1", "secret1", "secret2", "secret2"])


def asked(*models: Model, of: Table = FOUR, **more: object) -> Task:
    return Task(table=of, quasi={"ward": WARD}, models=models, **more)  # type: ignore[arg-type]


def run(one: Task) -> Recoded:
    return recode(one, progress=ignored, stop=never)


# -- tables and hierarchies -----------------------------------------------------------------------------------


def test_a_value_missing_from_the_hierarchy_is_refused_by_row_number() -> None:
    wards = ["secret1", "elsewhere", "secret2", "elsewhere"]
    with pytest.raises(
        BadHierarchy, match=r"hierarchy of ward misses 1 of the 3 values .* rows 2, 4 "
    ) as said:
        run(asked(KAnonymity(1), of=table(wards)))
    assert "elsewhere" not in str(said.value)


def test_a_table_without_rows_is_refused() -> None:
    with pytest.raises(BadTable, match="the table has no rows"):
        asked(KAnonymity(1), of=table([]))


def test_a_task_without_quasi_identifiers_is_refused() -> None:
    with pytest.raises(BadTable, match="no quasi-identifier"):
        Task(table=FOUR, quasi={}, models=(KAnonymity(1),))


@pytest.mark.parametrize("recoding", list(Recoding))
def test_one_row_is_published_for_k_of_one_and_no_other(recoding: Recoding) -> None:
    alone = run(asked(KAnonymity(1), of=table(["secret1"]), recoding=recoding))
    assert (alone.loss, alone.table["ward"].texts().tolist()) == (0.0, ["secret1"])
    with pytest.raises(BadModel, match="2-anonymity cannot be met by 1 rows"):
        asked(KAnonymity(2), of=table(["secret1"]), recoding=recoding)


@pytest.mark.parametrize("share", [-0.01, 1.01, float("nan")])
def test_a_share_to_suppress_beyond_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(DeidentifyError, match=f"suppression must lie between 0 and 1, not {share!r}"):
        asked(KAnonymity(1), suppression=share)


def test_a_weight_of_a_column_that_is_no_quasi_identifier_is_refused() -> None:
    with pytest.raises(DeidentifyError, match="weights are given for illness, not a quasi-identifier"):
        run(asked(KAnonymity(1), measure=Measure(weights={"illness": 2.0})))


def test_weights_must_not_all_be_0_but_some_may() -> None:
    with pytest.raises(DeidentifyError, match="the weights of the quasi-identifiers must not all be 0"):
        run(asked(KAnonymity(1), measure=Measure(weights={"ward": 0.0})))
    two = Table([*FOUR.values(), Column.of("area", ["secret1"] * 4)])
    free = Task(
        table=two,
        quasi={"ward": WARD, "area": WARD},
        models=(KAnonymity(4),),
        measure=Measure(weights={"ward": 0.0}),
    )
    assert run(free).loss == 0
    with pytest.raises(DeidentifyError, match="the weight of ward must be at least 0, not -1"):
        Measure(weights={"ward": -1})


# -- models ---------------------------------------------------------------------------------------------------


def test_k_beyond_the_rows_is_refused() -> None:
    with pytest.raises(BadModel, match="5-anonymity cannot be met by 4 rows"):
        asked(KAnonymity(5))
    assert run(asked(KAnonymity(4))).loss == 1


def test_a_quasi_identifier_cannot_be_sensitive_too() -> None:
    with pytest.raises(BadModel, match="ward is a quasi-identifier and cannot also be sensitive"):
        asked(DistinctDiversity("ward", 2))


def test_a_model_of_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(BadModel, match="income has a privacy model but is no sensitive attribute"):
        run(asked(DistinctDiversity("income", 2)))


@pytest.mark.parametrize("model", [KMap(2), DeltaPresence(0, 0.5)])
def test_models_of_the_population_need_one(model: Model) -> None:
    with pytest.raises(BadModel, match=r"(2-map|\(0, 0.5\)-presence) needs a population table"):
        asked(model)


@pytest.mark.parametrize("model", [KMap(2), DeltaPresence(0, 0.5)])
@pytest.mark.parametrize("recoding", [r for r in Recoding if r is not Recoding.FULL_DOMAIN])
def test_models_of_the_population_are_not_searched_for_locally(model: Model, recoding: Recoding) -> None:
    with pytest.raises(BadModel, match="is searched for with full_domain recoding only"):
        asked(model, population=FOUR, recoding=recoding)


def test_a_population_without_the_column_is_refused() -> None:
    with pytest.raises(BadTable, match="the population table has no column ward"):
        run(asked(KMap(2), population=Table([Column.of("illness", ["flu"])])))


def test_a_population_with_a_value_missing_from_the_hierarchy_is_refused_without_it() -> None:
    population = Table([Column.of("ward", ["secret1", "secret2", "elsewhere"])])
    with pytest.raises(BadHierarchy, match="the hierarchy of ward misses 1 ") as said:
        run(asked(KMap(1), population=population))
    assert "elsewhere" not in str(said.value)


def test_an_order_that_misses_a_value_is_refused_without_naming_it() -> None:
    ordered = TCloseness("illness", 0.5, Distance.ORDERED)
    with pytest.raises(BadModel, match="the order given for illness misses a value of the data") as said:
        run(asked(ordered, sensitive_order={"illness": ["cold"]}))
    assert "flu" not in str(said.value)


def test_the_ordered_distance_needs_an_order() -> None:
    with pytest.raises(BadModel, match="the ordered distance of illness needs an order of its values"):
        run(asked(TCloseness("illness", 0.5, Distance.ORDERED)))


def test_the_hierarchical_distance_needs_a_hierarchy() -> None:
    model = TCloseness("illness", 0.5, Distance.HIERARCHICAL)
    with pytest.raises(BadModel, match="the hierarchical distance of illness needs a hierarchy of illness"):
        run(asked(model))
    assert run(asked(model, sensitive_hierarchies={"illness": ILLNESS})).loss == 0


# -- no solution ----------------------------------------------------------------------------------------------


NEAREST = (
    "no level combination suppresses 0.00% of the rows or fewer; the nearest seen suppresses 100.00% "
    "(levels ward 1)"
)


def in_english(said: NoSolution) -> tuple[str, ...]:
    return tuple(reason.en for reason in said.reasons)


def refused(one: Task) -> NoSolution:
    with pytest.raises(NoSolution) as said:
        run(one)
    assert "secret" not in str(said.value)
    return said.value


def test_no_solution_names_the_model_the_attribute_and_the_nearest_levels() -> None:
    said = refused(asked(KAnonymity(2), DistinctDiversity("illness", 3)))
    assert in_english(said) == (
        "distinct 3-diversity of illness fails because of illness for 100.00% of the rows",
        NEAREST,
    )
    assert said.nearest == {"levels": {"ward": 1}, "suppressed": 1.0}
    assert str(said) == "; ".join(in_english(said))


def test_no_solution_has_its_reasons_in_japanese_too() -> None:
    said = refused(asked(KAnonymity(2), DistinctDiversity("illness", 3)))
    blamed, nearest = (reason.ja for reason in said.reasons)
    assert blamed == "100.00% の行が「項目 illness の 3-多様性」を満たしません"
    assert nearest.startswith("レコード削除を 0.00% 以内に収める一般化の段階の組合せはありません。")
    assert nearest.endswith("100.00% を削除することになります（段階：ward 1）")
    assert said.message().ja == "；".join(reason.ja for reason in said.reasons)


def test_no_solution_tells_of_each_model_what_it_alone_costs() -> None:
    """At the top all rows are one class; only the models that fail there are blamed."""
    wards, illnesses = ["secret1"] * 3 + ["secret2"], ["flu", "flu", "flu", "cold"]
    said = refused(
        asked(KAnonymity(2), AverageRisk(0.2), TCloseness("illness", 0.0), of=table(wards, illnesses))
    )
    assert said.reasons[0].en == "average risk at most 0.2 fails for 100.00% of the rows"
    assert not [reason for reason in in_english(said) if "anonymity" in reason or "closeness" in reason]


def test_no_solution_for_too_few_persons() -> None:
    """Four rows of one person."""
    people = Table([*FOUR.values(), Column.of("person", ["p"] * 4)])
    said = refused(asked(KAnonymity(2), of=people, unit="person"))
    assert said.reasons[0].en == "2-anonymity fails for 100.00% of the rows"


def test_no_solution_for_a_population_that_lacks_the_persons() -> None:
    said = refused(asked(KMap(9), population=FOUR))
    assert said.reasons[0].en == "9-map fails for 100.00% of the rows"
    never_met = refused(asked(DeltaPresence(0, 0.5), population=FOUR))
    assert never_met.reasons[0].en == "(0, 0.5)-presence fails for 100.00% of the rows"


@pytest.mark.parametrize("recoding", [r for r in Recoding if r is not Recoding.FULL_DOMAIN])
def test_no_solution_of_a_local_recoding_has_its_reasons_too(recoding: Recoding) -> None:
    said = refused(asked(DistinctDiversity("illness", 3), recoding=recoding))
    assert (
        said.reasons[0].en
        == "distinct 3-diversity of illness fails because of illness for 100.00% of the rows"
    )
    assert said.nearest == {"levels": {"ward": 1}, "suppressed": 1.0}


def test_a_local_recoding_checks_models_of_all_classes_at_the_end() -> None:
    said = refused(
        asked(KAnonymity(1), SampleUniqueness(0), of=table(["secret1", "secret2"]), recoding=Recoding.CELLS)
    )
    assert in_english(said) == (
        "sample uniqueness at most 0 is not met by local recoding; ask for a larger k",
    )


def test_models_of_all_classes_count_persons_in_a_local_recoding() -> None:
    """Two rows of one person make a class of two rows that is nobody but him."""
    people = Table([*FOUR.values(), Column.of("person", ["p", "p", "q", "r"])])
    said = refused(
        asked(KAnonymity(1), SampleUniqueness(0.1), of=people, unit="person", recoding=Recoding.CELLS)
    )
    assert "sample uniqueness" in said.reasons[0].en


@pytest.mark.parametrize("recoding", list(Recoding))
def test_suppressing_everybody_is_no_solution(recoding: Recoding) -> None:
    said = refused(asked(DistinctDiversity("illness", 3), suppression=1.0, recoding=recoding))
    assert said.nearest == {"levels": {"ward": 1}, "suppressed": 1.0}


@SMALL
@given(worlds(st.tuples(KS, OF_ILLNESS), measures=SUMS))
def test_no_solution_is_said_exactly_when_trying_all_nodes_finds_none(world: World) -> None:
    world = replace(world, suppression=min(world.suppression, 0.1))
    if np.isfinite(optimum(world)):
        run(task(world))
        return
    with pytest.raises(NoSolution) as caught:
        run(task(world))
    said = caught.value
    assert said.nearest is not None
    node = tuple(said.nearest["levels"][name] for name in world.names)  # type: ignore[index]
    assert said.nearest["suppressed"] == pytest.approx(len(gone_at(world, node)) / len(world.rows))
    for model in world.models:
        alone = gone_at(replace(world, models=(model,)), node)
        share = f"{len(alone) / len(world.rows):.2%} of the rows"
        blamed = [reason for reason in in_english(said) if reason.startswith(f"{name_of(model)} fails")]
        assert len(set(blamed)) == bool(alone)
        assert all(share in reason for reason in blamed)


def test_columns_that_the_table_lacks_are_refused_by_name() -> None:
    with pytest.raises(BadTable, match="the table has no column age"):
        Task(table=FOUR, quasi={"ward": WARD, "age": WARD}, models=())
    with pytest.raises(BadTable, match="the table has no column person"):
        asked(KAnonymity(2), unit="person")


def test_order_of_the_illnesses_is_the_callers() -> None:
    """A value that stands in the order but not in the data widens the scale."""
    wards, illnesses = ["secret1", "secret2"], ["flu", "cold"]
    model = TCloseness("illness", 0.4, Distance.ORDERED)
    narrow = asked(model, of=table(wards, illnesses), sensitive_order={"illness": ["flu", "cold"]})
    wide = asked(model, of=table(wards, illnesses), sensitive_order={"illness": ILLNESSES})
    assert (run(narrow).loss, run(wide).loss) == (1.0, 0.0)
