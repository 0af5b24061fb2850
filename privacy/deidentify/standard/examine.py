"""The examination: every check of every item on one output, in the order of the standard."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.hierarchy import Hierarchy
from privacy.deidentify.standard import identifying, linkage, others, rarity
from privacy.deidentify.standard.questions import QUESTIONS
from privacy.deidentify.standard.said import Examination, Outcome
from privacy.deidentify.standard.setting import Setting, Thresholds, setting
from privacy.deidentify.table import Role, Table


def examine(
    source: Table,
    published: Table,
    roles: Mapping[str, Role],
    *,
    hierarchies: Mapping[str, Hierarchy] | None = None,
    suppressed: NDArray[np.bool_] | None = None,
    origin: NDArray[np.intp] | None = None,
    unit: str | None = None,
    reference: Table | None = None,
    thresholds: Thresholds | None = None,
) -> Examination:
    """Check an output against the five items of the processing standard (rule 62 of the PPC).

    `origin` [output rows] is the source row of each record, known to the processor only: give it wherever the
    output was sampled or shuffled. Without it rows are compared in the source's order, less the records that
    `suppressed` [source rows] marks, where the columns that were not changed agree; where they don't, the
    checks that need it are left open. `unit` is the column that names the person, `reference` a public
    register. Column names are told, values never. Raises BadExamination if the arguments don't fit.
    """
    looked_at = setting(
        source,
        published,
        roles,
        hierarchies=hierarchies,
        suppressed=suppressed,
        origin=origin,
        unit=unit,
        reference=reference,
        thresholds=thresholds or Thresholds(),
    )
    outcomes = tuple(_outcomes(looked_at))
    return Examination(
        tuple(done.check for done in outcomes),
        tuple(finding for done in outcomes for finding in done.findings),
        QUESTIONS,
    )


def _outcomes(looked_at: Setting) -> Iterator[Outcome]:
    found = identifying.detected(looked_at)
    yield identifying.roles_given(looked_at)
    yield identifying.identifiers_replaced(looked_at)
    yield identifying.detection(looked_at, found, 1)
    yield identifying.codes_gone(looked_at)
    yield identifying.detection(looked_at, found, 2)
    placed = linkage.rows_placed(looked_at)
    yield linkage.keys_not_shown(looked_at, placed=placed)
    yield linkage.one_to_one(looked_at, placed=placed)
    yield linkage.codes_dealt_anew(looked_at, placed=placed)
    yield identifying.plain_hashes(looked_at, linkage.keys(looked_at), item=3)
    yield linkage.no_running_numbers(looked_at)
    yield linkage.rows_shuffled(looked_at, placed=placed)
    yield rarity.rare_values(looked_at)
    yield rarity.tails(looked_at)
    yield from rarity.combined(looked_at)
    yield rarity.large_households(looked_at)
    yield others.small_classes(looked_at)
    yield others.unique_records(looked_at)
    yield others.long_histories(looked_at)
    yield others.linked(looked_at)
    yield others.homogeneity(looked_at)
    yield others.missing_patterns(looked_at)
    yield others.labels_known(looked_at)
