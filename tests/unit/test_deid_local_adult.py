"""Local recoding of Adult: below what ARX was seen to reach, and k by pycanon's count."""

import pytest
from deid_adult import EIGHT, NEEDS_ADULT, NINE, SENSITIVE, asked, meets, pycanon_k, run
from lanes import first

from privacy.deidentify.models import DistinctDiversity, KAnonymity
from privacy.deidentify.search.engine import Recoding

pytestmark = NEEDS_ADULT


@pytest.mark.parametrize(("k", "most"), first(1, [(5, 0.052), (10, 0.076), (100, 0.190)]))
def test_cells_lose_less_than_the_best_that_arx_was_seen_to(k: int, most: float) -> None:
    made = run(asked(NINE, (KAnonymity(k),), 0.0, recoding=Recoding.CELLS))
    assert made.granularity_loss <= most
    assert not made.suppressed.any()
    assert pycanon_k(made) >= k


@pytest.mark.parametrize(
    ("recoding", "schemes", "most"),
    first(1, [(Recoding.FEW, range(8, 15), 0.071), (Recoding.SOME, range(25, 41), 0.059)]),
)
def test_few_schemes_are_some_ten_and_some_are_some_thirty(
    recoding: Recoding, schemes: range, most: float
) -> None:
    made = run(asked(NINE, (KAnonymity(5),), 0.02, recoding=recoding))
    assert len(made.schemes) in schemes
    assert made.loss <= most
    assert pycanon_k(made) >= 5


@pytest.mark.parametrize("recoding", first(1, [Recoding.CELLS, Recoding.FEW, Recoding.RANGES]))
def test_local_recoding_of_eight_columns_is_diverse(recoding: Recoding) -> None:
    models = (KAnonymity(5), DistinctDiversity(SENSITIVE, 3))
    made = run(asked(EIGHT, models, 0.02, recoding=recoding))
    assert meets(made, models)
    assert made.suppressed.sum() <= 0.02 * 30_162
    assert made.loss < 0.277563544, "less than the best full-domain recoding"
