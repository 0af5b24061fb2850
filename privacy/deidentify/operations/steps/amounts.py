"""Operations on columns of numbers: tails coded, rounding, noise, and groups with one centre."""

from dataclasses import dataclass, replace
from decimal import Decimal
from typing import ClassVar

from privacy.deidentify.operations import microaggregation, numbers
from privacy.deidentify.operations.edges import Edge
from privacy.deidentify.operations.steps.base import Applied, Figure, Means, Operation, WorkingRecords
from privacy.deidentify.table import Column
from privacy.words import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class _TailCode(Operation):
    TAIL: ClassVar[numbers.Tail]
    at: Decimal | None = None
    least: int | None = None
    label: str | None = None

    def __post_init__(self) -> None:
        self._one_of("at", "least")

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        coded = self._coded(records, records.column(column, self.NAME))
        after, applied = self._done(
            records,
            coded.column,
            figures={"rows_in_tail": coded.rows},
            # A bound of the plan is public, one found in the data is processing-method information.
            restricted={} if self.least is None else {"bound": coded.bound},
        )
        # A label that is no number has to be let through by later operations on numbers of this column.
        if numbers.is_number(coded.label):
            return after, applied
        labels = {**records.labels, column: records.kept(column) | {coded.label}}
        return replace(after, labels=labels), applied

    def _coded(self, records: WorkingRecords, given: Column) -> numbers.Coded:
        kept = records.kept(given.name)
        if self.at is not None:
            return numbers.code_tail(given, tail=self.TAIL, at=self.at, label=self.label, kept=kept)
        assert self.least is not None
        return numbers.code_tail_of(
            given, tail=self.TAIL, least=self.least, label=self.label, unit=records.unit, kept=kept
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TopCode(_TailCode):
    """Numbers from `at` up, or the top that leaves `least` persons together, become one text."""

    NAME: ClassVar[str] = "top_code"
    TAIL: ClassVar[numbers.Tail] = numbers.Tail.TOP


@dataclass(frozen=True, slots=True, kw_only=True)
class BottomCode(_TailCode):
    """Numbers from `at` down, or the bottom that leaves `least` persons together, become one text."""

    NAME: ClassVar[str] = "bottom_code"
    TAIL: ClassVar[numbers.Tail] = numbers.Tail.BOTTOM


@dataclass(frozen=True, slots=True, kw_only=True)
class Round(Operation):
    """Numbers become multiples of `base`."""

    NAME: ClassVar[str] = "round"
    base: Decimal
    method: numbers.Rounding = numbers.Rounding.NEAREST

    def __post_init__(self) -> None:
        self._check(
            self.base > 0,
            Words(
                ja=f"base は 0 より大きくなければなりません（指定された値：{self.base}）。",
                en=f"needs a base above 0, not {self.base}",
            ),
        )

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        rounded = numbers.round_to(
            records.column(column, self.NAME),
            base=self.base,
            method=self.method,
            draws=means.draws() if self.method is numbers.Rounding.RANDOM else None,
            kept=records.kept(column),
        )
        return self._done(records, rounded)


@dataclass(frozen=True, slots=True, kw_only=True)
class AddNoise(Operation):
    """Noise of standard deviation `sd`, or `relative` times the column's own; several columns `with` each other

    get correlated normal noise, which is relative and knows no bounds. Not differential privacy.
    """

    NAME: ClassVar[str] = "noise"
    kind: numbers.NoiseKind = numbers.NoiseKind.NORMAL
    sd: Decimal | None = None
    relative: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None
    edge: Edge = Edge.REFLECT
    companions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self._one_of("sd", "relative")
        size = self.sd if self.relative is None else self.relative
        self._check(
            size is not None and size > 0,
            Words(
                ja=f"標準偏差は 0 より大きくなければなりません（指定された値：{size}）。",
                en=f"needs a standard deviation above 0, not {size}",
            ),
        )
        self._check(
            self.low is None or self.high is None or self.low <= self.high,
            Words(
                ja=f"low は high 以下でなければなりません（指定された値：{self.low}、{self.high}）。",
                en=f"needs low ≤ high, not {self.low} and {self.high}",
            ),
        )
        if self.companions:
            self._check_correlated()

    def _check_correlated(self) -> None:
        # Sums of normal noise are normal, so one covariance describes it; of other kinds, and after bounds, none does.
        self._check(
            self.relative is not None and self.kind is numbers.NoiseKind.NORMAL,
            Words(
                ja="他の項目と合わせる場合は、relative と normal を指定してください。",
                en="with other columns is relative and normal",
            ),
        )
        self._check(
            self.low is None and self.high is None,
            Words(
                ja="他の項目と合わせる場合は、low と high を指定できません。",
                en="with other columns knows no low and high",
            ),
        )

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        # Labels that coding put among the numbers get no noise: they are bounds, not values.
        given = records.columns((column, *self.companions), self.NAME)
        kept = records.kept(column, *self.companions)
        if self.companions:
            assert self.relative is not None
            noisy = numbers.add_correlated_noise(
                given, relative=float(self.relative), draws=means.draws(), kept=kept
            )
            return self._done(records, *noisy)
        # A deviation taken from the data is processing-method information, like a bound found there.
        sd = self._deviation(given[0], kept)
        one = numbers.add_noise(
            given[0],
            kind=self.kind,
            sd=sd,
            draws=means.draws(),
            low=self.low,
            high=self.high,
            edge=self.edge,
            kept=kept,
        )
        return self._done(records, one, restricted={} if self.relative is None else {"sd": sd})

    def _deviation(self, given: Column, kept: frozenset[str]) -> float:
        if self.sd is not None:
            return float(self.sd)
        assert self.relative is not None
        return float(self.relative) * numbers.deviation(given, kept=kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class Microaggregate(Operation):
    """Groups of at least `k` persons, alike in the column and those it goes `with`, get their centre as value."""

    NAME: ClassVar[str] = "microaggregate"
    k: int
    centre: microaggregation.Centre = microaggregation.Centre.MEAN
    companions: tuple[str, ...] = ()

    def run(self, records: WorkingRecords, column: str, means: Means) -> tuple[WorkingRecords, Applied]:
        names = (column, *self.companions)
        made = microaggregation.microaggregate(
            records.columns(names, self.NAME),
            k=self.k,
            centre=self.centre,
            unit=records.unit,
            kept=records.kept(*names),
        )
        # How much was lost and by which method is public: neither tells where a group lies.
        figures: dict[str, Figure] = {
            "groups": made.groups,
            "smallest_group": made.smallest,
            "sse_by_sst": made.lost,
            "method": str(made.method),
            "blanked": made.blanked,
        }
        return self._done(records, *made.columns, figures=figures)
