"""A question in a plain sentence, in Japanese and English, for whoever was not there when it was asked.

Made from the question and the public schema alone; the canonical question says the same exactly. Refuses nothing.
"""

from collections.abc import Sequence
from datetime import date

from privacy.about import spoken
from privacy.groups import declared
from privacy.labels import labels_of, number_words, range_words, unit_words, value_words, with_unit
from privacy.query import All, Any, Compare, Derived, Key, Not, Order, Query, Scalar, Statistic, Where
from privacy.resolve import Resolver
from privacy.schema import Category, Column, Date, Number, Schema, day_number
from privacy.words import LANGUAGES, Language, Words

VALUES_MAX = 8
"""So many values of a list are named; of more it is said how many there are."""
TERMS_MAX = 8
LENGTH_MAX = 1_500

COUNTS = {
    "persons": Words(ja="人数", en="number of persons"),
    "rows": Words(ja="件数", en="number of rows"),
    "distinct": Words(ja="実人数", en="number of distinct persons"),
}
OF_COLUMN = {
    "sum": Words(ja="{column}の合計", en="sum of {column}"),
    "mean": Words(ja="{column}の平均", en="mean of {column}"),
    "variance": Words(ja="{column}の分散", en="variance of {column}"),
    "stddev": Words(ja="{column}の標準偏差", en="standard deviation of {column}"),
    "median": Words(ja="{column}の中央値", en="median of {column}"),
    "quantile": Words(ja="{column}の分位点（{q}）", en="quantiles of {column} ({q})"),
}
SHARE = Words(ja="「{numerator}」の割合", en="share of rows where {numerator}")
RATIO = Words(
    ja="「{denominator}」1 件当たりの「{numerator}」の件数",
    en="rows where {numerator} for each row where {denominator}",
)
SHARE_KEPT = Words(ja="上限を狭めても残る行の割合", en="share of rows that the narrower bound keeps")
CLAMPED = Words(ja="（{low}〜{high}に制限）", en=" (clamped to {low} – {high})")
CLAMPED_PERSON = Words(
    ja="（1 人の合計を {low}〜{high}に制限）", en=" (a person's sum clamped to {low} – {high})"
)
BY = {
    "year": Words(ja="{column}（年）", en="{column} (years)"),
    "fiscal_year": Words(ja="{column}（年度）", en="{column} (fiscal years)"),
    "quarter": Words(ja="{column}（四半期）", en="{column} (quarters)"),
    "month": Words(ja="{column}（月）", en="{column} (months)"),
}
COMPARED = {
    "=": Words(ja="{column}が{value}", en="{column} is {value}"),
    "!=": Words(ja="{column}が{value}以外", en="{column} is not {value}"),
    "<": Words(ja="{column}が{value}未満", en="{column} is below {value}"),
    "<=": Words(ja="{column}が{value}以下", en="{column} is at most {value}"),
    ">": Words(ja="{column}が{value}を超える", en="{column} is above {value}"),
    ">=": Words(ja="{column}が{value}以上", en="{column} is at least {value}"),
    "in": Words(ja="{column}が{value}のいずれか", en="{column} is one of {value}"),
    "between": Words(ja="{column}が{value}", en="{column} is {value}"),
    "is_missing": Words(ja="{column}が不明", en="{column} is missing"),
}
NOT = Words(ja="「{term}」でない", en="not ({term})")
EVERYBODY = Words(ja="すべて", en="everything")
NOBODY = Words(ja="該当なし", en="nothing")
MORE = Words(ja="ほか {number} 件", en="{number} more")
WHOLE_TABLE = Words(ja="全体の{statistics}", en="{statistics}, over all")
BY_KEYS = Words(ja="{keys}ごとの{statistics}", en="{statistics} by {keys}")
TABLES = Words(
    ja="{number} つの表（{tables}）の{statistics}", en="{statistics} in {number} tables ({tables})"
)
ABOUT = Words(ja="対象：{where}。", en=" For: {where}.")
TOTALS = Words(ja="合計の行を含む。", en=" With totals.")
BOUND = Words(ja="1 人につき {number} 行まで。", en=" At most {number} rows of each person.")
UNITS = Words(ja="{unit}数", en="number of {unit}")
CLAMPED_CELL = Words(ja="{label}は {low}〜{high}", en="{label} to {low} – {high}")
CLAMPED_CELLS = Words(ja="（{cells}に制限）", en=" (clamped: {cells})")
OTHERS = Words(ja="その他", en="all others")
OF_ITS_OWN = Words(ja="（対象：{where}）", en=" (for: {where})")
GROUPED = Words(ja="{column}（{groups}）", en="{column} ({groups})")
IN_GROUPS = Words(ja="グループ", en="groups")
DERIVED = Words(ja="{name} は {left} {op} {right} で計算。", en=" {name} is computed as {left} {op} {right}.")
SHARE_OF_TOTAL = Words(
    ja="{name} は {column} の合計に占める割合。", en=" {name} is the share of {column} in its total."
)
SHOWN_WHERE = Words(
    ja="公表値が「{where}」の行だけを表示。", en=" Shown: only rows where {where}, as released."
)
ORDERED = Words(ja="{columns}で並べ替え。", en=" Ordered by {columns}.")
ORDERED_BY = Words(ja="{column} の昇順", en="{column} ascending")
ORDERED_DOWN = Words(ja="{column} の降順", en="{column} descending")
LIMITED = Words(ja="先頭の {number} 行まで表示。", en=" Shown: the first {number} rows at most.")
RELEASED = {
    "=": Words(ja="{column} が {value}", en="{column} is {value}"),
    "!=": Words(ja="{column} が {value} 以外", en="{column} is not {value}"),
    "<": Words(ja="{column} が {value} 未満", en="{column} is below {value}"),
    "<=": Words(ja="{column} が {value} 以下", en="{column} is at most {value}"),
    ">": Words(ja="{column} が {value} を超える", en="{column} is above {value}"),
    ">=": Words(ja="{column} が {value} 以上", en="{column} is at least {value}"),
    "in": Words(ja="{column} が {value} のいずれか", en="{column} is one of {value}"),
    "between": Words(ja="{column} が {value} の間", en="{column} is between {value}"),
    "is_missing": Words(ja="{column} が空", en="{column} is empty"),
}
"""Comparisons of an answer's columns, which go by the names that the question gave them."""
WHOLE = Words(ja="0 以上の整数に調整。", en=" Moved to whole numbers of zero or more.")


def sentence(query: Query, schema: Schema) -> Words:
    """The question in words; cut off where it is longer than LENGTH_MAX characters."""
    ja, en = (_cut(_Speaker(schema, language, query.group_by).sentence(query)) for language in LANGUAGES)
    return Words(ja=ja, en=f"{en[0].upper()}{en[1:]}")


def statistic_words(statistic: Statistic, query: Query, schema: Schema) -> Words:
    """One statistic of a question in words, with its clamps and its own condition."""
    ja, en = (_cut(_Speaker(schema, language, query.group_by).statistic(statistic)) for language in LANGUAGES)
    return Words(ja=ja, en=en)


def _cut(text: str) -> str:
    return text if len(text) <= LENGTH_MAX else f"{text[: LENGTH_MAX - 1]}…"


class _Speaker:
    """Says parts of a question in one language."""

    def __init__(self, schema: Schema, language: Language, group_by: Sequence[Key]) -> None:
        self.schema, self.language, self.group_by = schema, language, group_by
        self.resolver = Resolver(schema)
        self.comma = "、" if language == "ja" else ", "

    def say(self, words: Words, **fields: object) -> str:
        return words.within(self.language).format(**fields)

    def sentence(self, query: Query) -> str:
        statistics = self.comma.join(self.statistic(statistic) for statistic in query.select)
        if query.tables:
            tables = "／".join(self.keys(table.group_by) for table in query.tables[:VALUES_MAX])
            text = self.say(TABLES, statistics=statistics, number=len(query.tables), tables=tables)
        elif query.group_by:
            text = self.say(BY_KEYS, statistics=statistics, keys=self.keys(query.group_by))
        else:
            text = self.say(WHOLE_TABLE, statistics=statistics)
        text += "。" if self.language == "ja" else "."
        if query.where is not None:
            text += self.say(ABOUT, where=self.where(query.where))
        if query.totals:
            text += self.say(TOTALS)
        if query.rows_per_person is not None:
            text += self.say(BOUND, number=query.rows_per_person)
        text += self.say(WHOLE) if query.whole else ""
        return text + self.shown(query)

    def shown(self, query: Query) -> str:
        """What is done with the released table."""
        text = "".join(self._derived(one) for one in query.derive[:TERMS_MAX])
        if query.having is not None:
            text += self.say(SHOWN_WHERE, where=self.where(query.having, released=True))
        if query.order_by:
            text += self.say(ORDERED, columns=self.comma.join(map(self._order, query.order_by)))
        return text + (self.say(LIMITED, number=query.limit) if query.limit is not None else "")

    def _derived(self, one: Derived) -> str:
        if one.share_of_total is not None:
            return self.say(SHARE_OF_TOTAL, name=one.name, column=one.share_of_total)
        sides = [side if isinstance(side, str) else number_words(side or 0) for side in (one.left, one.right)]
        return self.say(DERIVED, name=one.name, left=sides[0], op=one.op, right=sides[1])

    def _order(self, one: Order) -> str:
        return self.say(ORDERED_DOWN if one.descending else ORDERED_BY, column=one.column)

    def name(self, column: str) -> str:
        """What a column is called."""
        return spoken(self.schema.about.column(column).title, self.language, column)

    def column(self, name: str) -> Column:
        return self.resolver.columns[self.resolver.places[name]]

    # Statistics

    def statistic(self, statistic: Statistic) -> str:
        match statistic.agg:
            case "count":
                text = self.say(COUNTS["persons" if self.schema.rows_per_person == 1 else "rows"])
            case "count_persons":
                text = self.say(COUNTS["distinct"])
            case "share_kept":
                text = self.say(SHARE_KEPT)
            case "ratio":
                text = self._ratio(statistic)
            case "count_units":
                text = self.say(UNITS, unit=self._unit(statistic.unit or ""))
            case agg:
                assert statistic.column is not None
                shares = self.comma.join(map(str, statistic.q or ()))
                text = self.say(OF_COLUMN[agg], column=self.name(statistic.column), q=shares)
        for words, clamp in ((CLAMPED, statistic.clamp), (CLAMPED_PERSON, statistic.per_person_clamp)):
            if clamp is not None:
                text += self.say(words, **self._range(statistic, clamp))
        if statistic.clamps:
            text += self.say(CLAMPED_CELLS, cells=self._clamps(statistic))
        return text + (
            "" if statistic.where is None else self.say(OF_ITS_OWN, where=self.where(statistic.where))
        )

    def _unit(self, name: str) -> str:
        titles = (unit.title for unit in self.schema.units if unit.name == name)
        return spoken(next(titles, {}), self.language, name)

    def _range(self, statistic: Statistic, clamp: tuple[Scalar, Scalar]) -> dict[str, str]:
        """The ends of a clamp in words, the upper one with the column's unit: 0, 8,000,000円."""
        column = self.column(statistic.column or "")
        unit = unit_words(column, self.schema.about, self.language)
        low, high = (_literal(end) for end in clamp)
        return {"low": low, "high": with_unit(high, unit, self.language)}

    def _cells(self, labels: Sequence[str]) -> dict[str, str]:
        """What the cells that clamps name are called; the key that they belong to is the one that has them all."""
        for key in self.group_by:
            found = {
                "null" if label is None else str(label): words
                for label, words in labels_of(key, self.schema, self.language).items()
            }
            if found.keys() >= set(labels):
                return found
        return {}

    def _clamps(self, statistic: Statistic) -> str:
        clamps = statistic.clamps or ()
        cells = self._cells([label for label, _ in clamps if label != "*"]) | {"*": self.say(OTHERS)}
        said = [
            self.say(CLAMPED_CELL, label=cells.get(label, label), **self._range(statistic, clamp))
            for label, clamp in clamps[:VALUES_MAX]
        ]
        if len(clamps) > len(said):
            said.append(self.say(MORE, number=len(clamps) - len(said)))
        return self.comma.join(said)

    def _ratio(self, statistic: Statistic) -> str:
        assert statistic.numerator is not None
        numerator = self.where(statistic.numerator)
        if statistic.denominator is None:
            return self.say(SHARE, numerator=numerator)
        return self.say(RATIO, numerator=numerator, denominator=self.where(statistic.denominator))

    # Keys

    def keys(self, keys: Sequence[Key]) -> str:
        if not keys:
            return self.say(EVERYBODY)
        return ("・" if self.language == "ja" else " and ").join(map(self.key, keys))

    def key(self, key: Key) -> str:
        name = self.name(key.column)
        if key.by is not None:
            return self.say(BY[key.by], column=name)
        if key.groups is not None:
            return self.say(GROUPED, column=name, groups=self._groups(key))
        if key.bins is None:
            return name
        edges = [_literal(edge) for edge in key.bins[: VALUES_MAX + 1]]
        text = self.comma.join(edges) + (f"{self.comma}…" if len(key.bins) > len(edges) else "")
        return f"{name}（{text} で区切る）" if self.language == "ja" else f"{name} (cut at {text})"

    def _groups(self, key: Key) -> str:
        if isinstance(key.groups, tuple):
            labels = [group.label for group in key.groups]
        else:
            grouping = declared(self.column(key.column), key)
            labels = [self.say(IN_GROUPS)] if grouping is None else [*grouping.labels]
        more = len(labels) - VALUES_MAX
        shown = [*labels[:VALUES_MAX], *([self.say(MORE, number=more)] if more > 0 else [])]
        return self.comma.join(shown)

    # Conditions

    def where(self, where: Where, *, released: bool = False) -> str:
        """A condition on rows of the register, or on `released` rows of an answer."""
        match where:
            case Not(term):
                return self.say(NOT, term=self.where(term, released=released))
            case All(terms) | Any(terms):
                every = isinstance(where, All)
                if not terms:
                    return self.say(EVERYBODY if every else NOBODY)
                return self._joined(
                    [self._inner(term, released=released) for term in terms[:TERMS_MAX]],
                    len(terms),
                    every=every,
                )
            case Compare():
                return self._released(where) if released else self._comparison(where)

    def _released(self, compare: Compare) -> str:
        value = self.comma.join(map(_literal, compare.values[:VALUES_MAX]))
        return self.say(RELEASED[compare.op], column=compare.column, value=value)

    def _inner(self, term: Where, *, released: bool) -> str:
        """A term among others: in brackets where it has several itself."""
        several = isinstance(term, All | Any) and len(term.terms) > 1
        brackets = "（{}）" if self.language == "ja" else "({})"
        said = self.where(term, released=released)
        return brackets.format(said) if several else said

    def _joined(self, texts: list[str], terms: int, *, every: bool) -> str:
        if terms > len(texts):
            texts = [*texts, self.say(MORE, number=terms - len(texts))]
        if self.language == "ja":
            return ("、かつ" if every else "、または").join(texts)
        return (" and " if every else " or ").join(texts)

    def _comparison(self, compare: Compare) -> str:
        column = self.column(compare.column)
        name = self.name(compare.column)
        unit = unit_words(column, self.schema.about, self.language)
        if compare.op == "between":
            low, high = (_code(column, value) for value in compare.values)
            value = range_words(column, (low, high), unit, self.language)
        else:
            shown = [
                value_words(column, _code(column, value), unit, self.language)
                for value in compare.values[:VALUES_MAX]
            ]
            if len(compare.values) > len(shown):
                shown.append(self.say(MORE, number=len(compare.values) - len(shown)))
            value = self.comma.join(shown)
        return self.say(COMPARED[compare.op], column=name, value=value)


def _code(column: Column, value: Scalar) -> int:
    """The code of a literal that fits the column."""
    match column:
        case Category(values=values):
            return values.index(str(value))
        case Number(step=step):
            return int(value // step) if not isinstance(value, str) else 0
        case Date():
            return day_number(date.fromisoformat(str(value)))
        case _:
            return 0


def _literal(value: Scalar) -> str:
    return value if isinstance(value, str) else number_words(value)
