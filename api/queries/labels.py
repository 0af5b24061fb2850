"""An answer with the words of its keys beside them. Everything else stays as it is told without.

The words are those of the dataset's version that was asked, so an answer reads alike for ever.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from api.http import wire
from api.queries.schemas import QuerySchema, WorkloadSchema, to_query
from datasets.queries.answer import Answer
from privacy.answer import AnswerTable
from privacy.labels import labels_of
from privacy.query import Key, Query
from privacy.result_columns import AnswerColumn
from privacy.schema import Label, Schema
from privacy.words import Language


@dataclass(frozen=True, kw_only=True)
class LabelledAnswer:
    """An answer whose table has been given labels."""

    answer: Answer
    table: AnswerTable

    @cached_property
    def body(self) -> bytes:
        """The answer as JSON; notes and postprocessing as they are kept."""
        told = self.answer.members
        rest = json.dumps({name: told[name] for name in ("postprocessing", "notes")}, ensure_ascii=False)
        return self.answer.head + f"{self.table.data_json()}, {rest[1:]}".encode()

    @property
    def members(self) -> Mapping[str, Any]:
        return self.answer.members

    @property
    def question(self) -> str | None:
        return self.answer.question


def query_of(question: str) -> Query:
    """The query that a kept question asks, also one that is kept as it was sent. Raises InvalidQuery."""
    body = wire.parse(question.encode())
    return to_query((WorkloadSchema if "tables" in body else QuerySchema)().load(body))


def labelled(answer: Answer, query: Query, schema: Schema, language: Language) -> LabelledAnswer:
    """The answer with a column of labels after each key; `schema` is that of the version asked."""
    keys = {key.column: key for key in query.group_by}
    for table in query.tables:
        # Tables cut a column alike, but one may add a cell for missing that another has not.
        for key in table.group_by:
            before = keys.get(key.column, key)
            keys[key.column] = replace(key, missing=key.missing or before.missing)
    columns = tuple(_with_labels(answer.table, keys, schema, language))
    return LabelledAnswer(answer=answer, table=replace(answer.table, columns=columns))


def _with_labels(
    table: AnswerTable, keys: Mapping[str, Key], schema: Schema, language: Language
) -> Iterator[AnswerColumn]:
    names = {column.name for column in table.columns}
    for column in table.columns:
        yield column
        # The name of a workload's table is a key, too, but of no column: whoever asked gave it.
        if column.role != "key" or column.name not in keys:
            continue
        words = labels_of(keys[column.name], schema, language, total=column.about.get("total"))
        name = f"{column.name}_label"
        # A statistic may be called that.
        while name in names:
            name += "_"
        names.add(name)
        shown: list[Label] = [words.get(value, value) for value in column.values]
        about = {"of": column.name, "language": language} | _undeclared(column)
        yield AnswerColumn(name=name, role="label", values=shown, about=about)


def _undeclared(column: AnswerColumn) -> dict[str, bool]:
    return {"undeclared": True} if column.about.get("undeclared") else {}
