"""`sudare dataset`: descriptors checked, sources registered, datasets listed, shown and retired.

What is printed about a source are counts, and problems by line and column; never a value of it.
"""

import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from api.commands.account_lines import account_line, account_text, all_accounts
from api.commands.language import language, sentence
from api.commands.terminal import StageProgress, as_json, echo, operator
from api.services import Services
from privacy.words import Words

if TYPE_CHECKING:
    from datasets.catalog import DatasetVersion
    from datasets.descriptor.descriptor import Descriptor, View
    from datasets.registration.ingest import CellProblem, ColumnCounts, IngestReport, UnitCounts
    from datasets.registration.registry import Registered

VIEW_HAS_NO_DATA = Words(
    ja="これは登録済みのデータセットを結合するビューのデータ定義ファイルです。--data は指定しないでください",
    en="this describes a view, which is joined from registered datasets: leave --data out",
)
DATA_IS_MISSING = Words(
    ja="--data でデータセットの元データ（CSV または Parquet）を指定してください",
    en="give --data: the source of the dataset, CSV or Parquet",
)

A_VIEW_IS_NOT_SEPARATE = Words(
    ja="ビューには系統がありません。--separate-lineage は指定しないでください",
    en="a view has no lineage of its own: leave --separate-lineage out",
)
SERVING = Words(ja="{id} のバージョン {number} が回答に使われます", en="{id} version {number} is serving")
NO_DATASETS = Words(ja="データセットはありません", en="no datasets")
RETIRED_MARK = Words(ja="（廃止）", en=" (retired)")
STOPPED_MARK = Words(ja="（停止中）", en=" (stopped)")
RETIRED = Words(ja="{id} を廃止しました", en="retired {id}")
REOPENED = Words(ja="{id} の廃止を取り消しました", en="{id} answers again")
PURGED = Words(
    ja="{id} のバージョン {number} の行を消去しました", en="destroyed the rows of version {number} of {id}"
)
COPIED = Words(
    ja="ビュー {view} のバージョン {number} はその写しを持っています。必要に応じて消去してください",
    en="version {number} of the view {view} holds a copy of them: purge it too where it should not",
)
VERSION_LINE = Words(
    ja="バージョン {version}: 登録 {registered_at}", en="version {version}: registered {registered_at}"
)
PURGED_MARK = Words(ja="、消去 {purged_at}", en=", purged {purged_at}")
VIEW_OF = Words(ja="{sources} のビュー", en="a view of {sources}")
OF_POPULATION = Words(ja="母集団 {populations}", en="of {populations}")
WITHIN_ORGANISATION = Words(ja="再提示は組織内のみ", en="told again within an organisation")
STOPPED = Words(
    ja="中止しました。データセットは以前のままです", en="stopped; the dataset is as it was before"
)

FAULTLESS = Words(
    ja="{file}: {id}、{columns} 列、誤りはありません", en="{file}: {id}, {columns} columns, no faults"
)
VIEW_FAULTLESS = Words(
    ja="{file}: {id}、{columns} 列、この中に誤りはありません。結合元が許すかどうかは登録のときに分かります",
    en="{file}: {id}, {columns} columns, no faults in itself; whether its sources allow it is seen when it is "
    "registered",
)
ROWS_READ = Words(
    ja="{rows_read:,} 行を読み、{persons:,} 人の {rows_kept:,} 行を使います",
    en="{rows_read:,} rows read, {rows_kept:,} kept of {persons:,} persons",
)
ROWS_LEFT_OUT = Words(
    ja="個人を示す値のない行 {rows_without_person:,}、1 人あたりの上限を超えた行 {dropped_by_bound:,}",
    en="{rows_without_person:,} named no person, {dropped_by_bound:,} were beyond the bound",
)
KEPT_BY_BOUND = Words(
    ja="1 人 k 行までとした場合に残る行の割合: {kept}",
    en="share of the rows that a bound of k rows a person keeps: {kept}",
)
AS_DECLARED = Words(ja="すべて宣言のとおり", en="all cells as declared")
SEPARATOR = Words(ja="、", en=", ")
COUNTED = Words(ja="{kind} {number}", en="{number} {kind}")
CELLS = {
    "missing": Words(ja="欠損", en="missing"),
    "clamped": Words(ja="範囲外のため端の値に変更", en="clamped"),
    "unreadable": Words(ja="読取り不能", en="unreadable"),
    "undeclared": Words(ja="宣言されていない値", en="undeclared"),
    "without person": Words(ja="個人を示す値なし", en="without person"),
    "persons_not_constant": Words(
        ja="行によって値が異なるため一つの値にそろえた人", en="persons whose rows differed, made alike"
    ),
}
"""What happened to cells, and to persons by a column of theirs, by the names of the report."""
UNITS = {
    "number": Words(ja="単位の数", en="counted"),
    "rows_without": Words(ja="単位を示す値のない行", en="rows that name none"),
    "persons_not_constant": Words(
        ja="行によって単位が異なるため一つにそろえた人", en="persons whose rows named several, made alike"
    ),
}
"""What was counted of a second unit, by the names of the report."""
UNIT_LINE = Words(ja="単位 {name}：{counted}", en="unit {name}: {counted}")
PROBLEM_LINE = Words(ja="{line} 行目、{column}: {kind}", en="line {line}, {column}: {kind}")
existing = click.Path(exists=True, path_type=Path)


class Stopped(click.ClickException):
    """Ended by Ctrl-C: with the exit code that shells give it."""

    exit_code = 130


@click.group()
def dataset() -> None:
    """Datasets: check, register, list, show, retire, purge."""


@dataset.command("check")
@click.argument("descriptor", type=existing)
@click.option("--data", type=existing, help="Also read this source and report on it.")
@as_json
def check_dataset(descriptor: Path, data: Path | None, as_json: bool) -> None:
    """Check a descriptor, and a source against it, without registering anything."""
    from datasets.descriptor.descriptor import View
    from datasets.registration.ingest import check

    described = _described(descriptor)
    if isinstance(described, View) and data is not None:
        raise click.UsageError(sentence(VIEW_HAS_NO_DATA))
    if isinstance(described, View) or data is None:
        _show_description(descriptor, described, as_json)
        return
    with StageProgress() as progress:
        report = check(described, data, progress)
    _show_report(report, as_json)
    # Missing cells and rows beyond the bound are no fault of a source; cells that cannot be read are.
    if any(problem.kind == "unreadable" for problem in report.problems):
        sys.exit(1)


@dataset.command("register")
@click.argument("descriptor", type=existing)
@click.option("--data", type=existing, help="CSV or Parquet; a view has none.")
@click.option(
    "--separate-lineage",
    "reason",
    metavar="REASON",
    help="Why most of its people are not those of the other register; for the journal.",
)
@as_json
def register_dataset(descriptor: Path, data: Path | None, reason: str | None, as_json: bool) -> None:
    """Register a source, or a view of registered datasets, as a dataset's next version."""
    services = Services.from_environment()
    described = _described(descriptor)
    try:
        with StageProgress() as progress:
            made = _registered(services, described, data, reason, progress)
    except KeyboardInterrupt:
        raise Stopped(sentence(STOPPED)) from None
    notices = [notice.as_json() for notice in made.notices]
    # Before the report, which may be long; in JSON all are in one object.
    if not as_json:
        click.echo(sentence(SERVING.filled(id=made.dataset, number=made.version)))
        for notice in made.notices:
            click.echo(sentence(notice.message()))
    about = {"notices": notices} if notices else {}
    _show_report(made.report, as_json, dataset=made.dataset, version=made.version, **about)


@dataset.command("list")
@as_json
def list_datasets(as_json: bool) -> None:
    """List the datasets."""
    items = [
        {
            "id": version.id,
            "version": version.version,
            **_terms(version),
            "title": version.schema.title,
            "retired": version.retired,
            "stopped": version.stopped,
        }
        for version in Services.from_environment().catalog.all()
    ]
    echo(items, as_json=as_json, text="\n".join(map(_item_text, items)) or sentence(NO_DATASETS))


@dataset.command("show")
@click.argument("id")
@as_json
def show_dataset(id: str, as_json: bool) -> None:
    """Show a dataset's terms and its accounts."""
    from datasets.registration.lifecycle import versions

    services = Services.from_environment()
    version = services.catalog.current(id)
    members = services.catalog.lineage_members()
    paying = (*version.lineages, *(f"population:{name}" for name in version.populations))
    states = [state for state in all_accounts(services.ledger) if state.lineage in paying]
    accounts = [account_line(state, members) for state in states]
    body = {
        "id": version.id,
        "version": version.version,
        **_terms(version),
        "registered_at": version.registered_at,
        "retired": version.retired,
        "stopped": version.stopped,
        "versions": versions(services.store, id),
        "columns": [column.name for column in version.schema.columns],
        "max_rows_per_person": version.schema.rows_per_person,
        "accounts": accounts,
    }
    first = f"{_item_text(body)}: {', '.join(body['columns'])}"
    lines = [first, *map(_version_text, body["versions"]), *map(account_text, accounts)]
    echo(body, as_json=as_json, text="\n".join(lines))


@dataset.command("retire")
@click.argument("id")
@click.option("--reason", help="For the journal.")
def retire(id: str, reason: str | None) -> None:
    """Stop answering new questions; what was told and spent stays."""
    from datasets.registration import lifecycle

    lifecycle.retire(Services.from_environment().store, id, by=operator(), reason=reason)
    click.echo(sentence(RETIRED.filled(id=id)))


@dataset.command("unretire")
@click.argument("id")
@click.option("--reason", required=True, help="For the journal.")
def unretire(id: str, reason: str) -> None:
    """Let a dataset answer again that was retired less than 24 hours ago."""
    from datasets.registration import lifecycle

    lifecycle.unretire(Services.from_environment().store, id, by=operator(), reason=reason)
    click.echo(sentence(REOPENED.filled(id=id)))


@dataset.command("purge")
@click.argument("id")
@click.option("--version", "number", type=click.IntRange(min=1), required=True)
@click.option("--reason", required=True, help="For the journal.")
@as_json
def purge(id: str, number: int, reason: str, as_json: bool) -> None:
    """Destroy the rows of a version that does not answer any more, for ever: its statistics and its vault."""
    from datasets.registration import lifecycle

    services = Services.from_environment()
    made = lifecycle.purge(
        services.store, services.settings.data_dir, id, number, by=operator(), reason=reason
    )
    lines = [sentence(PURGED.filled(id=id, number=number))]
    lines += [sentence(COPIED.filled(view=view, number=copy)) for view, copy in made.views]
    views = [{"dataset": view, "version": copy} for view, copy in made.views]
    echo(asdict(made) | {"views": views}, as_json=as_json, text="\n".join(lines))


def _described(file: Path) -> "Descriptor | View":
    from datasets.descriptor.descriptor import read

    try:
        # Editors on Windows put a byte order mark before the text; it is no part of it.
        return read(file.read_text(encoding="utf-8-sig"))
    except UnicodeDecodeError:
        wrong = Words(ja=f"{file} は UTF-8 のテキストではありません", en=f"{file} is not UTF-8 text")
        raise click.ClickException(sentence(wrong)) from None
    except OSError:
        wrong = Words(ja=f"{file} を読み込めません", en=f"{file} cannot be read")
        raise click.ClickException(sentence(wrong)) from None


def _registered(
    services: Services,
    described: "Descriptor | View",
    data: Path | None,
    reason: str | None,
    progress: StageProgress,
) -> "Registered":
    from datasets.descriptor.descriptor import View
    from datasets.registration.registry import register, register_view

    store, data_dir, actor = services.store, services.settings.data_dir, operator()
    if isinstance(described, View):
        if data is not None:
            raise click.UsageError(sentence(VIEW_HAS_NO_DATA))
        if reason is not None:
            raise click.UsageError(sentence(A_VIEW_IS_NOT_SEPARATE))
        return register_view(store=store, data_dir=data_dir, view=described, actor=actor, progress=progress)
    if data is None:
        raise click.UsageError(sentence(DATA_IS_MISSING))
    return register(
        store=store,
        data_dir=data_dir,
        descriptor=described,
        source=data,
        actor=actor,
        progress=progress,
        separate_reason=reason,
    )


def _show_description(file: Path, described: "Descriptor | View", as_json: bool) -> None:
    from datasets.descriptor.descriptor import View

    is_view = isinstance(described, View)
    schema = described if isinstance(described, View) else described.schema
    # Checking needs no database; whether the sources have these columns stands only there.
    words = VIEW_FAULTLESS if is_view else FAULTLESS
    text = words.filled(file=file, id=schema.id, columns=len(schema.columns))
    echo({"id": schema.id, "columns": len(schema.columns)}, as_json=as_json, text=sentence(text))


def _show_report(report: "IngestReport", as_json: bool, **about: Any) -> None:
    """The operator's report: counts, and problems by line and column, never a value."""
    kept = ", ".join(f"{bound}: {share:.1%}" for bound, share in report.kept_by_bound.items())
    # Nothing is to be chosen where each of the bounds keeps all rows.
    losing = [KEPT_BY_BOUND] if any(share < 1 for share in report.kept_by_bound.values()) else []
    counts = asdict(report)
    lines = [
        *(sentence(words.filled(**counts)) for words in (ROWS_READ, ROWS_LEFT_OUT)),
        *(f"  {name}: {_counted(CELLS, of_column)}" for name, of_column in report.columns.items()),
        *(f"  {_unit_text(name, of_unit)}" for name, of_unit in report.units.items()),
        *(sentence(words.filled(kept=kept)) for words in losing),
        *(f"  {_problem_text(problem)}" for problem in report.problems),
    ]
    echo({**about, **asdict(report)}, as_json=as_json, text="\n".join(lines))


def _counted(words: Mapping[str, Words], counts: "ColumnCounts | UnitCounts") -> str:
    # Columns without a remark are the rule; zeros would hide the others.
    found = [
        sentence(COUNTED.filled(number=f"{number:,}", kind=_kind(words, name)))
        for name, number in asdict(counts).items()
        if number
    ]
    return sentence(SEPARATOR).join(found) or sentence(AS_DECLARED)


def _kind(words: Mapping[str, Words], name: str) -> str:
    # A dataset stands registered when its report is printed: that must not fail for want of a word.
    return sentence(words[name]) if name in words else name


def _unit_text(name: str, counts: "UnitCounts") -> str:
    return sentence(UNIT_LINE.filled(name=name, counted=_counted(UNITS, counts)))


def _problem_text(problem: "CellProblem") -> str:
    told = PROBLEM_LINE.within(language())
    return told.format(line=problem.line, column=problem.column, kind=_kind(CELLS, problem.kind))


def _terms(version: "DatasetVersion") -> dict[str, Any]:
    """Which accounts pay for a dataset's answers, in what, and what a view was joined from."""
    from privacy import delta

    # A view names all its lineages in a member of its own, so that `lineage` is one name for every dataset.
    terms: dict[str, Any] = {"lineage": version.lineage, "measure": version.schema.measure}
    if version.schema.delta is not None:
        terms["delta"] = delta.shown(delta.atto_of(version.schema.delta))
    terms["reuse"] = version.reuse
    # Always a list: a view may have several, and a register none.
    terms["populations"] = version.populations
    if version.is_view:
        terms |= {"lineages": version.lineages, "sources": version.sources}
    return terms


def _item_text(item: Mapping[str, Any]) -> str:
    marks = [RETIRED_MARK] * item["retired"] + [STOPPED_MARK] * item["stopped"]
    return _name_and_measure(item) + "".join(map(sentence, marks))


def _version_text(version: Mapping[str, Any]) -> str:
    purged = sentence(PURGED_MARK.filled(**version)) if version["purged_at"] else ""
    return f"  {sentence(VERSION_LINE.filled(**version))}{purged}"


def _name_and_measure(item: Mapping[str, Any]) -> str:
    """A dataset in a few words: with its population, whose answers are told again, and what a view was joined from."""
    named = ", ".join(f"{id} v{version}" for id, version in item.get("sources", {}).items())
    about = [
        sentence(VIEW_OF.filled(sources=named)) if named else "",
        sentence(OF_POPULATION.filled(populations=", ".join(item["populations"])))
        if item["populations"]
        else "",
        sentence(WITHIN_ORGANISATION) if item["reuse"] == "organisation" else "",
    ]
    shown = "; ".join(filter(None, about))
    return f"{item['id']} v{item['version']} {item['measure']}{f' ({shown})' if shown else ''}"
