"""What is tried on a record set after it was written: proofs, risks, attacks, utility, the five items."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec

import numpy as np
from numpy.typing import NDArray

from datasets.records.plan.plan import ProcessingPlan
from datasets.records.prepare import Prepared, Read
from datasets.records.read_back import Record
from datasets.records.run_secrets import Secrets
from privacy.deidentify import uniqueness
from privacy.deidentify.errors import BadTable
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.models import KAnonymity, PopulationUniqueness
from privacy.deidentify.proof import attack, risk, verify
from privacy.deidentify.proof.attack import Linkage, MatchedRecords
from privacy.deidentify.proof.risk import Risk
from privacy.deidentify.proof.verify import Verdict
from privacy.deidentify.randomness import draws
from privacy.deidentify.search.engine import Recoded, Recoding
from privacy.deidentify.search.ranges import number
from privacy.deidentify.standard import Examination, Thresholds
from privacy.deidentify.standard import examine as examine_standard
from privacy.deidentify.table import Column, Table
from privacy.deidentify.uniqueness import UniquenessEstimate
from privacy.deidentify.utility import classifier, measures
from privacy.deidentify.utility.classifier import ClassifierAccuracy
from privacy.deidentify.utility.comparison import ColumnComparison, compare
from privacy.deidentify.utility.measures import Utility

# Up to so many records every one is attacked; of more, a seeded sample.
ATTACKED_ROWS_MAX = 1_000_000
TARGETS_SAMPLED = 10_000
RISK_THRESHOLD = 0.2
K_ASKED_MIN = 2


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Evaluation:
    """What was found out about one record set."""

    at: str
    verdicts: tuple[Verdict, ...]
    prosecutor: Risk
    journalist: Risk | None
    uniqueness: UniquenessEstimate | None
    sample_unique: float
    classes: int
    smallest: int
    linkage: Linkage
    utility: Utility | None
    accuracy: ClassifierAccuracy | None
    examination: Examination
    distributions: tuple[ColumnComparison, ...]


def examine(
    plan: ProcessingPlan,
    given: Read,
    prepared: Prepared,
    recoded: Recoded,
    record: Record,
    secrets: Secrets,
    *,
    progress: Callable[[str, float], None],
) -> Evaluation:
    """Try everything; what the figures mean is for the report to say."""
    k = k_of(plan)
    proven = _proof(plan, prepared, recoded, record)
    verdicts = verify.verdicts(plan.models, proven)
    sizes = proven.sizes
    persons = max(1, int(sizes.sum()))
    # Shares are rough: no step knows how long the next one takes.
    progress("verify", 0.2)
    linkage = _attacked(prepared, record, secrets, k=k)
    progress("verify", 0.5)
    levels = row_levels(plan, recoded, prepared)
    useful = None if levels is None else _utility(prepared, recoded, levels, plan)
    progress("verify", 0.7)
    examination = _standard(plan, given, prepared, recoded, record, k=k)
    return Evaluation(
        at=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        verdicts=tuple(verdicts),
        prosecutor=risk.prosecutor(sizes, threshold=_threshold(plan)),
        journalist=_journalist(proven, _threshold(plan)),
        uniqueness=_estimated(plan, prepared, sizes),
        sample_unique=int((sizes == 1).sum()) / persons,
        classes=len(sizes),
        smallest=int(sizes.min()) if len(sizes) else 0,
        linkage=linkage,
        utility=useful,
        accuracy=_accuracy(plan, prepared, record, secrets),
        examination=examination,
        distributions=_distributions(prepared, recoded, levels),
    )


def k_of(plan: ProcessingPlan) -> int:
    """The k that the plan asks for, at least 2."""
    # Without k-anonymity in the plan the attack still counts whom it singles out: fewer than 2 candidates.
    return max([model.k for model in plan.models if isinstance(model, KAnonymity)], default=K_ASKED_MIN)


def _threshold(plan: ProcessingPlan) -> float:
    sizes = [model.k for model in plan.models if isinstance(model, KAnonymity)]
    # k-anonymity promises at most 1/k for everybody.
    return 1 / max(sizes) if sizes else RISK_THRESHOLD


def _proof(
    plan: ProcessingPlan, prepared: Prepared, recoded: Recoded, record: Record
) -> verify.PublishedTable:
    guarded = dict.fromkeys(entry.attribute for entry in plan.model_entries if entry.attribute)
    # Distances and likeness are about the source's distribution, which suppression has changed in the
    # records.
    source = Table([prepared.table[name] for name in guarded]) if guarded else None
    return verify.PublishedTable(
        table=record.table,
        quasi=tuple(prepared.trees),
        suppressed=record.suppressed,
        units=record.units,
        source=source,
        source_units=prepared.units,
        orders=prepared.orders,
        hierarchies=prepared.guarded,
        population=as_published(prepared.population, prepared, recoded),
    )


def as_published(other: Table | None, prepared: Prepared, recoded: Recoded) -> Table | None:
    """Another table's quasi-identifiers on the levels of the record set; as they are where levels differ by row."""
    # Where levels differ by row no single level is right for another table; its finest values are compared
    # instead.
    if other is None or recoded.levels is None:
        return other
    return Table([_at_level(other[name], prepared.trees[name], recoded.levels[name]) for name in other])


def _at_level(column: Column, tree: Hierarchy, level: int) -> Column:
    labels = tree.labels[level]
    return column.recoded([labels[label] for label in tree.maps[level][tree.places(column)].tolist()])


def _journalist(proven: verify.PublishedTable, threshold: float) -> Risk | None:
    if proven.population is None:
        return None
    populations = proven.populated[0]
    # A population smaller than a class cannot contain it, so a journalist's risk from it would be false.
    if (populations < proven.sizes).any():
        return None
    return risk.journalist(proven.sizes, populations, threshold=threshold)


def _estimated(
    plan: ProcessingPlan, prepared: Prepared, sizes: NDArray[np.int64]
) -> UniquenessEstimate | None:
    """Persons unique in the population, estimated, where the plan tells the population's size."""
    estimates = [model for model in plan.models if isinstance(model, PopulationUniqueness)]
    size = estimates[0].population if estimates else prepared.population.rows if prepared.population else 0
    # The estimators extrapolate from a sample; a population below the sample has no such meaning.
    if size < int(sizes.sum()) or not len(sizes):
        return None
    return uniqueness.estimate(sizes, population=size)


def _attacked(prepared: Prepared, record: Record, secrets: Secrets, *, k: int) -> Linkage:
    """The linkage attack for real: somebody who knows every quasi-identifier of a person as the source has it."""
    names = tuple(prepared.trees)
    rows = record.table.rows
    return attack.linkage(
        MatchedRecords(
            source=prepared.table,
            published=record.table,
            suppressed=record.suppressed,
            # The attacker knows persons as `prepared` has them, so matches are counted against prepared rows.
            origin=record.order,
            units=record.units,
        ),
        names,
        hierarchies=prepared.whole,
        k=k,
        targets_max=rows if rows <= ATTACKED_ROWS_MAX else TARGETS_SAMPLED,
        draws=draws(secrets.seed, "attack"),
    )


def row_levels(
    plan: ProcessingPlan, recoded: Recoded, prepared: Prepared
) -> NDArray[np.int8] | tuple[int, ...] | None:
    """The level of every column, or of every row and column; None where labels are no levels of a hierarchy.

    A suppressed row is on the top level.
    """
    if recoded.levels is not None:
        return tuple(int(recoded.levels[name]) for name in prepared.trees)
    if plan.recoding == Recoding.RANGES:
        return None
    tops = [tree.height - 1 for tree in prepared.trees.values()]
    # The last row is that of suppressed records, whose scheme is negative.
    levels = np.array([*recoded.schemes, tops], dtype=np.int8)
    return levels[np.where(recoded.scheme < 0, len(levels) - 1, recoded.scheme)]


def _utility(
    prepared: Prepared, recoded: Recoded, levels: NDArray[np.int8] | tuple[int, ...], plan: ProcessingPlan
) -> Utility:
    published = measures.GeneralisedTable(prepared.quasi, prepared.trees, levels, recoded.suppressed)
    return measures.utility(published, gs_factor=plan.loss.gs_factor)


def has_classifier() -> bool:
    """Whether the optional extra `classifier` (scikit-learn) is installed."""
    # Looked for, not imported: importing it takes seconds, and most plans ask for no classifier.
    return find_spec("sklearn") is not None


def _accuracy(
    plan: ProcessingPlan, prepared: Prepared, record: Record, secrets: Secrets
) -> ClassifierAccuracy | None:
    """How well the named attribute is predicted from the others, before and after.

    None where the plan does not ask for it, the optional extra is not installed, or the rows do not allow it.
    """
    if plan.classify is None or not has_classifier():
        return None
    order = record.order
    source = prepared.table if order is None else prepared.table.take(order)
    # The attribute itself would predict itself.
    features = [name for name in prepared.trees if name != plan.classify]
    try:
        return classifier.accuracy(
            source=source,
            published=record.table,
            target=plan.classify,
            features=features,
            draws=draws(secrets.seed, "classifier"),
        )
    except BadTable as fault:
        raise plan.refusal(("classify",), fault.message()) from None


def _standard(
    plan: ProcessingPlan, given: Read, prepared: Prepared, recoded: Recoded, record: Record, *, k: int
) -> Examination:
    there = given.table.keys() | record.table.keys()
    roles = {name: attribute.role for name, attribute in plan.attributes.items() if name in there}
    return examine_standard(
        given.table,
        record.table,
        roles,
        hierarchies=_labelled(plan, prepared),
        origin=record.origin,
        unit=plan.unit,
        reference=as_published(prepared.reference, prepared, recoded),
        thresholds=Thresholds(k=k),
    )


def _labelled(plan: ProcessingPlan, prepared: Prepared) -> dict[str, Hierarchy]:
    """The hierarchies whose labels the record set uses: numbers given as ranges of their own have none."""
    ranged = plan.recoding == Recoding.RANGES
    return {name: tree for name, tree in prepared.whole.items() if not (ranged and of_numbers(tree))}


def of_numbers(tree: Hierarchy) -> bool:
    """Whether every value of a hierarchy is a number."""
    return all(number(value) is not None for value in tree.domain)


def _distributions(
    prepared: Prepared, recoded: Recoded, levels: NDArray[np.int8] | tuple[int, ...] | None
) -> tuple[ColumnComparison, ...]:
    """The quasi-identifiers before and after; other attributes would show values of the data."""
    if levels is None:
        return ()
    return tuple(
        compare(
            prepared.quasi[name],
            tree,
            levels[place] if isinstance(levels, tuple) else levels[:, place],
            recoded.suppressed,
        )
        for place, (name, tree) in enumerate(prepared.trees.items())
    )
