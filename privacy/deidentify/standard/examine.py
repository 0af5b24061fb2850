"""The examination: every check of every item on one output, in the order of the standard."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.standard import item3, item4, item5, items1_2
from privacy.deidentify.standard.context import Setting, Thresholds, setting
from privacy.deidentify.standard.findings import Examination, Outcome
from privacy.deidentify.standard.questions import QUESTIONS
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
    found = items1_2.detected(looked_at)
    yield items1_2.roles_given(looked_at)
    yield items1_2.identifiers_replaced(looked_at)
    yield items1_2.detection(looked_at, found, 1)
    yield items1_2.codes_gone(looked_at)
    yield items1_2.detection(looked_at, found, 2)
    placed = item3.rows_placed(looked_at)
    yield item3.keys_not_shown(looked_at, placed=placed)
    yield item3.one_to_one(looked_at, placed=placed)
    yield item3.codes_dealt_anew(looked_at, placed=placed)
    yield items1_2.plain_hashes(looked_at, item3.keys(looked_at), item=3)
    yield item3.no_running_numbers(looked_at)
    yield item3.rows_shuffled(looked_at, placed=placed)
    yield item4.rare_values(looked_at)
    yield item4.tails(looked_at)
    yield from item4.combined(looked_at)
    yield item4.large_households(looked_at)
    yield item5.small_classes(looked_at)
    yield item5.unique_records(looked_at)
    yield item5.long_histories(looked_at)
    yield item5.linked(looked_at)
    yield item5.homogeneity(looked_at)
    yield item5.missing_patterns(looked_at)
    yield item5.labels_known(looked_at)
