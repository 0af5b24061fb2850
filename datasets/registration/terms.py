"""On what terms a register may be registered: its lineage, unit, measure, caps and population. Changes nothing.

Whatever would reset or sidestep a lifetime cap, or change what it is counted in, is refused.
"""

from typing import NoReturn

from sqlalchemy import Connection, bindparam, select

from datasets.catalog import described
from datasets.database.tables import Base, DatasetRow, LineageRow, VersionRow
from datasets.descriptor.descriptor import Descriptor
from datasets.registration.errors import RegistrationRefused
from privacy import delta
from privacy.schema import Schema
from privacy.words import Words

TABLES = Base.metadata.tables
DATASETS, VERSIONS = TABLES[DatasetRow.__tablename__], TABLES[VersionRow.__tablename__]
LINEAGES = TABLES[LineageRow.__tablename__]
OF_DATASET = VERSIONS.c.dataset == DATASETS.c.id
# Views are left out where lineages are compared: their terms are their sources', their source no file.
NO_VIEW = VERSIONS.c.sources.is_(None)
# The current version tells whether this is a view: only views have sources.
DATASET = (
    select(DATASETS.c.lineage, DATASETS.c.retired_at, VERSIONS.c.sources)
    .join_from(DATASETS, VERSIONS, OF_DATASET & (VERSIONS.c.number == DATASETS.c.version))
    .where(DATASETS.c.id == bindparam("dataset"))
)
# Of any dataset of the lineage: the terms are the lineage's.
LAST_DESCRIPTOR = (
    select(VERSIONS.c.descriptor)
    .join_from(VERSIONS, DATASETS, OF_DATASET)
    .where(DATASETS.c.lineage == bindparam("lineage"), NO_VIEW)
    .order_by(VERSIONS.c.registered_at.desc())
    .limit(1)
)
# By the bytes of the source: the same file under another name would otherwise get a second lifetime cap.
SAME_SOURCE = (
    select(DATASETS.c.id)
    .join_from(VERSIONS, DATASETS, OF_DATASET)
    .where(
        VERSIONS.c.source_digest == bindparam("digest"), NO_VIEW, DATASETS.c.lineage != bindparam("lineage")
    )
    .limit(1)
)
POPULATION = select(LINEAGES.c.population).where(LINEAGES.c.id == bindparam("lineage"))
# The latest text of any lineage of a population would do: a lineage keeps its measure.
OF_POPULATION = (
    select(DATASETS.c.lineage, VERSIONS.c.descriptor)
    .join_from(VERSIONS, DATASETS, OF_DATASET & (VERSIONS.c.number == DATASETS.c.version))
    .join(LINEAGES, LINEAGES.c.id == DATASETS.c.lineage)
    .where(LINEAGES.c.population == bindparam("population"), NO_VIEW)
    .order_by(DATASETS.c.id)
)


def agreed(connection: Connection, descriptor: Descriptor, digest: str) -> str:
    """The lineage of a register whose source has this digest. Raises RegistrationRefused.

    Asked before the import and again in the transaction that commits: another registration may have come between.
    """
    lineage = _lineage(connection, descriptor)
    twin = connection.execute(SAME_SOURCE, {"digest": digest, "lineage": lineage}).scalar()
    if twin is not None:
        raise RegistrationRefused(
            Words(
                ja=(
                    f"この元データは既に {twin} として登録されており、生涯上限が 2 つになります。"
                    f"上限を共有するには、データ定義ファイルに `lineage: {twin}` と書いてください"
                ),
                en=(
                    f"this very source is registered as {twin}: it would get a second lifetime cap. "
                    f"Say `lineage: {twin}` in the descriptor to share the cap"
                ),
            )
        )
    last = connection.execute(LAST_DESCRIPTOR, {"lineage": lineage}).scalar()
    if last is not None:
        # Refused rather than ignored: a cap that was lowered or raised by editing a file would never be
        # journalled.
        _must_keep_terms(lineage, described(last).schema, descriptor.schema)
    _must_keep_population(connection, lineage, descriptor)
    return lineage


def _lineage(connection: Connection, descriptor: Descriptor) -> str:
    id, named = descriptor.schema.id, descriptor.lineage
    own = connection.execute(DATASET, {"dataset": id}).one_or_none()
    if own is not None and own.retired_at is not None:
        raise RegistrationRefused(
            Words(
                ja=f"{id} は廃止されています。上限を引き継ぐ `lineage: {id}` を付けて新しい id で登録してください",
                en=f"{id} is retired; register under a new id with `lineage: {id}`, which keeps its cap",
            )
        )
    if own is not None and own.sources is not None:
        raise RegistrationRefused(
            Words(
                ja=f"{id} はビューです。データセットには別の id を付けてください",
                en=f"{id} is a view; give the dataset another id",
            )
        )
    if named == id:
        return id if own is None else str(own.lineage)
    other = connection.execute(DATASET, {"dataset": named}).one_or_none()
    if other is None:
        raise RegistrationRefused(
            Words(
                ja=f"lineage の {named} は登録済みのデータセットではありません",
                en=f"lineage names {named}, which is no registered dataset",
            )
        )
    if other.sources is not None:
        raise RegistrationRefused(
            Words(
                ja=f"lineage の {named} はビューです。結合元のいずれかを指定してください",
                en=f"lineage names {named}, which is a view: name one of its sources",
            )
        )
    # Moving to another lineage would leave what was spent behind.
    if own is not None and own.lineage != other.lineage:
        raise RegistrationRefused(
            Words(
                ja=f"{id} は既に系統 {own.lineage} に属しており、変更できません",
                en=f"{id} belongs to the lineage {own.lineage} already and keeps it",
            )
        )
    return str(other.lineage)


def _must_keep_terms(lineage: str, before: Schema, proposed: Schema) -> None:
    """What a lifetime cap is counted in, and how high it is, holds for all datasets and versions under it.

    `max_rows_per_person` may change: each answer's noise covers the bound of the version that it was computed from, so
    that ε bounds what one person loses by each answer, and the sum what that person loses by all, whatever the bounds.
    Another unit would bound the loss of something else.
    """
    if before.unit != proposed.unit:
        _refuse_unit(lineage, before.unit, proposed.unit)
    if before.measure != proposed.measure:
        raise RegistrationRefused(
            Words(
                ja=(
                    f"measure が {proposed.measure} ですが、{lineage} の上限と消費は {before.measure} で数えています。"
                    f"系統の measure は変えられません。`measure: {before.measure}` のままにしてください"
                ),
                en=(
                    f"measure says {proposed.measure}, but what {lineage} may spend and has spent is counted in "
                    f"{before.measure}: a lineage never changes its measure. Keep `measure: {before.measure}`"
                ),
            )
        )
    if before.cap != proposed.cap:
        raise RegistrationRefused(
            Words(
                ja=(
                    f"cap が {proposed.cap} ですが、登録済みのデータセットでは {before.cap} です。"
                    "登録では上限は変わりません。データ定義ファイルはそのままにし、"
                    "`sudare grant --dataset-cap` で引き上げてください"
                ),
                en=(
                    f"cap says {proposed.cap}, the registered dataset has {before.cap}: a registration never "
                    "changes a cap. Keep it in the descriptor and raise it by `sudare grant --dataset-cap`"
                ),
            )
        )
    if before.delta_cap != proposed.delta_cap:
        amounts = [delta.shown(delta.atto_of(schema.delta_cap)) for schema in (proposed, before)]
        raise RegistrationRefused(
            Words(
                ja=(
                    f"delta_cap が {amounts[0]} ですが、登録済みのデータセットでは {amounts[1]} です。"
                    "登録では上限は変わりません。データ定義ファイルはそのままにしてください"
                ),
                en=(
                    f"delta_cap says {amounts[0]}, the registered dataset has {amounts[1]}: a registration never "
                    "changes a cap. Keep it in the descriptor"
                ),
            )
        )


def _refuse_unit(lineage: str, before: str | None, proposed: str | None) -> NoReturn:
    # The names are compared and not the people: a column under another name may name households or visits, and then
    # ε would silently mean "per household".
    named = [
        ("null", "null") if unit is None else (f"列 {unit}", f"the column {unit}")
        for unit in (before, proposed)
    ]
    (kept_ja, kept), (other_ja, other) = named
    key = "null" if before is None else before
    raise RegistrationRefused(
        Words(
            ja=(
                f"privacy.unit が {other_ja} ですが、{lineage} では {kept_ja} を 1 人として上限と消費を数えています。"
                f"系統の保護の単位は変えられません。`unit: {key}` のままとし、"
                "列の名前が変わった場合は元データの列名を戻してください"
            ),
            en=(
                f"privacy.unit says {other}, but what {lineage} may spend and has spent is counted for each person as "
                f"{kept} tells them apart: a lineage never changes its unit. Keep `unit: {key}`; where only the "
                "column's name has changed, rename it back in the source"
            ),
        )
    )


def _must_keep_population(connection: Connection, lineage: str, descriptor: Descriptor) -> None:
    """A population may be said later, and stays; all its lineages are counted in one measure."""
    known, named = (
        connection.execute(POPULATION, {"lineage": lineage}).scalar(),
        descriptor.population,
    )
    if known is not None and known != named:
        raise RegistrationRefused(
            Words(
                ja=(
                    f"{lineage} は母集団 {known} に属しており、変更できません。"
                    f"データ定義ファイルに `population: {known}` と書いてください"
                ),
                en=(
                    f"{lineage} belongs to the population {known} and stays there: say `population: {known}` in the "
                    "descriptor"
                ),
            )
        )
    if named is None:
        return
    measure = descriptor.schema.measure
    for row in connection.execute(OF_POPULATION, {"population": named}):
        counted = described(row.descriptor).schema.measure
        if counted != measure:
            raise RegistrationRefused(
                Words(
                    ja=(
                        f"measure が {measure} ですが、母集団 {named} の {row.lineage} は {counted} で数えています。"
                        "1 つの母集団の系統はすべて同じ measure でなければなりません"
                    ),
                    en=(
                        f"measure says {measure}, but {row.lineage} of the population {named} is counted in {counted}: "
                        "all lineages of a population have one measure"
                    ),
                )
            )
