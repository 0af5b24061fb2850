"""Which page of whose answers is asked for."""

from dataclasses import dataclass
from typing import Any

from marshmallow import post_load

from api.http.fields import LengthBetween, TextField
from api.http.paging import PageRequest, PageSchema

NAME_LENGTH_MAX = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRequest(PageRequest):
    """A page of the answers of `user`; of the caller's own where it is None."""

    user: str | None


class HistoryPageSchema(PageSchema):
    """The query string of a list of answers: `user` is an auditor's alone. Loads a HistoryRequest."""

    user = TextField(validate=LengthBetween(least=1, most=NAME_LENGTH_MAX))

    @post_load
    def _request(self, loaded: dict[str, Any], **_: Any) -> HistoryRequest:
        return HistoryRequest(limit=loaded["limit"], after=loaded.get("after"), user=loaded.get("user"))
