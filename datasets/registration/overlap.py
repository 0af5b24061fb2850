"""Whether a register holds the people of another one, whose lifetime cap it does not share. Opens no lineage.

Two lineages have two caps, so whoever stands in both is told about up to both. A register whose rows are those of
another lineage, in whatever order, is refused; one that shares more than half of its people with another lineage is
refused unless both are of one population, or the operator says why these are two. Versions of one lineage share a cap
and are not compared; views have no people of their own.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sqlalchemy import Connection, select

from datasets.database.tables import Base, DatasetRow, LineageRow, VersionRow
from datasets.registration.errors import RegistrationRefused
from datasets.registration.ingest import RegisterIdentity
from privacy.words import Words

TABLES = Base.metadata.tables
DATASETS, VERSIONS = TABLES[DatasetRow.__tablename__], TABLES[VersionRow.__tablename__]
LINEAGES = TABLES[LineageRow.__tablename__]
SHARE_MAX = 0.5
"""More of the people than this in common with another lineage takes a reason."""

# Retired ones and earlier versions, too: what was told from them was told about these people.
ALL_VERSIONS = (
    select(
        VERSIONS.c.dataset,
        VERSIONS.c.number,
        VERSIONS.c.folder,
        VERSIONS.c.descriptor,
        DATASETS.c.lineage,
        LINEAGES.c.population,
    )
    .join_from(VERSIONS, DATASETS, VERSIONS.c.dataset == DATASETS.c.id)
    .join(LINEAGES, LINEAGES.c.id == DATASETS.c.lineage)
    .where(VERSIONS.c.sources.is_(None))
    .order_by(VERSIONS.c.dataset, VERSIONS.c.number)
)
SAME_ROWS = Words(
    ja=(
        "この元データの行は、並び順を除いて {dataset} のバージョン {number} と同じで、生涯上限が 2 つになります。"
        "上限を共有するには、データ定義ファイルに `lineage: {dataset}` と書いてください"
    ),
    en=(
        "these are the rows of {dataset} (version {number}), in whatever order: they would get a second lifetime "
        "cap. Say `lineage: {dataset}` in the descriptor to share the cap"
    ),
)
WAYS_OUT = Words(
    ja=(
        "上限を共有するには `lineage: {dataset}` と、住民ごとの合計を抑えるには両方のデータ定義ファイルに同じ"
        " `population:` と書いてください。別の人々である場合は `--separate-lineage` で理由を示してください"
    ),
    en=(
        "Say `lineage: {dataset}` to share the cap, or the same `population:` in both descriptors to bound both "
        "together; if these are other people, give the reason with `--separate-lineage`"
    ),
)
SAME_PEOPLE = Words(
    ja="このデータと {lineages} の人々の半数を超える約 {percent} % が共通で、生涯上限が 2 つになります。",
    en=(
        "about {percent} % of the people of this register and of {lineages}, more than half, stand in both: they "
        "would get a second lifetime cap. "
    ),
)
NOT_COMPARED = Words(
    ja="{lineages} には比較に必要なファイルがなく、同じ人々を含むかどうか分かりません。",
    en="the files of {lineages} that this register is compared with are gone, so it may hold the same people. ",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationNotice:
    """Something about an accepted registration that its operator should know.

    `lineage` is the other one, `percent` the share of the people in question; both empty where there are none.
    """

    code: str
    lineage: str | None = None
    percent: int | None = None

    WORDS: ClassVar[dict[str, Words]] = {
        "contained": Words(
            ja=(
                "このデータと {lineage} のうち小さい方の人々の約 {percent} % が、もう一方にも含まれます。"
                "その人々は 2 つの上限の下で回答に使われます。同じ `population:` で合計を抑えられます"
            ),
            en=(
                "about {percent} % of the people of the smaller of this register and {lineage} stand in the other, "
                "too, and are told about under two caps; the same `population:` in both bounds them together"
            ),
        ),
        "overlap_known": Words(
            ja=(
                "このデータと {lineage} の人々の約 {percent} % が共通です（以前のバージョンと同様です）。"
                "同じ `population:` で合計を抑えられます"
            ),
            en=(
                "about {percent} % of the people of this register and of {lineage} stand in both, as in earlier "
                "versions of the two; the same `population:` in both bounds them together"
            ),
        ),
        "separate": Words(
            ja="{lineage} とは別の系統とし、その理由を予算台帳に記録しました",
            en="kept apart from {lineage}; the reason stands in the journal",
        ),
        "separate_not_needed": Words(
            ja="--separate-lineage は不要でした。何も記録していません",
            en="--separate-lineage was not needed: nothing was recorded for it",
        ),
    }

    def message(self) -> Words:
        """The notice as a sentence."""
        return self.WORDS[self.code].filled(lineage=self.lineage, percent=self.percent)

    def as_json(self) -> dict[str, Any]:
        """As the command line's JSON lists it."""
        about = {"lineage": self.lineage, "percent": self.percent}
        named = {name: value for name, value in about.items() if value is not None}
        return {"code": self.code, **named, **self.message().as_texts()}


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredVersion:
    """A version of a register as the database names it."""

    dataset: str
    number: int
    folder: str
    descriptor: str
    lineage: str
    population: str | None


@dataclass(frozen=True, slots=True)
class _Overlap:
    """What one version of another lineage has in common; `share` None: it cannot be compared."""

    version: RegisteredVersion
    share: float | None

    @property
    def weight(self) -> float:
        """What cannot be compared might be all the same people."""
        return 1.0 if self.share is None else self.share


Find = Callable[[RegisteredVersion], RegisterIdentity | None]


@dataclass(slots=True, kw_only=True)
class Overlaps:
    """What one registration has in common with every other lineage: looked at twice, and for good in its commit.

    `lineage`, `population` and `identity` are the new version's; `reason` is why its people are others than those that
    it has in common, None where nobody said so. `separate_from` are the lineages that the reason was needed for.
    """

    lineage: str
    population: str | None
    identity: RegisterIdentity
    reason: str | None
    separate_from: tuple[str, ...] = ()
    _compared: set[tuple[str, int]] = field(default_factory=set)
    _close: dict[str, _Overlap] = field(default_factory=dict)
    _contained: dict[str, float] = field(default_factory=dict)
    _known: dict[str, bool] = field(default_factory=dict)
    _bounded: set[str] = field(default_factory=set)

    def look(self, connection: Connection, find: Find) -> None:
        """Compare with every version of other lineages that was not looked at yet. Raises RegistrationRefused.

        Called again in the transaction that commits, where no other registration is at work, it sees those that were
        registered meanwhile. `find` gives the identity of a registered version, None where nothing is left of it.
        """
        versions = [RegisteredVersion(**row._asdict()) for row in connection.execute(ALL_VERSIONS)]
        for version in versions:
            if version.lineage != self.lineage and (version.dataset, version.number) not in self._compared:
                self._compare(version, find(version))
                self._compared.add((version.dataset, version.number))
        self._judge(versions, find)

    def notices(self) -> tuple[RegistrationNotice, ...]:
        """What the operator should know of a registration that was accepted."""
        return tuple(self._notices())

    def _compare(self, other: RegisteredVersion, theirs: RegisterIdentity | None) -> None:
        if theirs is not None and self.identity.is_of_the_same_rows(theirs):
            raise RegistrationRefused(SAME_ROWS.filled(dataset=other.dataset, number=other.number))
        found = _Overlap(other, None if theirs is None else self.identity.shared_with(theirs))
        if found.weight > SHARE_MAX:
            before = self._close.get(other.lineage, found)
            self._close[other.lineage] = max(before, found, key=lambda overlap: overlap.weight)
        if theirs is not None:
            # Of the smaller one this is the larger share.
            part = max(self.identity.contained_in(theirs), theirs.contained_in(self.identity))
            self._contained[other.lineage] = max(part, self._contained.get(other.lineage, 0.0))

    def _judge(self, versions: Sequence[RegisteredVersion], find: Find) -> None:
        """Which overlaps are accounted for: by the population, by earlier versions or by the reason."""
        populations = {version.lineage: version.population for version in versions}
        self._bounded = {
            lineage
            for lineage, population in populations.items()
            if self.population is not None and population == self.population
        }
        unaccounted = [
            overlap
            for lineage, overlap in self._close.items()
            if lineage not in self._bounded and not self._is_known(lineage, versions, find)
        ]
        if unaccounted and self.reason is None:
            raise _refusal(unaccounted)
        self.separate_from = tuple(sorted(overlap.version.lineage for overlap in unaccounted))

    def _is_known(self, lineage: str, versions: Sequence[RegisteredVersion], find: Find) -> bool:
        """Whether earlier versions of the two lineages overlapped already: both caps are there, whatever comes now.

        They were registered with a reason, or before registers were compared. Otherwise the monthly version of either
        would be refused, although it opens no new cap.
        """
        if lineage not in self._known:
            own = [
                found for version in versions if version.lineage == self.lineage and (found := find(version))
            ]
            theirs = (find(version) for version in versions if version.lineage == lineage)
            self._known[lineage] = any(
                mine.shared_with(other) > SHARE_MAX for other in theirs if other is not None for mine in own
            )
        return self._known[lineage]

    def _notices(self) -> Iterable[RegistrationNotice]:
        for lineage in self.separate_from:
            yield RegistrationNotice(code="separate", lineage=lineage)
        if self.reason is not None and not self.separate_from:
            yield RegistrationNotice(code="separate_not_needed")
        for lineage, overlap in sorted(self._close.items()):
            if lineage not in self._bounded and lineage not in self.separate_from:
                yield RegistrationNotice(
                    code="overlap_known", lineage=lineage, percent=_percent(overlap.weight)
                )
        for lineage, part in sorted(self._contained.items()):
            if part > SHARE_MAX and lineage not in self._bounded and lineage not in self._close:
                yield RegistrationNotice(code="contained", lineage=lineage, percent=_percent(part))


def _percent(share: float) -> int:
    """Rounded up: half and a little is not shown as half."""
    return math.ceil(100 * share)


def _refusal(overlaps: Sequence[_Overlap]) -> RegistrationRefused:
    """Names lineages and a share, never a person: for the operator alone."""
    compared = [overlap for overlap in overlaps if overlap.share is not None]
    named = compared or list(overlaps)
    lineages = ", ".join(sorted(overlap.version.lineage for overlap in named))
    largest = max(named, key=lambda overlap: overlap.weight)
    why = (SAME_PEOPLE if compared else NOT_COMPARED).filled(
        lineages=lineages, percent=_percent(largest.weight)
    )
    ways = WAYS_OUT.filled(dataset=largest.version.dataset)
    return RegistrationRefused(Words(ja=why.ja + ways.ja, en=why.en + ways.en))
