"""Keyset paging: a page of a list, and where the next one begins. Knows no page numbers and counts no rows.

A page begins after a row's own name, so rows that arrive meanwhile neither repeat nor hide others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from marshmallow import ValidationError, fields, post_load

from api.http.answers import ExtensibleSchema
from api.http.fields import CodedField, FieldFault, LengthBetween, NumberBetween, Strict, TextField, span

LIMIT_DEFAULT, LIMIT_MAX = 50, 200
DIGITS_MAX = 9
AFTER_LENGTH_MAX = 100  # lineage:number of the journal has up to 82
Row = TypeVar("Row")


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[Row]):
    """The rows of a page, and the `after` of the page behind it; None where there is none."""

    rows: Sequence[Row]
    next: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest:
    """Which page is asked for: at most `limit` rows after the row named `after`."""

    limit: int
    after: str | None

    @property
    def rows_wanted(self) -> int:
        """How many rows to look for: one more than is shown says whether a page lies behind, without counting."""
        return self.limit + 1

    def cut(self, found: Sequence[Row], name: Callable[[Row], str]) -> Page[Row]:
        """The page of up to `rows_wanted` rows that were found; `name` is what a row is called in `after`."""
        shown = found[: self.limit]
        return Page(rows=shown, next=name(shown[-1]) if len(found) > self.limit else None)


class PageLengthField(CodedField, fields.Integer):
    """A whole number in plain ASCII digits, as it stands in an address."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        # int() takes "１２", "1_0" and " 1 ", and endless digits take quadratic time.
        if not (isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= DIGITS_MAX):
            raise ValidationError(FieldFault("not_an_integer", span(1, LIMIT_MAX)))
        return int(value)


class PageSchema(Strict):
    """The query string of a list: `after` is the `next` of the page before. Loads a PageRequest."""

    limit = PageLengthField(load_default=LIMIT_DEFAULT, validate=NumberBetween(least=1, most=LIMIT_MAX))
    after = TextField(validate=LengthBetween(least=1, most=AFTER_LENGTH_MAX))

    @post_load
    def _request(self, loaded: dict[str, Any], **_: Any) -> PageRequest:
        return PageRequest(limit=loaded["limit"], after=loaded.get("after"))


class PagedSchema(ExtensibleSchema):
    """An answer with a page of `items`; `next` is null on the last one."""

    next = fields.String(required=True, allow_none=True)
