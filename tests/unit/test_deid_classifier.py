"""A classifier tried on the source and on the published table tells what publishing took away."""

import sys

import numpy as np
import pytest

from datasets.records.evaluation import has_classifier
from privacy.deidentify.errors import BadTable
from privacy.deidentify.randomness import draws
from privacy.deidentify.table import Column, Table
from privacy.deidentify.utility.classifier import ClassifierAccuracy, accuracy


def column(name: str, codes: np.ndarray, *values: str) -> Column:
    return Column(name, values, codes.astype(np.int32))


def people(rows: int = 900) -> Table:
    """The job follows the town, up to one in ten; the sex tells nothing."""
    generator = draws(b"people", "test")
    town, sex = generator.integers(0, 3, rows), generator.integers(0, 2, rows)
    job = np.where(generator.random(rows) < 0.9, town, generator.integers(0, 3, rows))
    return Table([
        column("town", town, "a", "b", "c"),
        column("sex", sex, "f", "m"),
        column("job", job, "farmer", "fisher", "smith"),
    ])  # fmt: skip


def tried(
    published: Table, source: Table | None = None, *, seed: bytes = b"1", rows_max: int = 20_000
) -> ClassifierAccuracy:
    return accuracy(
        source=source or people(),
        published=published,
        target="job",
        features=("town", "sex"),
        draws=draws(seed, "classifier"),
        rows_max=rows_max,
    )


def test_a_table_published_as_it_is_predicts_as_well_as_its_source() -> None:
    told = tried(people())
    assert told.published == told.original
    assert told.relative == 1
    assert told.original == pytest.approx(0.933, abs=0.03)
    assert told.baseline == pytest.approx(1 / 3, abs=0.05)


def test_a_table_told_as_one_label_predicts_no_better_than_the_commonest_value() -> None:
    source = people()
    told = tried(source.replacing(source["town"].recoded(["*"] * 3), source["sex"].recoded(["*"] * 2)))
    assert told.published == told.baseline
    assert told.relative == 0


def test_a_label_over_two_of_three_values_predicts_in_between() -> None:
    source = people()
    told = tried(source.replacing(source["town"].recoded(["ab", "ab", "c"])))
    assert told.baseline + 0.1 < told.published < told.original - 0.1
    assert told.relative == pytest.approx((told.published - told.baseline) / (told.original - told.baseline))


def test_suppressed_rows_stay_in_as_a_category_of_their_own() -> None:
    source = people()
    gone = np.arange(source.rows) % 2 == 0
    town = column("town", np.where(gone, 3, source["town"].codes), "a", "b", "c", "*")
    told = tried(source.replacing(town))
    assert told.rows == source.rows
    assert told.published == pytest.approx((told.original + told.baseline) / 2, abs=0.05)


def test_the_truth_is_the_source_even_where_the_target_is_published_otherwise() -> None:
    source = people()
    assert tried(source.replacing(source["job"].recoded(["*"] * 3))).relative == 1


def test_the_commonest_value_is_learnt_from_the_other_folds() -> None:
    # Two values alternate, three rows each: whatever is commoner elsewhere is rarer in the fold.
    halves = Table([column("x", np.zeros(6), "x"), column("job", np.arange(6) % 2, "y", "z")])
    told = accuracy(
        source=halves, published=halves, target="job", features=("x",), draws=draws(b"1", "c"), folds=6
    )
    assert told.baseline == 0


def test_no_row_is_predicted_by_a_model_that_has_seen_it() -> None:
    alone = np.arange(60)
    names = [str(each) for each in alone]
    source = Table([column("key", alone, *names), column("job", draws(b"", "").integers(0, 2, 60), "y", "z")])
    told = accuracy(source=source, published=source, target="job", features=("key",), draws=draws(b"1", "c"))
    assert told.original < 0.7


def test_a_target_of_one_value_leaves_nothing_to_lose() -> None:
    source = people()
    told = tried(source, source.replacing(source["job"].recoded(["same"] * 3)))
    assert (told.baseline, told.original, told.published, told.relative) == (1, 1, 1, None)


def test_a_large_table_is_sampled_and_says_so() -> None:
    told = tried(people(), rows_max=300)
    assert (told.rows, told.rows_of, told.sampled) == (300, 900, True)
    assert not tried(people()).sampled


def test_a_sample_takes_no_row_twice() -> None:
    # Every row has a job of its own: only a row taken twice could be known from another fold.
    alone = np.arange(60)
    names = [str(each) for each in alone]
    source = Table([column("key", alone, *names), column("job", alone, *names)])
    told = accuracy(
        source=source,
        published=source,
        target="job",
        features=("key",),
        draws=draws(b"1", "classifier"),
        rows_max=59,
    )
    assert told.original == 0


def test_the_same_seed_gives_the_same_figures_and_another_seed_other_folds() -> None:
    assert tried(people(), rows_max=200) == tried(people(), rows_max=200)
    assert tried(people(), rows_max=200) != tried(people(), rows_max=200, seed=b"2")


@pytest.mark.parametrize(
    ("target", "features", "words"),
    [
        ("job", (), "no column is given to predict job from"),
        ("job", ("town", "job"), "job cannot be predicted from itself"),
        ("wage", ("town", "height"), "no column wage, height for the classifier"),
    ],
)
def test_columns_that_cannot_be_used_are_refused_by_name(
    target: str, features: tuple[str, ...], words: str
) -> None:
    with pytest.raises(BadTable, match=words):
        accuracy(
            source=people(),
            published=people(),
            target=target,
            features=features,
            draws=draws(b"1", "classifier"),
        )


def test_whether_the_optional_extra_is_there_is_known_without_importing_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert has_classifier()
    monkeypatch.setitem(sys.modules, "sklearn", None)
    assert not has_classifier()


def test_too_few_rows_for_the_folds_are_refused() -> None:
    with pytest.raises(BadTable, match="2 rows are too few"):
        tried(people(2), people(2))
