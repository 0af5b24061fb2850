"""Declared groups of a column's values: one grouping, or several by name, as codes of the column; or faults.

One grouping is `{label: [values]}` and is called "groups"; several are `{name: {label: [values]}}`. A group is a list
of values and ranges, or one range `{from: 0, to: 4}` with both ends.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from datasets.descriptor.yamltext import DECIMAL, Path_, Tree, shown
from privacy import filters
from privacy.filters import Interval
from privacy.groups import GROUPS_MAX, LABEL_MAX, MEMBERS_MAX, is_label, overlaps, shown_code
from privacy.resolve import domain_text
from privacy.schema import Category, Date, Grouping, Number, day_number
from privacy.words import Words

ONLY = "groups"
"""What the one grouping without a name is called."""

Grouped = Category | Number | Date


def groupings(content: Mapping[str, Any], column: Grouped, tree: Tree, path: Path_) -> tuple[Grouping, ...]:
    """The groupings declared under `path`; faults gather in the tree."""
    return tuple(_Reader(column, tree).read(content, path))


def _is_group(value: Any) -> bool:
    return isinstance(value, list) or _is_range(value)


def _is_range(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and set(value) == {"from", "to"}
        and all(isinstance(end, str) for end in value.values())
    )


class _Reader:
    """Reads the groups of one column."""

    def __init__(self, column: Grouped, tree: Tree) -> None:
        self.column, self.tree = column, tree
        self.codes: dict[str, int] = {}
        if isinstance(column, Category):
            self.codes = {value: code for code, value in enumerate(column.values)}

    def read(self, content: Mapping[str, Any], path: Path_) -> Iterator[Grouping]:
        if all(map(_is_group, content.values())):
            yield self._grouping(ONLY, content, path)
            return
        for name, groups in content.items():
            here = (*path, name)
            self._check_label(name, here)
            if isinstance(groups, dict) and groups and all(map(_is_group, groups.values())):
                yield self._grouping(name, groups, here)
            else:
                self.tree.fault(
                    here,
                    Words(
                        ja="{ラベル: [値, …]} か {ラベル: {from: 0, to: 4}} の形で、空でないグループを書きます",
                        en="must be groups such as {label: [values]} or {label: {from: 0, to: 4}}, at least one",
                    ),
                )

    def _grouping(self, name: str, groups: Mapping[str, Any], path: Path_) -> Grouping:
        labels, found = list(groups), []
        if len(groups) > GROUPS_MAX or sum(map(len, groups.values())) > MEMBERS_MAX:
            message = Words(
                ja=f"グループは {GROUPS_MAX:,} 個、値と範囲は {MEMBERS_MAX:,} 個までです",
                en=f"may have at most {GROUPS_MAX:,} groups and {MEMBERS_MAX:,} values and ranges",
            )
            self.tree.fault(path, message)
            return Grouping(name=name, labels=(), intervals=())
        for label, members in groups.items():
            here = (*path, label)
            self._check_label(label, here)
            if isinstance(members, list):
                if not members:
                    self.tree.fault(here, Words(ja="値が一つもありません", en="holds no value"))
                intervals = [self._interval(one, (*here, place)) for place, one in enumerate(members)]
            else:
                intervals = [self._interval(members, here)]
            found.append(filters.union(one for one in intervals if one is not None))
        for first, second, code in overlaps(found):
            text = shown_code(self.column, code)
            message = Words(
                ja=f"{text} はグループ {labels[first]} にも入っています",
                en=f"holds {text}, which is in the group {labels[first]} as well",
            )
            self.tree.fault((*path, labels[second]), message)
        return Grouping(name=name, labels=tuple(labels), intervals=tuple(found))

    def _check_label(self, label: str, path: Path_) -> None:
        if not is_label(label):
            message = Words(
                ja=f"名前は、前後に空白のない、目に見える {LABEL_MAX} 文字以内の 1 行で書きます",
                en=f"a name is one visible line of at most {LABEL_MAX} characters, without spaces around it",
            )
            self.tree.fault(path, message, key=True)

    def _interval(self, member: Any, path: Path_) -> Interval | None:
        if isinstance(member, str):
            code = self._code(member, path)
            return None if code is None else (code, code)
        if not _is_range(member):
            message = Words(
                ja="値、または {from: 0, to: 4} の形で書きます",
                en="must be a value, or a range such as {from: 0, to: 4}",
            )
            self.tree.fault(path, message)
            return None
        if isinstance(self.column, Category):
            message = Words(
                ja="範囲は順序のある列だけで使えます。値を一つずつ書いてください",
                en="is a range, which needs a column with an order: list the values",
            )
            self.tree.fault(path, message)
            return None
        low, high = self._code(member["from"], (*path, "from")), self._code(member["to"], (*path, "to"))
        if low is None or high is None:
            return None
        if low > high:
            message = Words(ja="from 以上でなければなりません", en="must not be below from")
            self.tree.fault((*path, "to"), message)
            return None
        return low, high

    def _code(self, text: str, path: Path_) -> int | None:
        """The code of a declared value; None, and a fault, for any other."""
        code = self._code_of(text)
        if code is None or not self.column.low <= code <= self.column.high:
            known = domain_text(self.column)
            message = Words(
                ja=f"{shown(text)} は宣言された値ではありません（宣言：{known}）",
                en=f"{shown(text)} is not a declared value; declared: {known}",
            )
            self.tree.fault(path, message)
            return None
        return code

    def _code_of(self, text: str) -> int | None:
        match self.column:
            case Category():
                return self.codes.get(text)
            case Date():
                try:
                    return day_number(date.fromisoformat(text)) if len(text) == len("2026-04-01") else None
                except ValueError:
                    return None
            case Number(step=step):
                if not DECIMAL.fullmatch(text) or step <= 0:
                    return None
                steps = Decimal(text) / step
                return (
                    int(steps)
                    if steps == steps.to_integral_value() and steps * step == Decimal(text)
                    else None
                )
