"""What a format of answers is."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerFormat:
    """A rendering of JSON answers. Identified by `media_type`; `content_type` may add parameters to it.

    `schema` describes the rendered body for OpenAPI; None where the view's own response schema does.
    """

    media_type: str
    content_type: str
    schema: Mapping[str, Any] | None
    render: Callable[[bytes], bytes]
