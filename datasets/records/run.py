"""One run of a plan: read, check, prepare, search, write, verify what was written, report.

This order and no other. The record set appears whole under its name or not at all; what was written is read back
and every model is proven on it by another program than the search before anybody sees it.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from datasets.records import evaluation, prepare, report, run_secrets, write
from datasets.records.errors import NotProven
from datasets.records.folder import FOLDER_MODE, appearing
from datasets.records.plan import checks
from datasets.records.plan.plan import ProcessingPlan
from datasets.records.prepare import Prepared, Read
from datasets.records.read_back import Record, permuted
from datasets.records.report import Report
from datasets.records.run_secrets import Secrets
from datasets.sources.style import Style
from datasets.sources.table import look, read_columns
from privacy.deidentify.errors import Cancelled
from privacy.deidentify.randomness import draws
from privacy.deidentify.search import engine
from privacy.deidentify.search.engine import NoSolution, Recoded, Recoding, Task, recode
from privacy.deidentify.search.loss import LossAggregate, Measure, MeasureName
from privacy.deidentify.standard import evidence
from privacy.deidentify.table import Column, Table
from privacy.words import Words

RECORDS = "records.csv"
SCHEMES = "schemes.csv"
RECORD_SCHEMES = "record_schemes.csv"
EVIDENCE = "evidence"
SCHEME_COLUMN = "scheme"

Progress = Callable[[str, float], None]
Stop = Callable[[], bool]
# The pages of a report, by file name.
Render = Callable[[Report], Mapping[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is run: a plan on a file into a folder. `key` is that of pseudonyms if it is kept apart."""

    plan: ProcessingPlan
    data: Path
    out: Path
    force: bool = False
    key: bytes | None = None


@dataclass(slots=True)
class _Watch:
    """Seconds by stage."""

    seconds: dict[str, float] = field(default_factory=dict)
    began: float = field(default_factory=time.perf_counter)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start

    def spent(self) -> dict[str, float]:
        """The stages so far, and all of the run."""
        return {**self.seconds, "total": time.perf_counter() - self.began}


def run(job: Job, *, render: Render, progress: Progress, stop: Stop) -> Report:
    """Make the record set, or explain why there is none: the report says which (`solved`).

    Raises DeidentifyError or PlanError where the plan or the data are refused, and Cancelled; then nothing is
    written. `stop` during the search takes the best found so far, if there is any.
    """
    watch = _Watch()
    found = look(job.data, job.plan.source)
    # Before any folder is made: most faults of a plan show with the header alone.
    checks.columns(job.plan, found)
    with appearing(job.out, force=job.force) as folder:
        with watch.stage("read"):
            given = prepare.read(job.plan, found, progress=lambda share: progress("read", share), stop=stop)
        secrets = Secrets.drawn(job.plan, key=job.key, source_sha256=given.sha256)
        with watch.stage("prepare"):
            progress("prepare", 0.0)
            prepared = prepare.prepare(job.plan, given, seed=secrets.seed, key=secrets.pseudonyms, stop=stop)
            task = _task(job.plan, given, prepared)
            # Compiling the kernels takes seconds that would otherwise count as search, against the plan's
            # limit.
            engine.warm_up(task)
            _go_on(stop)
        made = _made(job, folder, task, given, prepared, secrets, watch, progress, stop)
        for name, text in render(made).items():
            write.private(folder / name, text.encode())
    return made


def _go_on(stop: Stop) -> None:
    if stop():
        raise Cancelled


def _task(plan: ProcessingPlan, given: Read, prepared: Prepared) -> Task:
    """The search's task: quasi-identifiers, what the models guard, and who the persons are."""
    guarded = {entry.attribute: None for entry in plan.model_entries if entry.attribute}
    columns = [*prepared.quasi.values(), *(prepared.table[name] for name in guarded)]
    if plan.unit is not None:
        # The search groups by person; the column itself is not published.
        columns.append(given.table[plan.unit].take(prepared.origin))
    return Task(
        table=Table(columns),
        quasi=prepared.trees,
        models=plan.models,
        suppression=plan.suppression,
        measure=Measure(
            name=MeasureName(plan.loss.measure),
            gs_factor=plan.loss.gs_factor,
            aggregate=LossAggregate(plan.loss.aggregate),
            weights=_weights(plan, prepared),
        ),
        recoding=Recoding(plan.recoding),
        unit=plan.unit,
        population=prepared.population,
        sensitive_hierarchies=prepared.guarded,
        sensitive_order=prepared.orders,
    )


def _weights(plan: ProcessingPlan, prepared: Prepared) -> dict[str, float]:
    weights = {name: plan.attributes[name].weight for name in prepared.trees}
    # All ones mean no weights.
    return weights if any(weight != 1.0 for weight in weights.values()) else {}


def _made(
    job: Job,
    folder: Path,
    task: Task,
    given: Read,
    prepared: Prepared,
    secrets: Secrets,
    watch: _Watch,
    progress: Progress,
    stop: Stop,
) -> Report:
    """Search, write, read back, prove and examine; or explain that there is no solution."""
    plan = job.plan
    order = _order(plan, secrets, prepared.table.rows)
    try:
        chosen, sha256 = _searched_and_written(
            folder, plan, task, given, prepared, order, watch, progress, stop
        )
    except NoSolution as fault:
        return report.unsolved(plan, given, prepared, secrets, fault, watch.spent())
    with watch.stage("verify"):
        progress("verify", 0.0)
        record = _read_back(folder / RECORDS, given, prepared, chosen, order)
        result = evaluation.examine(plan, given, prepared, chosen, record, secrets, progress=progress)
    unmet = [verdict.name for verdict in result.verdicts if not verdict.met]
    # The search found its recoding by other code; only what both agree on leaves the folder.
    if unmet:
        raise NotProven(
            Words(
                ja=f"書き出した記録集が {', '.join(unmet)} を満たしません。何も公表していません",
                en=f"the record set as written does not meet {', '.join(unmet)}; nothing was published",
            )
        )
    with watch.stage("report"):
        progress("report", 0.0)
        made = report.solved(plan, given, prepared, chosen, secrets, result, sha256, watch.spent())
        # Inside the folder that appears as a whole: a record set never stands there without its seed.
        run_secrets.write(folder, plan, secrets, prepared, made)
        _sign(folder, made, secrets)
    return made


def _searched_and_written(
    folder: Path,
    plan: ProcessingPlan,
    task: Task,
    given: Read,
    prepared: Prepared,
    order: NDArray[np.intp] | None,
    watch: _Watch,
    progress: Progress,
    stop: Stop,
) -> tuple[Recoded, str]:
    """What the search chose, without its table (which is on disk now, and large), and the SHA-256 of the records."""
    ends = None if plan.seconds_max is None else time.perf_counter() + plan.seconds_max
    with watch.stage("search"):
        progress("search", 0.0)
        recoded = recode(
            task,
            progress=lambda share, words: progress("search", share),
            # A limit of time takes the best recoding so far, as Ctrl-C does.
            stop=lambda: stop() or (ends is not None and time.perf_counter() > ends),
        )
    with watch.stage("write"):
        sha256 = _written(folder, plan, recoded, given, prepared, order, progress)
    # The written table is read back from the disk; both at once would not fit for a large source.
    return replace(recoded, table=Table([])), sha256


def _order(plan: ProcessingPlan, secrets: Secrets, rows: int) -> NDArray[np.intp] | None:
    """Which prepared row becomes which record; None where their order stays."""
    return draws(secrets.seed, "shuffle").permutation(rows) if plan.output.shuffle else None


def _sign(folder: Path, made: Report, secrets: Secrets) -> None:
    """The signed evidence of each item of the standard, verifiable by whoever holds the evidence key."""
    assert made.examination is not None
    hashes = made.body["hashes"]
    binding = evidence.Binding(
        source_sha256=hashes["source"],
        output_sha256=hashes["records"],
        plan_sha256=hashes["plan"],
        at=made.body["at"],
    )
    (folder / EVIDENCE).mkdir(mode=FOLDER_MODE)
    for one in evidence.evidence_of(made.examination, binding):
        # Names the key by what it signs: there is one key for each record set.
        signed = evidence.sign(one, secrets.evidence, key_id=hashes["records"][:16])
        write.private(folder / EVIDENCE / f"item-{one.item}.json", evidence.written(signed).encode())


def _written(
    folder: Path,
    plan: ProcessingPlan,
    recoded: Recoded,
    given: Read,
    prepared: Prepared,
    order: NDArray[np.intp] | None,
    progress: Progress,
) -> str:
    final = prepared.table.replacing(*(recoded.table[name] for name in prepared.trees))
    local = recoded.levels is None
    if local and plan.output.scheme_column:
        final = Table([*final.values(), _scheme_column(recoded, plan)])
    sha256 = write.records(
        folder / RECORDS,
        permuted(final, order),
        like=given.source,
        suppressed=permuted(recoded.suppressed, order),
        progress=lambda share: progress("write", share),
        # Not stopped any more: the search is paid for, and writing is quick.
        stop=lambda: False,
    )
    if local:
        write.lines(folder / SCHEMES, report.scheme_rows(plan, recoded, prepared))
        if not plan.output.scheme_column:
            write.numbers(folder / RECORD_SCHEMES, SCHEME_COLUMN, permuted(recoded.scheme, order))
    return sha256


def _scheme_column(recoded: Recoded, plan: ProcessingPlan) -> Column:
    if SCHEME_COLUMN in plan.attributes:
        message = Words(
            ja=f"データに既に列 {SCHEME_COLUMN!r} があります",
            en=f"the data has a column {SCHEME_COLUMN!r} already",
        )
        raise plan.refusal(("output", "scheme_column"), message)
    texts = tuple(str(scheme) for scheme in range(max(1, len(recoded.schemes))))
    return Column(SCHEME_COLUMN, texts, np.maximum(recoded.scheme, 0).astype(np.int32))


def _read_back(
    path: Path, given: Read, prepared: Prepared, recoded: Recoded, order: NDArray[np.intp] | None
) -> Record:
    """The record set as anybody would read it, with what only the processor knows about its rows."""
    # A Parquet source is written as CSV in UTF-8.
    style = Style() if given.source.is_parquet else given.source.style
    found = look(path, style)
    table, _ = read_columns(found, columns=found.columns, progress=lambda share: None, stop=lambda: False)
    return Record.of(table, prepared, recoded, order)
