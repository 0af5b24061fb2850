"""Forms that people bring from SQL and from libraries of statistics, refused by name with the nearest accepted form.

A form that the rules of privacy allow has another name here; one that they do not allow is refused for what it would
tell, an extreme one person's value, a list of rows all of them, and the nearest that they allow is named.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from marshmallow import ValidationError

from api.http.fields import ChoiceField, FieldFault, ItemsField, Pointer

_EXTREMES = ("max", "maximum", "min", "minimum", "range", "first", "last", "any_value", "top1", "extremes")
_DISTINCT = (
    "count_distinct",
    "distinct",
    "distinct_count",
    "countdistinct",
    "nunique",
    "n_distinct",
    "unique",
)
_MODES = ("mode", "top", "top_n", "topn", "most_common", "value_counts", "most_frequent")
_ROWS = (
    "list",
    "array_agg",
    "string_agg",
    "group_concat",
    "values",
    "rows",
    "raw",
    "collect",
    "sample",
    "*",
    "all",
)
_NAMES: Mapping[str, tuple[str, ...]] = {
    '{"agg": "mean"}': ("avg", "average", "arithmetic_mean"),
    '{"agg": "sum"}': ("total", "add", "summe"),
    '{"agg": "count"}': (
        "n",
        "size",
        "length",
        "number",
        "count(*)",
        "count_rows",
        "histogram",
        "hist",
        "freq",
    ),
    '{"agg": "count_persons"}': ("persons", "people", "count_people"),
    '{"agg": "stddev"}': ("std", "sd", "stdev", "stddev_pop", "std_dev", "standard_deviation", "sigma"),
    '{"agg": "variance"}': ("var", "var_pop", "variance_pop"),
    '{"agg": "median"}': ("med", "p50", "q50", "q2"),
    '{"agg": "quantile", "q": [0.25, 0.5, 0.75]}': ("quartile", "quartiles", "q1", "q3", "iqr"),
    '{"agg": "quantile", "q": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]}': ("decile", "deciles"),
    '{"agg": "quantile", "q": 0.9}': ("percentile", "percentiles", "percentile_cont", "quantiles", "ntile"),
    '{"agg": "ratio", "numerator": {"column": "age", "op": ">=", "value": 65}}': (
        *("share", "proportion", "percent", "percentage", "rate", "fraction"),
    ),
}
_NAMED = {name: form for form, names in _NAMES.items() for name in names}
_PERCENT = re.compile(r"(?:p|q|pct|perc|percentile|quantile)_?(\d{1,2}(?:\.\d{1,2})?)", re.ASCII)
_TERM = re.compile(
    r"\s*(\w+)\s*(>=|<=|<>|!=|==|=|>|<)\s*('[^']*'|\"[^\"]*\"|-?\d{1,20}(?:\.\d{1,10})?)\s*", re.ASCII
)
_SQL = re.compile(r"\s*(select|with|from|describe|show|insert|update|delete|drop|explain)\b", re.IGNORECASE)
SQL_MEMBERS = ("sql", "query", "statement", "q")
EXAMPLE = '{"select": [{"agg": "count"}], "group_by": [{"column": "sex"}], "budget": {"epsilon": "0.1"}}'


def aggregate_fault(given: str, known: tuple[str, ...]) -> FieldFault | None:
    """Why an aggregate of this name is refused, and what is nearest to it; None where nothing is known to be near."""
    name = re.sub(r"[\s-]+", "_", given.strip().lower())
    if name in known:
        return FieldFault("not_one_of:called_otherwise", json.dumps({"agg": name}))
    if name in _EXTREMES:
        return FieldFault(
            "not_one_of:tells_one_person", '{"agg": "quantile", "q": 0.01}, {"agg": "quantile", "q": 0.99}'
        )
    if name in _DISTINCT:
        return FieldFault(
            "not_one_of:tells_which_values", '{"agg": "count_persons"}, {"agg": "count"} + "group_by"'
        )
    if name in _MODES:
        return FieldFault("not_one_of:called_otherwise", '{"agg": "count"} + "group_by", "order_by", "limit"')
    if name in _ROWS:
        return FieldFault("not_one_of:tells_rows", '{"agg": "count"} + "group_by"')
    if percent := _PERCENT.fullmatch(name):
        return FieldFault(
            "not_one_of:called_otherwise", f'{{"agg": "quantile", "q": {_share_text(percent[1])}}}'
        )
    return FieldFault("not_one_of:called_otherwise", _NAMED[name]) if name in _NAMED else None


def _share_text(percent: str) -> str:
    """99.5 as 0.995."""
    whole, _, rest = percent.partition(".")
    return f"0.{whole.zfill(2)}{rest}".rstrip("0").ljust(3, "0")


class AggregateField(ChoiceField):
    """The name of an aggregate; names that other tools use are refused with the nearest of ours."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        name = super()._deserialize(value, *args, **options)
        fault = aggregate_fault(name, self.words) if name not in self.words else None
        if fault is not None:
            raise ValidationError(fault)
        return name


class SelectField(ItemsField):
    """The statistics of a question; text in their place is refused with the form of one."""

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        if isinstance(value, str):
            raise ValidationError(FieldFault("not_a_list:select_text", f"[{_selected(value)}]"))
        if isinstance(value, list) and any(isinstance(one, str) for one in value):
            raise ValidationError(
                {
                    Pointer(f"/{place}"): [FieldFault("not_an_object:select_text", _selected(one))]
                    for place, one in enumerate(value)
                    if isinstance(one, str)
                }
            )
        return super()._deserialize(value, attr, data, **options)


_CALL = re.compile(
    r"\s*(count|sum|mean|avg|average|median|variance|stddev|std)\s*\(\s*(\w*|\*)\s*\)\s*", re.IGNORECASE
)


def _selected(text: str) -> str:
    """The accepted form of `SUM(income)`, or of a count."""
    call = _CALL.fullmatch(text)
    if call is None or call[1].lower() == "count" or not call[2].strip("*"):
        return '{"agg": "count"}'
    ours = {"avg": "mean", "average": "mean", "std": "stddev"}
    name = call[1].lower()
    return json.dumps({"agg": ours.get(name, name), "column": call[2]}, ensure_ascii=False)


def condition_in(text: str) -> str:
    """The accepted form of a condition in text, where it is one comparison; else an example."""
    found = _TERM.fullmatch(text)
    if found is None:
        return '{"all": [{"column": "age", "op": ">=", "value": 20}, {"column": "sex", "op": "=", "value": "female"}]}'
    column, op, value = found.groups()
    written = json.dumps(value[1:-1], ensure_ascii=False) if value[0] in "'\"" else value
    op = {"==": "=", "<>": "!="}.get(op, op)
    return f'{{"column": "{column}", "op": "{op}", "value": {written}}}'


def refuse_sql(body: Any) -> None:
    """Raise ValidationError where a question is SQL text, by itself or in a member."""
    if isinstance(body, str):
        raise ValidationError(FieldFault("not_an_object:sql_text", EXAMPLE))
    if not isinstance(body, Mapping):
        return
    for name in (*SQL_MEMBERS, "select"):
        if isinstance(text := body.get(name), str) and _SQL.match(text):
            reason = "not_a_list:sql_text" if name == "select" else "unknown_field:sql_text"
            raise ValidationError({name: [FieldFault(reason, EXAMPLE)]})
