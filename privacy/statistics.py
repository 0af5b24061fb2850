"""A selected statistic, checked against the schema: what is measured for it, or why it does not fit. Reads no data."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from typing import TypeAlias

from privacy import filters
from privacy.aggregates import Mean, Plain, Ratio, Share, Variance
from privacy.exact import ExactAggregate
from privacy.filters import Filter
from privacy.partition_selection import UndeclaredValueCount
from privacy.quantiles import Quantiles, bins_max, draws_max, plan_bins, plan_method
from privacy.query import AGGREGATES, Problem, Scalar, Statistic
from privacy.reachable import CellRange, ReachableRows
from privacy.resolve import Resolver, domain_text
from privacy.schema import Category, Date, Number, Schema, UndeclaredColumn
from privacy.units import UnitCount

AnyEstimator: TypeAlias = Plain | Mean | Variance | Share | Ratio | Quantiles | UndeclaredValueCount
"""What is measured for a statistic."""

QUANTILES_MAX = 99
BINS_MIN = 16
"""With fewer bins, where the domain has more codes than that, a quantile would say next to nothing."""

QUANTILE_DECIMALS_MAX = 4
ROW_CAPACITY = 2**33
NOISE_SCALES = 2**10
SCALE_PER_PRICE = 10**6
INT64_MAX = 2**63 - 1

_COLUMN, _CLAMP = "column", "clamp"
MEMBERS: dict[str, tuple[str, ...]] = {
    "count": (),
    "count_persons": (),
    "count_units": ("unit",),
    "sum": (_COLUMN, _CLAMP, "per_person_clamp"),
    "mean": (_COLUMN, _CLAMP),
    "variance": (_COLUMN, _CLAMP),
    "stddev": (_COLUMN, _CLAMP),
    "median": (_COLUMN, _CLAMP, "value_bounds"),
    "quantile": (_COLUMN, _CLAMP, "q", "value_bounds"),
    "ratio": ("numerator", "denominator"),
    "share_kept": (),
}
"""Which members each aggregate takes."""


def largest_reach(rows_per_person: int) -> int:
    """The most that one row may add to a sum, in whole steps, so that no noisy sum leaves 64 bits.

    Of a number column that is max(|low|, |high|, high - low), which the descriptor holds against this. A dataset
    has at most 2^33 rows, so its exact sum is at most 2^33 reaches. One person moves a sum by at most
    rows_per_person reaches, and the smallest price of a draw is 10^-6 ε, so a noise scale is at most
    rows_per_person * reach * 10^6; beyond 2^10 scales discrete Laplace noise has probability e^-1024. Exact
    sum and noise together must stay below 2^63, so that no addition can saturate.

    Under zCDP the smallest price is 10^-6 ρ, and both the standard deviation of Gaussian noise,
    rows_per_person * reach * sqrt(1 / 2ρ), and the scale of Laplace noise, rows_per_person * reach / sqrt(2ρ),
    are at most 708 rows_per_person * reach: far below 10^6, so the same rule serves both measures.
    """
    return INT64_MAX // (ROW_CAPACITY + NOISE_SCALES * rows_per_person * SCALE_PER_PRICE)


class StatisticReader:
    """Reads the statistics of one query: a table of `cells` cells, at most `rows` rows a person.

    `reachable` are the rows that can count at all.
    """

    def __init__(
        self, schema: Schema, resolver: Resolver, *, rows: int, cells: int, reachable: ReachableRows
    ) -> None:
        self.schema, self.resolver, self.rows, self.cells = schema, resolver, rows, cells
        self.reachable = reachable

    def estimator(self, statistic: Statistic, pointer: str) -> AnyEstimator | None:
        """What a statistic measures; None, and problems noted, if it does not fit."""
        if statistic.agg not in AGGREGATES:
            self.resolver.refuse(f"{pointer}/agg", "unknown_aggregate", statistic.agg, ", ".join(AGGREGATES))
            return None
        self._refuse_strange_members(statistic, pointer)
        match statistic.agg:
            case "count":
                # One row a person: rows are persons, and no engine needs to count distinct ones.
                unit = "persons" if self.rows == 1 else "rows"
                return Plain(key="count", exact=ExactAggregate(kind="rows"), rows=self.rows, unit=unit)
            case "count_persons":
                exact = ExactAggregate(kind="rows" if self.rows == 1 else "persons")
                ranges = ((0, 0, self.reachable.cells()),) if self.rows > 1 else None
                return Plain(key="count_persons", exact=exact, rows=self.rows, unit="persons", ranges=ranges)
            case "count_units":
                return self._unit_count(statistic, pointer)
            case "share_kept":
                return self._share_kept(statistic, pointer)
            case "ratio":
                return self._ratio(statistic, pointer)
            case _:
                return self._of_column(statistic, pointer)

    def undeclared_count(
        self, statistic: Statistic, column: int, pointer: str
    ) -> UndeclaredValueCount | None:
        """What is counted by the values of an undeclared column."""
        if statistic.agg not in ("count", "count_persons"):
            self.resolver.refuse(f"{pointer}/agg", "only_counts_open", statistic.agg)
            return None
        self._refuse_strange_members(statistic, pointer)
        persons = statistic.agg == "count_persons" or self.rows == 1
        delta = self.schema.delta_per_query
        assert delta is not None, "the descriptor sees to that"
        return UndeclaredValueCount(
            key=statistic.agg,
            column=column,
            rows=self.rows,
            persons=persons,
            delta=delta,
            unit="persons" if persons else "rows",
            constant=self.schema.queryable[column].constant_per_person,
        )

    def _refuse_strange_members(self, statistic: Statistic, pointer: str) -> None:
        for members in MEMBERS.values():
            for member in members:
                known = member in MEMBERS[statistic.agg]
                # A member that has no effect is a misunderstanding, and its price would be paid all the same.
                if not known and getattr(statistic, member) is not None:
                    problem = Problem(
                        pointer=f"{pointer}/{member}", reason="takes_no_member", given=statistic.agg
                    )
                    if problem not in self.resolver.problems:
                        self.resolver.problems.append(problem)

    def _unit_count(self, statistic: Statistic, pointer: str) -> UnitCount | None:
        names = [unit.name for unit in self.schema.units]
        if not names:
            # Nor has any version that was registered before its descriptor declared one: the file has no numbers.
            self.resolver.refuse(f"{pointer}/agg", "no_units", statistic.agg)
            return None
        if statistic.unit is None:
            self.resolver.refuse(f"{pointer}/unit", "required", expected=", ".join(names))
            return None
        if statistic.unit not in names:
            self.resolver.refuse(f"{pointer}/unit", "unknown_unit", statistic.unit, ", ".join(names))
            return None
        place = names.index(statistic.unit)
        return UnitCount(
            key=f"count_units({statistic.unit})",
            exact=ExactAggregate(kind="units", column=place),
            rows=self.rows,
            unit=statistic.unit,
            constant=self.schema.units[place].constant_per_person,
        )

    def _share_kept(self, statistic: Statistic, pointer: str) -> Share | None:
        # Without a narrower bound every row is kept: the answer is 1 and not worth a price.
        if self.rows == self.schema.rows_per_person:
            self.resolver.refuse(f"{pointer}/agg", "needs_narrower_bound", statistic.agg)
            return None
        return Share(
            key="share_kept",
            # The rows that the narrower bound leaves out are counted too, so the dataset's bound is the sensitivity.
            rows=self.schema.rows_per_person,
            some=ExactAggregate(kind="rows"),
            all=ExactAggregate(kind="rows", all_rows=True),
            components=("kept", "left_out"),
            kept=self.rows,
        )

    def _ratio(self, statistic: Statistic, pointer: str) -> Share | Ratio | None:
        if statistic.numerator is None:
            self.resolver.refuse(f"{pointer}/numerator", "required")
            return None
        above = self.resolver.where(statistic.numerator, f"{pointer}/numerator")
        name = f"ratio({filters.canonical_text(above)}"
        if statistic.denominator is None:
            some = ExactAggregate(kind="rows", where=above)
            return Share(key=f"{name})", rows=self.rows, some=some, all=ExactAggregate(kind="rows"))
        below = self.resolver.where(statistic.denominator, f"{pointer}/denominator")
        return Ratio(
            key=f"{name}/{filters.canonical_text(below)})",
            rows=self.rows,
            numerator=_rows(above),
            both=_rows(filters.every([above, below])),
            denominator=_rows(below),
        )

    def _of_column(self, statistic: Statistic, pointer: str) -> AnyEstimator | None:
        if statistic.column is None:
            self.resolver.refuse(f"{pointer}/column", "column_needed", statistic.agg)
            return None
        place = self.resolver.place(statistic.column, f"{pointer}/column")
        if place is None:
            return None
        column = self.resolver.columns[place]
        ordered = statistic.agg in ("median", "quantile")
        if isinstance(column, Category | UndeclaredColumn) or (isinstance(column, Date) and not ordered):
            self.resolver.refuse(f"{pointer}/column", "not_numeric", statistic.column)
            return None
        bounds = self._clamp(statistic.clamp, column, f"{pointer}/clamp")
        if bounds is None:
            return None
        if ordered:
            return self._quantiles(statistic, place, column, bounds, pointer)
        assert isinstance(column, Number)
        return self._of_number(statistic, place, column, bounds, pointer)

    def _in_reach(self, place: int, bounds: tuple[int, int]) -> tuple[int, int]:
        """The part of a clamp that a row can reach: clamped to it, every row that counts keeps its clamped code.

        So the exact integers are those of the whole clamp, and the engine itself sees to the bounds that the
        sensitivity is made of. The whole clamp where no row can count: its exact integers are 0 whatever the clamp.
        """
        column = self.resolver.columns[place]
        found = self.reachable.codes(place, (column.low, column.high))
        return bounds if found is None else (_clamped(found[0], bounds), _clamped(found[1], bounds))

    def _span_in_reach(self, place: int, bounds: tuple[int, int]) -> tuple[int, int]:
        """`_in_reach` with two codes at least: there is no distance between the ends of one."""
        low, high = self._in_reach(place, bounds)
        if low < high:
            return low, high
        return (low, low + 1) if low < bounds[1] else (low - 1, low)

    def _of_number(
        self, statistic: Statistic, place: int, column: Number, bounds: tuple[int, int], pointer: str
    ) -> AnyEstimator | None:
        # The canonical text names what is asked, not what the caller called it: replays find answers by it.
        key = f"{statistic.agg}({column.name},{bounds[0]},{bounds[1]})"
        if statistic.agg == "sum":
            return self._sum(statistic, place, column, bounds, pointer)
        low, high = self._span_in_reach(place, bounds)
        if statistic.agg == "mean":
            return Mean(
                key=key, column=place, rows=self.rows, low=low, high=high, unit=column.unit, step=column.step
            )
        root = statistic.agg == "stddev"
        squared = f"{column.unit}²" if column.unit else None
        return Variance(
            key=key,
            column=place,
            rows=self.rows,
            low=low,
            high=high,
            grid=_grid(high - low, self.rows),
            root=root,
            unit=column.unit if root else squared,
            step=column.step,
        )

    def _sum(
        self, statistic: Statistic, place: int, column: Number, bounds: tuple[int, int], pointer: str
    ) -> Plain | None:
        low, high = self._in_reach(place, bounds)
        exact = ExactAggregate(kind="total", column=place, low=low, high=high)
        key, ranges = f"sum({column.name},{bounds[0]},{bounds[1]})", None
        if statistic.per_person_clamp is not None:
            person = self._person_clamp(statistic.per_person_clamp, column, f"{pointer}/per_person_clamp")
            if person is None:
                return None
            key = f"sum({column.name},{bounds[0]},{bounds[1]},{person[0]},{person[1]})"
            if self.rows == 1:
                # A person's only row is the person's total, so two clamps in a row are one.
                bounds = _clamped(bounds[0], person), _clamped(bounds[1], person)
                if bounds[0] == bounds[1]:
                    self.resolver.refuse(f"{pointer}/per_person_clamp", "apart", domain_text(column))
                    return None
                low, high = self._in_reach(place, bounds)
                exact = replace(exact, low=low, high=high)
            else:
                exact = replace(exact, kind="person_total", person_low=person[0], person_high=person[1])
                ranges = self._ranges(place, column, bounds)
        # Neighbours differ by a whole person, who adds a value and not its distance from a bound.
        reach = max(abs(low), abs(high))
        return Plain(
            key=key,
            exact=exact,
            rows=self.rows,
            reach=reach,
            unit=column.unit,
            step=column.step,
            ranges=ranges,
        )

    def _ranges(self, place: int, column: Number, bounds: tuple[int, int]) -> tuple[CellRange, ...]:
        """The cells in reach by the clamped codes that a row can hold there."""
        found: Counter[tuple[int, int]] = Counter()
        for low, high, cells in self.reachable.ranges(place, (column.low, column.high)):
            found[_clamped(low, bounds), _clamped(high, bounds)] += cells
        return tuple((*ends, cells) for ends, cells in sorted(found.items()))

    def _person_clamp(
        self, clamp: tuple[Scalar, Scalar], column: Number, pointer: str
    ) -> tuple[int, int] | None:
        """Bounds of a person's whole sum: any numbers, since many rows may add up beyond the domain."""
        codes = [self.resolver.steps(column, end, f"{pointer}/{place}") for place, end in enumerate(clamp)]
        low, high = codes
        if low is None or high is None:
            return None
        # No total of a person's rows is larger: a wider clamp would only cost sensitivity.
        widest = largest_reach(self.rows) * self.rows
        if low >= high or max(abs(low), abs(high)) > widest:
            reason = "not_ascending" if low >= high else "outside_domain"
            step = column.step
            self.resolver.refuse(pointer, reason, list(clamp), f"{-widest * step} … {widest * step}")
            return None
        return low, high

    def _quantiles(
        self,
        statistic: Statistic,
        place: int,
        column: Number | Date,
        bounds: tuple[int, int],
        pointer: str,
    ) -> Quantiles | None:
        qs = self._qs(statistic, f"{pointer}/q")
        if qs is None:
            return None
        low, high = self._span_in_reach(place, bounds)
        ends = statistic.value_bounds is True
        draws = len(qs) * (3 if ends else 1)
        # So few bins would say next to nothing; fewer cells leave more bins to each.
        enough, most = min(BINS_MIN, high - low + 1), bins_max(self.cells, draws)
        width = plan_bins(low, high, most) if most >= enough else 0
        bins = (high - low) // width + 1 if width else 0
        if bins < enough:
            most_draws = draws_max(low, high, enough)
            self.resolver.refuse("/group_by", "too_many_cells", self.cells * draws, most_draws)
            return None
        method = plan_method(bins, qs, self.schema.measure, value_bounds=ends)
        shown = ",".join(str(q) for q in qs)
        return Quantiles(
            key=f"quantile({column.name},{bounds[0]},{bounds[1]},{shown}{',bounds' if ends else ''})",
            column=place,
            rows=self.rows,
            low=low,
            high=high,
            width=width,
            qs=qs,
            value_bounds=ends,
            branching=method.branching,
            by_splits=method.by_splits,
            unit=column.unit if isinstance(column, Number) else None,
            step=column.step if isinstance(column, Number) else Decimal(1),
            dates=isinstance(column, Date),
        )

    def _qs(self, statistic: Statistic, pointer: str) -> tuple[Fraction, ...] | None:
        """The quantiles asked for, ascending and distinct."""
        if statistic.agg == "median":
            return (Fraction(1, 2),)
        if statistic.q is None:
            self.resolver.refuse(pointer, "required")
            return None
        found: list[Fraction] = []
        several = len(statistic.q) > 1
        for place, value in enumerate(statistic.q):
            here = f"{pointer}/{place}" if several else pointer
            if isinstance(value, str):
                self.resolver.refuse_text(here, value)
            elif not 0 <= value <= 1:
                self.resolver.refuse(here, "outside_domain", value, "0 … 1")
            # Scores are scaled by the denominator of q: with four decimals they stay inside int64.
            elif (Fraction(value) * 10**QUANTILE_DECIMALS_MAX).denominator != 1:
                self.resolver.refuse(here, "off_step", value, str(Decimal(1).scaleb(-QUANTILE_DECIMALS_MAX)))
            elif found and Fraction(value) <= found[-1]:
                self.resolver.refuse(pointer, "not_ascending", list(statistic.q))
            else:
                found.append(Fraction(value))
        return tuple(found) if len(found) == len(statistic.q) else None

    def _clamp(
        self, clamp: tuple[Scalar, Scalar] | None, column: Number | Date, pointer: str
    ) -> tuple[int, int] | None:
        if clamp is None:
            return column.low, column.high
        low, high = (self.resolver.code(column, end, f"{pointer}/{place}") for place, end in enumerate(clamp))
        if low is None or high is None:
            return None
        if low >= high:
            self.resolver.refuse(pointer, "not_ascending", list(clamp), domain_text(column))
            return None
        return low, high


def _clamped(code: int, bounds: tuple[int, int]) -> int:
    return min(max(code, bounds[0]), bounds[1])


def _rows(where: Filter) -> ExactAggregate:
    return ExactAggregate(kind="rows", where=where)


def _grid(span: int, rows: int) -> int:
    """The finest grid on which the square of the span still fits."""
    # Coarser distances above the lower clamp, by doubling: their squares must obey the rule of 64 bits as values do.
    # A grid of the whole span leaves a distance of 1, so the doubling ends there.
    for grid in (1 << power for power in range(span.bit_length() + 1)):
        if ((span + grid // 2) // grid) ** 2 <= largest_reach(rows):
            return grid
    raise ValueError("so many rows a person leave room for no square")


def value_names(statistic: Statistic) -> tuple[str, ...]:
    """The names of the values that a statistic brings: several quantiles have one each, as p90_q99_5."""
    if statistic.agg != "quantile" or statistic.q is None or len(statistic.q) == 1:
        return (statistic.name,)
    return tuple(f"{statistic.name}_{quantile_name(q)}" for q in statistic.q)


def quantile_name(q: Scalar | Fraction) -> str:
    """0.975 as q97_5."""
    if isinstance(q, str):
        return "q"
    percent = Decimal(Fraction(q).numerator * 100) / Decimal(Fraction(q).denominator)
    return "q" + re.sub(r"\W", "_", f"{percent.normalize():f}")


def component_names(statistic: Statistic, estimator: AnyEstimator | None) -> Sequence[str]:
    """The names of the raw columns: the noisy sums that an estimate is made of."""
    if estimator is None or isinstance(estimator, Plain | Quantiles | UndeclaredValueCount):
        return ()
    return tuple(f"{statistic.name}_{name}" for name in estimator.components)
