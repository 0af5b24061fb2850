"""Hints name edits of the request; a reader gets them as a JSON merge patch (RFC 7396) of what was sent.

Made from the request's own JSON, so that whatever else it says, in whatever way, stays as it was written.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

REMOVED = object()


def with_changes(notes: Sequence[Mapping[str, Any]], body: Any) -> list[dict[str, Any]]:
    """The notes with `change` in place of `edits`; without either where the request is no JSON object."""
    found = []
    for note in notes:
        told = {name: value for name, value in note.items() if name != "edits"}
        if "edits" in note and isinstance(body, dict):
            told["change"] = merge_patch(body, note["edits"])
        found.append(told)
    return found


def merge_patch(body: Mapping[str, Any], edits: Sequence[Sequence[Any]]) -> dict[str, Any]:
    """A merge patch that puts values at JSON Pointers of an object; None takes a member or an item away.

    A merge patch replaces an array as a whole, so one that is touched is written out with its changes.
    """
    patch: dict[str, Any] = {}
    for pointer, value in edits:
        top, *inner = pointer.removeprefix("/").split("/")
        if not inner:
            patch[top] = value
        elif isinstance(body.get(top), list):
            _put(patch.setdefault(top, plain(body[top])), inner, REMOVED if value is None else value)
        else:
            _put(patch.setdefault(top, {}), inner, value)
    return {name: _without_removed(value) for name, value in patch.items()}


def _put(target: Any, path: Sequence[str], value: Any) -> None:
    for step in path[:-1]:
        target = target[int(step)] if isinstance(target, list) else target.setdefault(step, {})
    if isinstance(target, list):
        # Items are numbered as they were sent, so none may go before all edits are made.
        target[int(path[-1])] = value
    else:
        target[path[-1]] = value


def _without_removed(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_removed(item) for item in value if item is not REMOVED]
    if isinstance(value, dict):
        return {name: _without_removed(member) for name, member in value.items() if member is not REMOVED}
    return value


def plain(value: Any) -> Any:
    """A parsed request as JSON that can be written: its decimals as numbers, in copies."""
    if isinstance(value, dict):
        return {name: plain(member) for name, member in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    return value
