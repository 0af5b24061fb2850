"""What becomes of a registered dataset: it is retired, brought back within a day, its versions' rows are destroyed.

Each is a line of the journal, in the chain of the dataset's lineage, of a view's first one. What was spent stays spent
and what was answered stays answered: nothing here touches an account.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, select, update

from datasets.catalog import NoSuchDataset
from datasets.database.files import remove, sync
from datasets.database.locks import LockTaken, alone
from datasets.database.store import Store, now
from datasets.database.tables import Base, DatasetRow, VersionRow
from datasets.database.texts import line_of
from datasets.ledger.accounts import person
from datasets.ledger.errors import REASON_CHARACTERS_MAX
from datasets.ledger.journal import PURGED, REOPENED, RETIRED, append
from datasets.registration.errors import RegistrationRefused
from datasets.registration.folders import REGISTERING
from datasets.registration.ingest.identity import IDENTITY_FILE
from privacy.words import Words

REOPEN_WITHIN = timedelta(hours=24)
TABLES = Base.metadata.tables
DATASETS, VERSIONS = TABLES[DatasetRow.__tablename__], TABLES[VersionRow.__tablename__]
NEEDS_REASON = Words(
    ja=f"理由を 1〜{REASON_CHARACTERS_MAX:,} 文字の 1 行で指定してください（制御文字や目に見えない文字は使えません）",
    en=f"give a reason: one line of 1 to {REASON_CHARACTERS_MAX:,} characters, without control or invisible characters",
)
NOT_RETIRED = Words(ja="{id} は廃止されていません", en="{id} is not retired")
RETIRED_TOO_LONG = Words(
    ja="{id} は {at} に廃止されました。取り消せるのは 24 時間以内です。"
    "上限を引き継ぐ `lineage:` を付けて新しい id で登録してください",
    en="{id} was retired at {at}, which can be taken back for 24 hours: register it under a new id with `lineage:`, "
    "which keeps its cap",
)
NOTHING_LEFT = Words(
    ja="{id} の現在のバージョン {number} の行は消去されています。新しい id で登録してください",
    en="the rows of version {number} of {id}, which would answer, were destroyed: register it under a new id",
)
NO_VERSION = Words(ja="{id} にバージョン {number} はありません", en="{id} has no version {number}")
SERVES = Words(
    ja="{id} のバージョン {number} は現在回答に使われています。"
    "先に新しいバージョンを登録するか、{id} を廃止してください",
    en="version {number} of {id} answers now: register another one first, or retire {id}",
)
ELSEWHERE = Words(
    ja="{id} のバージョン {number} のフォルダー {folder} がこのデータフォルダーにありません。"
    "そのフォルダーのあるマシンで実行してください",
    en="the folder {folder} of version {number} of {id} is not in this data folder: run this where it is",
)
NOT_EMPTIED = Words(
    ja="{folder} を空にできませんでした。原因を除いてから同じコマンドをもう一度実行してください",
    en="{folder} could not be emptied: mend what is in the way and run the same command again",
)
BUSY = Words(
    ja="このデータセットの登録が実行中です。終わってから実行してください",
    en="a registration of this dataset is running: try again after it",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Purged:
    """A version whose rows are gone; `views` name those that hold a copy of them, by dataset and version."""

    dataset: str
    version: int
    purged_at: str
    views: tuple[tuple[str, int], ...]


def retire(store: Store, id: str, *, by: str, reason: str | None = None) -> str:
    """End a dataset: no new question is answered. Returns since when; the first date stays. Raises NoSuchDataset."""
    told = {} if reason is None else {"reason": _reason(reason)}
    with store.writing() as tx:
        found = _dataset(tx, id)
        if found.retired_at is not None:
            return str(found.retired_at)
        at = now()
        tx.execute(update(DATASETS).where(DATASETS.c.id == id).values(retired_at=at))
        append(tx, found.lineage, {"kind": RETIRED, "at": at, "by": person(by), "dataset": id, **told})
    return at


def unretire(store: Store, id: str, *, by: str, reason: str) -> None:
    """Let a dataset answer again that was retired less than a day ago.

    Raises NoSuchDataset, or RegistrationRefused where it is not retired, for too long, or has no rows any more.
    """
    why, at = _reason(reason), now()
    with store.writing() as tx:
        found = _dataset(tx, id)
        if found.retired_at is None:
            raise RegistrationRefused(NOT_RETIRED.filled(id=id))
        if _time(at) - _time(found.retired_at) > REOPEN_WITHIN:
            raise RegistrationRefused(RETIRED_TOO_LONG.filled(id=id, at=found.retired_at))
        if _version(tx, id, found.version).purged_at is not None:
            raise RegistrationRefused(NOTHING_LEFT.filled(id=id, number=found.version))
        tx.execute(update(DATASETS).where(DATASETS.c.id == id).values(retired_at=None))
        append(
            tx, found.lineage, {"kind": REOPENED, "at": at, "by": person(by), "dataset": id, "reason": why}
        )


def purge(store: Store, data_dir: Path, id: str, number: int, *, by: str, reason: str) -> Purged:
    """Destroy the rows of a version, its vault too; never of the one that answers now, unless the dataset is retired.

    The sketch by which its people are recognised stays, or the same people could get a second cap. Journaled before the
    files go: where that was cut short, the same command finishes it. Raises NoSuchDataset or RegistrationRefused.
    """
    why = _reason(reason)
    home = data_dir / id
    try:
        with store.reading() as connection:
            folder = _folder(data_dir, id, number, _version(connection, id, number))
        with alone(home / REGISTERING):
            with store.writing() as tx:
                purged_at = _marked(tx, id, number, by=by, reason=why)
                views = tuple(_views_of(tx, id, number))
            _empty(folder)
    except LockTaken:
        raise RegistrationRefused(BUSY) from None
    return Purged(dataset=id, version=number, purged_at=purged_at, views=views)


def versions(store: Store, id: str) -> list[dict[str, Any]]:
    """The versions of a dataset, with when they were registered, and purged where they were."""
    columns = (VERSIONS.c.number.label("version"), VERSIONS.c.registered_at, VERSIONS.c.purged_at)
    wanted = select(*columns).where(VERSIONS.c.dataset == id).order_by(VERSIONS.c.number)
    with store.reading() as connection:
        return [dict(row._mapping) for row in connection.execute(wanted)]


def _reason(given: str) -> str:
    reason = line_of(given, most=REASON_CHARACTERS_MAX)
    if reason is None:
        raise RegistrationRefused(NEEDS_REASON)
    return reason


def _time(at: str) -> datetime:
    return datetime.fromisoformat(at)


def _dataset(tx: Connection, id: str) -> Row[Any]:
    """The dataset's row, held until the transaction ends."""
    row = tx.execute(select(DATASETS).where(DATASETS.c.id == id).with_for_update()).one_or_none()
    if row is None:
        raise NoSuchDataset(id)
    return row


def _version(connection: Connection, id: str, number: int) -> Row[Any]:
    if connection.execute(select(DATASETS.c.id).where(DATASETS.c.id == id)).one_or_none() is None:
        raise NoSuchDataset(id)
    wanted = select(VERSIONS).where(VERSIONS.c.dataset == id, VERSIONS.c.number == number)
    row = connection.execute(wanted).one_or_none()
    if row is None:
        raise RegistrationRefused(NO_VERSION.filled(id=id, number=number))
    return row


def _folder(data_dir: Path, id: str, number: int, version: Row[Any]) -> Path:
    folder = data_dir / str(version.folder)
    # Else it would be called destroyed while it lies on another machine.
    if not folder.is_dir():
        raise RegistrationRefused(ELSEWHERE.filled(id=id, number=number, folder=version.folder))
    return folder


def _marked(tx: Connection, id: str, number: int, *, by: str, reason: str) -> str:
    """Say in the database and the journal that the rows are gone; since when they are."""
    dataset, version = _dataset(tx, id), _version(tx, id, number)
    if version.purged_at is not None:
        return str(version.purged_at)
    if number == dataset.version and dataset.retired_at is None:
        raise RegistrationRefused(SERVES.filled(id=id, number=number))
    at, of_version = now(), (VERSIONS.c.dataset == id) & (VERSIONS.c.number == number)
    tx.execute(update(VERSIONS).where(of_version).values(purged_at=at))
    told = {"dataset": id, "version": number, "by": person(by), "reason": reason}
    append(tx, dataset.lineage, {"kind": PURGED, "at": at, **told})
    return at


def _views_of(connection: Connection, id: str, number: int) -> list[tuple[str, int]]:
    """The versions of views that were joined from this one and whose rows are there: they are copies."""
    joined = select(VERSIONS.c.dataset, VERSIONS.c.number, VERSIONS.c.sources).where(
        VERSIONS.c.sources.is_not(None), VERSIONS.c.purged_at.is_(None)
    )
    rows = connection.execute(joined).all()
    return sorted((row.dataset, row.number) for row in rows if json.loads(row.sources).get(id) == number)


def _empty(folder: Path) -> None:
    """Remove all but the sketch of its people."""
    for entry in folder.iterdir():
        if entry.name != IDENTITY_FILE:
            remove(entry)
    sync(folder)
    if any(entry.name != IDENTITY_FILE for entry in folder.iterdir()):
        raise RegistrationRefused(NOT_EMPTIED.filled(folder=folder))
