"""The examination: every check of every item on one output, in the order of the standard."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.standard import item3, item4, item5, items1_2
from privacy.deidentify.standard.context import ExaminationContext, Thresholds, context_of
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
    register. Findings name columns and rows, never values. Raises BadExamination if the arguments don't fit.
    """
    context = context_of(
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
    outcomes = tuple(_outcomes(context))
    return Examination(
        tuple(done.check for done in outcomes),
        tuple(finding for done in outcomes for finding in done.findings),
        QUESTIONS,
    )


def _outcomes(context: ExaminationContext) -> Iterator[Outcome]:
    # The detectors search every value of the output, the slowest part: once for both items.
    found = items1_2.detected(context)
    yield items1_2.roles_given(context)
    yield items1_2.identifiers_replaced(context)
    yield items1_2.detection(context, found, 1)
    yield items1_2.codes_gone(context)
    yield items1_2.detection(context, found, 2)
    # Whether rows can be compared at all decides what the checks of item 3 may say, so it is settled before them.
    placed = item3.rows_placed(context)
    yield item3.keys_not_shown(context, placed=placed)
    yield item3.one_to_one(context, placed=placed)
    yield item3.codes_dealt_anew(context, placed=placed)
    # Under item 3, for the keys that nobody declared as well: a hash of a receipt number links like the number.
    yield items1_2.plain_hashes(context, item3.keys(context), item=3)
    yield item3.no_running_numbers(context)
    yield item3.rows_shuffled(context, placed=placed)
    yield item4.rare_values(context)
    yield item4.tails(context)
    yield from item4.combined(context)
    yield item4.large_households(context)
    yield item5.small_classes(context)
    yield item5.unique_records(context)
    yield item5.long_histories(context)
    yield item5.linked(context)
    yield item5.homogeneity(context)
    yield item5.missing_patterns(context)
    yield item5.labels_known(context)
