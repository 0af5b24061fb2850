"""Groups of a key: `{label: [values]}`, a declared name, or true → values of `privacy.query`, with every fault found.

A hand-written reader: the labels are the caller's own, and marshmallow would lose the place of a fault under them.
"""

from typing import Any

from marshmallow import ValidationError

from api.http.fields import SCALAR, CodedField, FieldFault, Pointer, is_scalar, span
from api.http.wire import escaped
from privacy import query as q
from privacy.groups import GROUPS_MAX, MEMBERS_MAX

_RANGE = {
    "type": "object",
    "additionalProperties": False,
    "required": ["from", "to"],
    "properties": {"from": SCALAR, "to": SCALAR},
}
GROUPS_SCHEMA: dict[str, Any] = {
    "description": "Groups of declared values that are counted as one: by label the values, or ranges with both ends; "
    "or the name of groups that the dataset declares; or true for its only ones.",
    "anyOf": [
        {
            "type": "object",
            "minProperties": 1,
            "maxProperties": GROUPS_MAX,
            "additionalProperties": {
                "anyOf": [
                    {
                        "type": "array",
                        "items": {"anyOf": [*SCALAR["anyOf"], _RANGE]},
                        "minItems": 1,
                        "maxItems": MEMBERS_MAX,
                    },
                    _RANGE,
                ]
            },
        },
        {"type": "string"},
        {"type": "boolean", "enum": [True]},
    ],
}


class GroupsField(CodedField):
    """Groups, loaded as what `privacy.query.Key.groups` holds."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[q.Group, ...] | str | bool:
        if isinstance(value, str) or value is True:
            return value
        if not isinstance(value, dict):
            raise ValidationError("not_groups")
        # Before any of them is looked at: a body may hold a hundred thousand.
        if not 1 <= len(value) <= GROUPS_MAX:
            raise ValidationError(FieldFault("wrong_length", span(1, GROUPS_MAX)))
        if sum(len(members) for members in value.values() if isinstance(members, list)) > MEMBERS_MAX:
            raise ValidationError(FieldFault("wrong_length", span(1, MEMBERS_MAX)))
        faults: dict[str, list[str]] = {}
        groups = tuple(
            q.Group(label, _members(members, f"/{escaped(label)}", faults))
            for label, members in value.items()
        )
        if faults:
            raise ValidationError(faults)
        return groups


def _members(value: Any, pointer: str, faults: dict[str, list[str]]) -> tuple[q.Scalar | q.Span, ...]:
    """The values and ranges of one group; faults are noted by their place."""
    if not isinstance(value, list | dict):
        faults[Pointer(pointer)] = ["not_a_group"]
        return ()
    found: list[q.Scalar | q.Span] = []
    for place, member in enumerate(value if isinstance(value, list) else [value]):
        here = f"{pointer}/{place}" if isinstance(value, list) else pointer
        if isinstance(member, dict):
            if set(member) == {"from", "to"} and all(map(is_scalar, member.values())):
                found.append(q.Span(member["from"], member["to"]))
                continue
            faults[Pointer(here)] = ["not_a_group"]
        elif is_scalar(member):
            found.append(member)
        else:
            faults[Pointer(here)] = ["not_scalar"]
    return tuple(found)
