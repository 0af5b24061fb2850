"""What a format of answers is, and what it needs of an answer."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from privacy.answer import AnswerTable


class RenderableAnswer(Protocol):
    """An answer that is written or read only as far as a format asks for it."""

    @property
    def body(self) -> bytes:
        """The answer as JSON, byte for byte as it is kept."""
        ...

    @property
    def table(self) -> AnswerTable:
        """Its table."""
        ...

    @property
    def members(self) -> Mapping[str, Any]:
        """The members of the JSON answer except its question and the table's columns and rows."""
        ...

    @property
    def question(self) -> str | None:
        """The canonical question as JSON text; None in answers of versions that did not tell it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFormat:
    """A rendering of answers. Identified by `media_type`; `content_type` may add parameters to it.

    `schema` describes the rendered body for OpenAPI; None where the view's own response schema does. `suffix` is that
    of a file's name, None where answers are rather read by programs than saved.
    """

    media_type: str
    content_type: str
    schema: Mapping[str, Any] | None
    render: Callable[[RenderableAnswer], bytes]
    suffix: str | None = None
