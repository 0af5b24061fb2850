"""The entry of the search: a table, hierarchies and models in; the recoded table, or why there is none, out.

Full-domain recoding is searched for exactly (`branch_and_bound.py`); local recoding is a heuristic (`local.py` with
`reallocation.py` and `residue.py`), as the best one is NP-hard to find (Meyerson & Williams, PODS 2004).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.classes import classes, weights
from privacy.deidentify.errors import BadHierarchy, BadModel, BadTable, Cancelled, DeidentifyError
from privacy.deidentify.hierarchies.hierarchy import SUPPRESSED, Hierarchy
from privacy.deidentify.models import (
    DeltaPresence,
    DistinctDiversity,
    KAnonymity,
    KMap,
    Model,
    SensitiveModel,
    TableModel,
    title_of,
)
from privacy.deidentify.search import ranges
from privacy.deidentify.search.branch_and_bound import Progress, Search, SearchResult, Stop
from privacy.deidentify.search.conditions import Conditions
from privacy.deidentify.search.lattice import Lattice, NodeCost
from privacy.deidentify.search.local import SchemeAssignment, Sweep, by_rows, losses
from privacy.deidentify.search.loss import Measure, Scale
from privacy.deidentify.search.packing import Packing
from privacy.deidentify.search.reallocation import reallocate
from privacy.deidentify.search.residue import assign_residue
from privacy.deidentify.search.table_models import meets
from privacy.deidentify.table import Codes, Column, Table
from privacy.words import Words

ROUND = 1e-9
"""Against products just below a whole number: 0.07 of 100 rows are 7, whatever the last bit says."""


class Recoding(StrEnum):
    """The dial between legibility and loss."""

    FULL_DOMAIN = "full_domain"
    """One level a column: one scheme, and the best of all."""
    FEW = "few"
    """Some ten schemes: each takes at least 5 % of the records."""
    SOME = "some"
    """Some thirty schemes: each takes at least 1 %."""
    CELLS = "cells"
    """A scheme for every cell that needs one."""
    RANGES = "ranges"
    """A scheme for every cell, numbers being published as the range of their class instead of a label."""


SHARES = {Recoding.FEW: 0.05, Recoding.SOME: 0.01}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Task:
    """What is asked for. `quasi` are the hierarchies of the quasi-identifiers, in the order of the figures.

    `unit` names the column of the persons where rows are not persons, `population` a table with the
    quasi-identifiers of everybody (for k-map and δ-presence). `suppression` is the share of rows that may go.
    """

    table: Table
    quasi: Mapping[str, Hierarchy]
    models: tuple[Model, ...]
    suppression: float = 0.0
    measure: Measure = field(default_factory=Measure)
    recoding: Recoding = Recoding.FULL_DOMAIN
    unit: str | None = None
    population: Table | None = None
    sensitive_hierarchies: Mapping[str, Hierarchy] = field(default_factory=dict)
    sensitive_order: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.table.rows:
            raise BadTable(Words(ja="表に行がありません", en="the table has no rows"))
        if not self.quasi:
            raise BadTable(
                Words(
                    ja="準識別子がないため、一般化するものがありません",
                    en="there is no quasi-identifier, so there is nothing to generalise",
                )
            )
        for name in (*self.quasi, *filter(None, [self.unit])):
            if name not in self.table:
                raise BadTable(
                    Words(ja=f"表に項目 {name} がありません", en=f"the table has no column {name}")
                )
        if not 0 <= self.suppression <= 1:
            raise DeidentifyError(
                Words(
                    ja=f"レコード削除の割合は 0 以上 1 以下で指定してください（指定は {self.suppression!r}）",
                    en=f"suppression must lie between 0 and 1, not {self.suppression!r}",
                )
            )
        for model in self.models:
            self._check(model)

    def _check(self, model: Model) -> None:
        title, rows = title_of(model), self.table.rows
        if isinstance(model, KAnonymity) and model.k > rows:
            raise BadModel(
                Words(
                    ja=f"{rows} 行の表では「{title.ja}」を満たせません",
                    en=f"{title.en} cannot be met by {rows} rows",
                )
            )
        if isinstance(model, SensitiveModel) and model.attribute in self.quasi:
            raise BadModel(
                Words(
                    ja=f"項目 {model.attribute} は準識別子なので、秘匿したい項目（sensitive）にはできません",
                    en=f"{model.attribute} is a quasi-identifier and cannot also be sensitive",
                )
            )
        # Local recoding has no one level a column, on which the population could be published too.
        if isinstance(model, KMap | DeltaPresence):
            if self.population is None:
                raise BadModel(
                    Words(
                        ja=f"「{title.ja}」には母集団の表が必要です",
                        en=f"{title.en} needs a population table",
                    )
                )
            if self.recoding is not Recoding.FULL_DOMAIN:
                raise BadModel(
                    Words(
                        ja=f"「{title.ja}」は recoding が full_domain の場合にだけ指定できます",
                        en=f"{title.en} is searched for with full_domain recoding only",
                    )
                )

    @property
    def limit(self) -> int:
        """How many rows may be suppressed."""
        return int(self.suppression * self.table.rows + ROUND)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recoded:
    """The quasi-identifiers as published, and what that took.

    Suppressed rows are published as * in each of them and have scheme -1; scheme s publishes column j on level
    schemes[s][j]. `loss` is the measure asked for (of local recoding: the measure Loss by the arithmetic mean),
    `granularity_loss` the mean over cells of the share of the domain that is blurred, suppressed cells being 1.
    `gap` bounds how much lower the measure could be; it is 0 when proven (`optimal`), and unknown (NaN) for local
    recoding.
    """

    table: Table
    suppressed: NDArray[np.bool_]
    levels: Mapping[str, int] | None
    schemes: tuple[tuple[int, ...], ...]
    scheme: Codes
    loss: float
    granularity_loss: float
    optimal: bool
    gap: float
    nodes: int
    checked: int


class NoSolution(DeidentifyError):
    """No recoding meets the models within the limit of suppression.

    `reasons` say which models fail at the nearest node seen, each with the share of rows that it alone costs;
    `nearest` has that node's levels and the share that would have to be suppressed.
    """

    code = "no_solution"

    def __init__(self, reasons: Sequence[Words], nearest: Mapping[str, object] | None) -> None:
        super().__init__(
            Words(
                ja="；".join(reason.ja for reason in reasons), en="; ".join(reason.en for reason in reasons)
            )
        )
        self.reasons = tuple(reasons)
        self.nearest = nearest


def recode(task: Task, *, progress: Progress, stop: Stop) -> Recoded:
    """The best recoding found; NoSolution, BadModel, or Cancelled when stopped before there was any."""
    lattice = _lattice(task)
    if task.recoding is Recoding.FULL_DOMAIN:
        return _full_domain(task, lattice, progress, stop)
    return _local(task, lattice, progress, stop)


def warm_up(task: Task | None = None) -> None:
    """Compile, or load, the loops that a task needs (all of them without one), so that a search is timed alone."""
    # Numba compiles for the types of the arguments, not for their sizes: a table of 16 rows loads what millions need.
    values = [str(i) for i in range(8)]
    tree = Hierarchy.of("a", [(value, str(i // 4), "*") for i, value in enumerate(values)])
    table = Table([Column.of("a", values * 2), Column.of("s", ["x", "y"] * 8)])
    small, guarded = (KAnonymity(2),), (KAnonymity(2), DistinctDiversity("s", 2))
    needs_models = (
        task is None or any(not isinstance(model, KAnonymity) for model in task.models) or task.unit
    )
    for recoding in (
        (Recoding.FULL_DOMAIN, Recoding.FEW, Recoding.CELLS) if task is None else (task.recoding,)
    ):
        for models in (small, guarded) if needs_models else (small,):
            asked = Task(table=table, quasi={"a": tree}, models=models, suppression=0.5, recoding=recoding)
            recode(asked, progress=_silent, stop=_never)
            # Loops that so small a table would not reach by itself are called on purpose.
            lattice = _lattice(asked)
            lattice.packing.loses_more(lattice.bottom.grouping, (1,), k=2, limit=0)
            if recoding is not Recoding.FULL_DOMAIN:
                Sweep(lattice, progress=_silent, stop=_never).look_ahead()


def _silent(share: float, words: str) -> None:
    """Progress that nobody watches."""


def _never() -> bool:
    """Nobody asks to stop."""
    return False


def _lattice(task: Task) -> Lattice:
    # The population's rows are packed with the table's, so that both have the same codes and fall in the same groups.
    table = Table([task.table[name] for name in task.quasi])
    counted = None
    if task.population is not None and any(isinstance(model, KMap | DeltaPresence) for model in task.models):
        table, counted = _with_population(table, task.population, task.quasi)
    packing = Packing(list(table.values()), list(task.quasi.values()))
    conditions = Conditions(
        task.models,
        sensitive=task.table,
        orders=task.sensitive_order,
        hierarchies=task.sensitive_hierarchies,
        persons=None if task.unit is None else task.table[task.unit].codes,
    )
    scale = Scale(packing, task.measure, counted=counted)
    return Lattice(packing, scale, conditions, counted=counted)


def _with_population(
    table: Table, population: Table, hierarchies: Mapping[str, Hierarchy]
) -> tuple[Table, NDArray[np.bool_]]:
    """The rows of the table and after them those of the population, and which are the table's."""
    columns = []
    for name, column in table.items():
        if name not in population:
            raise BadTable(
                Words(
                    ja=f"母集団の表に項目 {name} がありません",
                    en=f"the population table has no column {name}",
                )
            )
        other = population[name]
        try:
            hierarchies[name].places(other)
        except BadHierarchy as fault:
            words = fault.message()
            raise BadHierarchy(Words(ja=f"母集団：{words.ja}", en=f"population: {words.en}")) from None
        places = {value: place for place, value in enumerate(column.values)}
        values = [*column.values, *(value for value in other.values if value not in places)]
        places = {value: place for place, value in enumerate(values)}
        moved = np.array([places[value] for value in other.values], np.int32)
        columns.append(Column(name, tuple(values), np.concatenate([column.codes, moved[other.codes]])))
    return Table(columns), np.arange(table.rows + population.rows) < table.rows


def _full_domain(task: Task, lattice: Lattice, progress: Progress, stop: Stop) -> Recoded:
    found = Search(lattice, limit=task.limit, progress=progress, stop=stop).run()
    # A search that was stopped before it found anything proves nothing: "no solution" would be a claim.
    if found.best is None:
        if stop():
            raise Cancelled
        assert found.nearest is not None, "the top is always looked at"
        raise _no_solution(task, lattice, found.nearest)
    assigned = _assigned(lattice, found.best, task.table.rows)
    return _recoded(task, lattice, assigned, loss=found.best.value, found=found)


def _assigned(lattice: Lattice, best: NodeCost, rows: int) -> SchemeAssignment:
    """Every row on the one node, those of failing groups left out."""
    groups, of = lattice.of_all_rows(best.levels)
    failed, _, _ = lattice.lost(groups)
    scheme = np.where(failed[of] > 0, -1, 0).astype(np.int32)[:rows]
    return SchemeAssignment(np.array([best.levels], np.intp), scheme)


def _local(task: Task, lattice: Lattice, progress: Progress, stop: Stop) -> Recoded:
    shares = _shares(task, lattice)
    tried = [
        _placed(task, lattice, share, _part(progress, at, len(shares)), stop)
        for at, share in enumerate(shares)
    ]
    # Whoever keeps within the limit comes first, then who loses less.
    assigned, loss = min(tried, key=lambda one: (_left(one[0]) > task.limit, one[1]))
    # A record set without a record is no solution, even where the limit is 100 %.
    solved = _left(assigned) <= task.limit and _left(assigned) < task.table.rows
    single = _one_scheme(task, lattice, loss if solved else np.inf, stop)
    if single is not None:
        assigned, loss = single
    elif not solved:
        # The top is the coarsest of all: what fails there fails with any recoding, so its failures are the reasons.
        if stop():
            raise Cancelled
        top = tuple(height - 1 for height in lattice.shape)
        raise _no_solution(task, lattice, lattice.check(top))
    made = _recoded(task, lattice, assigned, loss=loss, found=None)
    return made if task.recoding is not Recoding.RANGES else _with_ranges(task, lattice, assigned, made)


def _one_scheme(
    task: Task, lattice: Lattice, below: float, stop: Stop
) -> tuple[SchemeAssignment, float] | None:
    """The best single scheme, and its loss, if it loses less than a local recoding does."""
    # Both are compared by the measure Loss with the arithmetic mean, the only one of local recoding.
    plain = Measure(weights=task.measure.weights)
    if lattice.scale.measure != plain:
        lattice = Lattice(lattice.packing, Scale(lattice.packing, plain), lattice.conditions)
    search = Search(lattice, limit=task.limit, progress=_silent, stop=stop, below=below)
    best = search.run().best if search.enumerated else None
    return None if best is None else (_assigned(lattice, best, task.table.rows), best.value)


def _shares(task: Task, lattice: Lattice) -> tuple[float, ...]:
    """The least shares of a scheme to try, 0 being a scheme for every cell.

    With models of sensitive attributes a walk that takes every cell it can may leave what fits nowhere, so that
    fewer schemes can lose less; both are tried then.
    """
    if task.recoding in SHARES:
        return (SHARES[task.recoding],)
    return (0.0,) if lattice.conditions.by_size_alone else (0.0, *SHARES.values())


def _part(progress: Progress, at: int, of: int) -> Progress:
    """The progress of one of several pieces of work that follow each other."""
    return lambda share, words: progress((at + share) / of, words)


def _placed(
    task: Task, lattice: Lattice, share: float, progress: Progress, stop: Stop
) -> tuple[SchemeAssignment, float]:
    """A local recoding with the rows left out brought in where too many are, and its loss."""
    sweep = Sweep(lattice, progress=progress, stop=stop)
    few = by_rows(lattice, sweep.few(share)) if share else None
    assigned = reallocate(lattice, sweep, sweep.each_cell(), stop) if few is None else few
    assigned = assign_residue(lattice, assigned, task.limit).compact()
    return assigned, float(losses(sweep, assigned).mean())


def _left(assigned: SchemeAssignment) -> int:
    """How many rows are suppressed."""
    return int((assigned.scheme < 0).sum())


def _recoded(
    task: Task, lattice: Lattice, assigned: SchemeAssignment, *, loss: float, found: SearchResult | None
) -> Recoded:
    packing = lattice.packing
    columns = [_published(packing, j, assigned, task.table.rows) for j in range(len(packing.columns))]
    _check_table_models(task, columns, assigned)
    return Recoded(
        table=Table(columns),
        suppressed=assigned.scheme < 0,
        levels=None if found is None else dict(zip(task.quasi, assigned.nodes[0].tolist(), strict=True)),
        schemes=tuple(tuple(node) for node in assigned.nodes.tolist()),
        scheme=assigned.scheme,
        loss=loss,
        granularity_loss=granularity_loss(packing, assigned, task.table.rows),
        optimal=found is not None and found.gap == 0.0,
        gap=np.nan if found is None else found.gap,
        nodes=int(np.prod([float(height) for height in lattice.shape])),
        checked=lattice.checked if found is None else found.checked,
    )


def _published(packing: Packing, j: int, assigned: SchemeAssignment, rows: int) -> Column:
    """The column of published texts: each row's label on its scheme's level, `*` for a suppressed row."""
    codes = packing.columns[j].codes[:rows]
    values: dict[str, int] = {SUPPRESSED: 0}
    # Equal texts of different levels become one value, as a reader of the file cannot tell their levels apart either.
    by_level = np.zeros((packing.heights[j], len(packing.columns[j].values)), np.int32)
    for level in sorted(set(assigned.nodes[:, j].tolist())):
        texts = packing.published(j, level)
        by_level[level] = [values.setdefault(text, len(values)) for text in texts]
    # Scheme -1 of suppressed rows picks some node here; what it yields is written over two lines below.
    if len(assigned.nodes) == 1:
        published = by_level[assigned.nodes[0, j]][codes]
    else:
        published = by_level[assigned.nodes[assigned.scheme, j], codes]
    published[assigned.scheme < 0] = values[SUPPRESSED]
    return Column(packing.columns[j].name, tuple(values), published)


def granularity_loss(packing: Packing, assigned: SchemeAssignment, rows: int) -> float:
    """The mean over rows and columns of (leaves - 1) / (domain - 1), 1 for suppressed rows (Iyengar, KDD 2002)."""
    out = assigned.scheme < 0
    total = 0.0
    for j, column in enumerate(packing.columns):
        values = len(column.values)
        # Counted by scheme and value first: there are far fewer pairs of them than rows.
        at = assigned.scheme[~out].astype(np.int64) * values + column.codes[:rows][~out]
        counts = np.bincount(at, minlength=len(assigned.nodes) * values).reshape(-1, values)
        for node, cells in zip(assigned.nodes, counts, strict=True):
            level = int(node[j])
            blur = packing.hierarchies[j].loss(level)[packing.reached[j][level]][packing.labels[j][level]]
            total += float(blur @ cells)
    return (total / len(packing.columns) + int(out.sum())) / rows


def _check_table_models(task: Task, columns: Sequence[Column], assigned: SchemeAssignment) -> None:
    """Models of all class sizes together, which a local recoding is not searched for."""
    wanted = [model for model in task.models if isinstance(model, TableModel)]
    if not wanted or task.recoding is Recoding.FULL_DOMAIN:
        return
    # From the published texts: two schemes may publish the same text, and their classes are then one.
    found = classes(Table(columns), list(task.quasi), rows=assigned.scheme >= 0)
    persons = weights(found, None if task.unit is None else task.table[task.unit].codes)
    unmet = [model for model in wanted if not meets(model, persons)]
    if unmet:
        raise NoSolution([_needs_larger_k(model) for model in unmet], None)


def _needs_larger_k(model: TableModel) -> Words:
    title = title_of(model)
    return Words(
        ja=f"局所的な一般化では「{title.ja}」を満たせません。k を大きくしてください",
        en=f"{title.en} is not met by local recoding; ask for a larger k",
    )


def _with_ranges(task: Task, lattice: Lattice, assigned: SchemeAssignment, made: Recoded) -> Recoded:
    """The classes of a local recoding with numbers published as the range that they span in their class."""
    narrowed = ranges.tighten(lattice.packing, assigned, made.table)
    return Recoded(
        table=made.table.replacing(*narrowed.columns),
        suppressed=made.suppressed,
        levels=None,
        schemes=made.schemes,
        scheme=made.scheme,
        loss=narrowed.loss(made.loss, lattice.scale.weights),
        granularity_loss=narrowed.loss(made.granularity_loss, np.ones(len(task.quasi))),
        optimal=False,
        gap=np.nan,
        nodes=made.nodes,
        checked=made.checked,
    )


def _no_solution(task: Task, lattice: Lattice, nearest: NodeCost) -> NoSolution:
    """Which models fail where the fewest records do, and what could be asked for instead."""
    # Each model is asked alone, so that whoever reads the reasons knows which of several to give way on.
    lost = [(model, _share_lost(lattice, _alone(task, model), nearest)) for model in task.models]
    reasons = [_blamed(model, share) for model, share in lost if share > 0]
    groups = lattice.groups(nearest.levels)
    failed, _, _ = lattice.lost(groups)
    share = int(groups.grouping.counts[failed > 0].sum()) / lattice.rows
    levels = dict(zip(task.quasi, nearest.levels, strict=True))
    reasons.append(_nearest_words(task.suppression, share, levels))
    return NoSolution(reasons, {"levels": levels, "suppressed": share})


def _alone(task: Task, model: Model) -> Conditions:
    """The conditions of one model of a task."""
    return Conditions(
        [model],
        sensitive=task.table,
        orders=task.sensitive_order,
        hierarchies=task.sensitive_hierarchies,
        persons=None if task.unit is None else task.table[task.unit].codes,
    )


def _blamed(model: Model, share: float) -> Words:
    title, attribute = title_of(model), getattr(model, "attribute", None)
    because = f" because of {attribute}" if attribute else ""
    return Words(
        ja=f"{share:.2%} の行が「{title.ja}」を満たしません",
        en=f"{title.en} fails{because} for {share:.2%} of the rows",
    )


def _nearest_words(suppression: float, share: float, levels: Mapping[str, int]) -> Words:
    listed = ", ".join(f"{name} {level}" for name, level in levels.items())
    return Words(
        ja=f"レコード削除を {suppression:.2%} 以内に収める一般化の段階の組合せはありません。"
        f"調べた中で最も近い組合せでは {share:.2%} を削除することになります（段階：{listed}）",
        en=f"no level combination suppresses {suppression:.2%} of the rows or fewer; "
        f"the nearest seen suppresses {share:.2%} (levels {listed})",
    )


def _share_lost(lattice: Lattice, conditions: Conditions, nearest: NodeCost) -> float:
    """The share of rows that some conditions alone would suppress at a node."""
    other = Lattice(lattice.packing, lattice.scale, conditions, counted=lattice.counted)
    groups = other.groups(nearest.levels)
    failed, _, fixable = other.lost(groups)
    return 1.0 if not fixable else int(groups.grouping.counts[failed > 0].sum()) / lattice.rows
