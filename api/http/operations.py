"""What a view says of itself: what it refuses, in which formats it answers, which headers and parameters it takes.

Decorators write it onto the view, and each decorator that refuses something itself adds that. The description is
generated from here, and the checks before a view runs look here too, so the two cannot differ.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from flask import current_app, request

from api.formats.base import AnswerFormat
from api.formats.registry import preferred
from api.http.problems import RequestRefused

View = TypeVar("View", bound=Callable[..., Any])
# A database may be gone, and a fault of ours come up, wherever one asks.
ANYWHERE = ("internal", "unavailable")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiOperation:
    """One operation. `roles` are those that may call it; None says that it needs no key.

    `headers` are parameter objects of OpenAPI; `reads_query` is true where it has parameters in the address.
    """

    refusals: frozenset[str] = frozenset(ANYWHERE)
    roles: tuple[str, ...] | None = None
    formats: tuple[AnswerFormat, ...] = ()
    headers: tuple[Mapping[str, Any], ...] = ()
    reads_query: bool = False


def operation_of(view: Callable[..., Any]) -> ApiOperation:
    """What a view says of itself."""
    found: ApiOperation = getattr(view, "operation", ApiOperation())
    return found


def declare(view: View, *, refuses: tuple[str, ...] = (), **members: Any) -> View:
    """Add refusals to a view's operation and set other members of it."""
    before = operation_of(view)
    # functools.wraps copies the attribute to whatever decorates the view later, so it is replaced, never changed.
    view.operation = replace(before, refusals=before.refusals.union(refuses), **members)  # type: ignore[attr-defined]
    return view


def refuses(*codes: str) -> Callable[[View], View]:
    """Say which problems of the catalogue a view answers with, besides those of its other decorators."""

    def mark(view: View) -> View:
        return declare(view, refuses=codes)

    return mark


def formats(*given: AnswerFormat) -> Callable[[View], View]:
    """Say in which formats a view answers, its favourite first; the view asks `answer_format` for the one."""

    def mark(view: View) -> View:
        return declare(view, refuses=("not_acceptable",), formats=given)

    return mark


def takes_header(header: Mapping[str, Any]) -> Callable[[View], View]:
    """Say that a view reads a header, as a parameter object of OpenAPI."""

    def mark(view: View) -> View:
        return declare(view, headers=(*operation_of(view).headers, header))

    return mark


def answer_format() -> AnswerFormat:
    """The format that the reader prefers, of those that the view of this request gives."""
    # Looked up by the route, so that a view cannot answer in a format that it did not declare.
    given = operation_of(current_app.view_functions[request.endpoint or ""]).formats
    chosen = preferred(request.accept_mimetypes, given)
    if chosen is None:
        raise RequestRefused("not_acceptable", expected=", ".join(form.media_type for form in given))
    return chosen
