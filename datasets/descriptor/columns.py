"""Columns of a descriptor: what was declared about each becomes a value of the public schema, or a fault.

Content has the right structure already (`structure`); what a schema cannot say is checked here: values distinct,
bounds in order and on the step, sums that fit 64 bits.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

from datasets.descriptor.about import unit_of
from datasets.descriptor.groups import groupings
from datasets.descriptor.yamltext import Path_, Tree
from privacy.schema import AnyColumn, Category, Date, Number, Text, UndeclaredColumn, day_number
from privacy.statistics import largest_reach
from privacy.words import Words

RESERVED_NAME = "file_row_number"  # what DuckDB calls the place of a row in a Parquet file
CODE_MAX = 2**53  # beyond it neighbours share a float, and browsers read JSON numbers as floats
UNITS_DIGITS_MAX = 18
OPEN_LENGTH = 100

_NAME = re.compile(r"[^\W\d][\w-]{0,62}")


def check_name(tree: Tree, name: str, path: Path_, *, key: bool = True) -> None:
    """Note a fault where a column cannot have this name."""
    if unicodedata.normalize("NFC", name) != name:
        # Two spellings that look alike would be two columns, and only one of them is in the source.
        message = Words(
            ja="列名は Unicode の合成済みの形（NFC）で書きます",
            en="a column name is written in Unicode's composed form (NFC)",
        )
        tree.fault(path, message, key=key)
    elif not _NAME.fullmatch(name):
        message = Words(
            ja="列名は文字か _ で始まり、62 文字までの文字、数字、_、- が続きます",
            en="a column name is a letter or _, then up to 62 letters, digits, _ or -",
        )
        tree.fault(path, message, key=key)
    elif name.casefold() == RESERVED_NAME:
        message = Words(ja="サーバー自身が使う名前です", en="is a name that the server uses itself")
        tree.fault(path, message, key=key)


class ColumnReader:
    """Reads the declarations of one descriptor's columns; faults gather in the tree."""

    def __init__(self, tree: Tree, *, rows_per_person: int, may_be_open: bool) -> None:
        self.tree = tree
        self.rows_per_person = rows_per_person
        self.may_be_open = may_be_open

    def column(self, name: str, declared: dict[str, Any], path: Path_) -> AnyColumn:
        """The column that was declared at `path`."""
        faults = len(self.tree.faults)
        column = self._ungrouped(name, declared, path)
        # With faults the column's domain is a stand-in, and every value of a group would be found outside of it.
        if (
            "groups" not in declared
            or isinstance(column, Text | UndeclaredColumn)
            or len(self.tree.faults) > faults
        ):
            return column
        return replace(column, groupings=groupings(declared["groups"], column, self.tree, (*path, "groups")))

    def _ungrouped(self, name: str, declared: dict[str, Any], path: Path_) -> AnyColumn:
        match str(declared["type"]):
            case "category":
                return self._category(name, declared, path)
            case "date":
                return self._date(name, declared, path)
            case "text":
                return Text(name=name, role=str(declared.get("role", "identifier")))
            case "open":
                return self._open(name, declared, path)
            case _:
                number = self._number(name, declared, path)
                self._check_sums_fit(number, path)
                return number

    def _category(self, name: str, declared: dict[str, Any], path: Path_) -> Category:
        values = tuple(map(str, declared["values"]))
        places: dict[str, int] = {}
        for place, value in enumerate(values):
            first = places.setdefault(value, place)
            if first != place:
                message = Words(ja=f"{first + 1} 番目の値と同じです", en=f"is the same as value {first + 1}")
                self.tree.fault((*path, "values", place), message)
        # The structure allows any number of labels; only here it is known how many values there are.
        labels = {language: tuple(map(str, words)) for language, words in declared.get("labels", {}).items()}
        for language, words in labels.items():
            if len(words) != len(values):
                message = Words(
                    ja=f"値が {len(values)} 個に対してラベルが {len(words)} 個です",
                    en=f"has {len(words)} labels for {len(values)} values",
                )
                self.tree.fault((*path, "labels", language), message)
        return Category(
            name=name,
            values=values,
            labels=labels,
            other=self._other(declared, values, path),
            missing_allowed="missing" in declared,
            constant_per_person=is_constant(declared),
        )

    def _open(self, name: str, declared: dict[str, Any], path: Path_) -> UndeclaredColumn:
        """A column of undeclared values: naming them costs δ, so the owner must have set some aside."""
        if not self.may_be_open:
            message = Words(
                ja=(
                    "open には privacy に measure: zcdp と delta_per_query と delta_cap が必要です"
                    "（宣言していない値を示すと δ を消費するため）。または type: category で値を宣言してください"
                ),
                en=(
                    "open needs measure: zcdp, and delta_per_query and delta_cap under privacy, since naming "
                    "undeclared values costs δ; or declare the values, with type: category"
                ),
            )
            self.tree.fault((*path, "type"), message)
        length = int(declared.get("max_length", OPEN_LENGTH))
        return UndeclaredColumn(name=name, length_max=length, constant_per_person=is_constant(declared))

    def _other(self, declared: dict[str, Any], values: tuple[str, ...], path: Path_) -> str | None:
        other = declared.get("other")
        if other is None or (other.plain and other == "false"):
            return None
        if other not in values:
            message = Words(
                ja="値のいずれか、または false でなければなりません", en="must be one of the values, or false"
            )
            self.tree.fault((*path, "other"), message)
        return str(other)

    def _number(self, name: str, declared: dict[str, Any], path: Path_) -> Number:
        step = Decimal(declared.get("step", "1"))
        low, high = self._steps("min", declared, step, path), self._steps("max", declared, step, path)
        # A step of zero has its own fault and makes both bounds zero.
        if low >= high and step > 0:
            message = Words(ja="min より大きくなければなりません", en="must be above min")
            self.tree.fault((*path, "max"), message)
        return Number(
            name=name,
            low=low,
            high=high,
            step=step.normalize() if step == 0 else plain(step),
            unit=unit_of(declared),
            kind="integer" if declared["type"] == "integer" else "decimal",
            missing_allowed="missing" in declared,
            constant_per_person=is_constant(declared),
        )

    def _steps(self, key: str, declared: dict[str, Any], step: Decimal, path: Path_) -> int:
        """A bound as a whole number of steps."""
        if step <= 0:
            if key == "min":  # once, though both bounds come here
                message = Words(ja="0 より大きくなければなりません", en="must be above zero")
                self.tree.fault((*path, "step"), message)
            return 0
        # Whole numbers of the step's last decimal: 0.1 and 0.25 have no exact floats, these are exact.
        units = 10 ** decimals_of(step)
        bound = Decimal(declared[key]).scaleb(decimals_of(step))
        whole = int(step.scaleb(decimals_of(step)))
        if (fault := _bound_fault(bound, units, whole, plain(step))) is not None:
            self.tree.fault((*path, key), fault)
        return int(bound) // whole

    def _check_sums_fit(self, column: Number, path: Path_) -> None:
        """Refuse a column whose noisy sum could leave 64 bits; see `largest_reach`."""
        reach = max(abs(column.low), abs(column.high), column.high - column.low)
        allowed = largest_reach(self.rows_per_person)
        if reach > allowed:
            message = Words(
                ja=f"合計が 64 ビットを超え得ます。step を大きくするか範囲を狭めてください（{allowed:,} ステップまで）",
                en=f"sums could exceed 64 bits: use a larger step or narrower bounds (at most {allowed:,} steps)",
            )
            self.tree.fault(path, message, key=True)

    def _date(self, name: str, declared: dict[str, Any], path: Path_) -> Date:
        low, high = self._day("min", declared, path), self._day("max", declared, path)
        if low is not None and high is not None and low >= high:
            self.tree.fault(
                (*path, "max"), Words(ja="min より後の日付にしてください", en="must be after min")
            )
        return Date(
            name=name,
            low=low or 0,
            high=high or 0,
            missing_allowed="missing" in declared,
            constant_per_person=is_constant(declared),
        )

    def _day(self, key: str, declared: dict[str, Any], path: Path_) -> int | None:
        try:
            return day_number(date.fromisoformat(declared[key]))
        except ValueError:
            message = Words(ja="暦にない日付です", en="is not a day of the calendar")
            self.tree.fault((*path, key), message)
            return None


def is_constant(declared: Mapping[str, Any]) -> bool:
    """Whether a declaration says that all rows of a person have one value of the column."""
    return declared.get("constant_per_person") == "true"


def _bound_fault(bound: Decimal, units: int, whole: int, step: Decimal) -> Words | None:
    """What is wrong with a bound of `bound` last decimals where a step has `whole` of them, if anything."""
    if bound % 1 or int(bound) % whole:
        return Words(
            ja=f"step {step} の整数倍ではありません", en=f"is not a whole multiple of the step {step}"
        )
    if abs(bound) >= 10**UNITS_DIGITS_MAX or units * whole >= 10 ** (2 * UNITS_DIGITS_MAX):
        return Words(
            ja=f"step の精度で {UNITS_DIGITS_MAX} 桁を超えます",
            en=f"has more than {UNITS_DIGITS_MAX} digits at the step's precision",
        )
    if abs(int(bound) // whole) > CODE_MAX:
        return Words(ja="0 から 2^53 ステップを超えて離れています", en="is more than 2^53 steps from zero")
    return None


def decimals_of(step: Decimal) -> int:
    """How many decimals a step has, trailing zeros aside."""
    exponent = plain(step).as_tuple().exponent
    assert isinstance(exponent, int)
    return -exponent


def plain(step: Decimal) -> Decimal:
    """The number without trailing decimals and without an exponent: 0.10 → 0.1, 1E+3 → 1000."""
    whole = step.to_integral_value()
    return whole.quantize(Decimal(1)) if step == whole else step.normalize()
