"""Fields of requests: strict where marshmallow is lenient, and refusing with codes of the catalogue, not words.

Each field says what it would have taken, so that a refusal names the place, the reason and the remedy in the
reader's language. What a shape cannot say, whether a column exists or a value lies in its domain, is decided by
`privacy.plan`.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any, ClassVar, Self

from marshmallow import RAISE, Schema, ValidationError, fields, validate

from api.http.wire import Unreadable, at, escaped, quoted
from privacy.budget import InvalidAmount, Price
from privacy.nearest import nearest
from privacy.query import Problem, Scalar

ERRORS_MAX = 50
"""So many of the faults of a request are told."""

SCALAR = {"anyOf": [{"type": "string"}, {"type": "number"}]}
AMOUNT = {
    "anyOf": [
        {"type": "string", "pattern": r"^[0-9]{1,7}(\.[0-9]{1,9})?$"},
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000},
    ]
}
WHOLE_MAX = 10**15
WEIGHT_MAX = 10**9


class FieldFault(str):
    """A code of the catalogue, as marshmallow's message; `expected` is what would have been taken there."""

    expected: str | None
    nearest: str | None

    def __new__(cls, code: str, expected: str | None = None, nearest: str | None = None) -> Self:
        """A code, what was expected in a form that needs no translation, and what was probably meant."""
        # marshmallow carries messages through unchanged as long as they are text, so a fault is a kind of text.
        made = super().__new__(cls, code)
        made.expected, made.nearest = expected, nearest
        return made


def unknown_member(name: object, known: Sequence[str]) -> FieldFault:
    """The fault of a member that nobody knows, beside those that are known."""
    return FieldFault("unknown_field", ", ".join(known), nearest(name, known))


class Pointer(str):
    """A relative JSON Pointer as the key of a message; any other key is a member's name."""


class Strict(Schema):
    """A JSON object with no members but the declared ones.

    Of the members in `exactly_one` a caller gives one; `beside` names the member that goes with some of them, and with
    no other. The description says so from here; whoever reads the loaded value enforces it, because only there is it
    known whether an empty value counts as given.
    """

    exactly_one: ClassVar[tuple[str, ...]] = ()
    beside: ClassVar[Mapping[str, str]] = {}
    error_messages = {"unknown": "unknown_field", "type": "not_an_object"}  # noqa: RUF012

    class Meta:
        unknown = RAISE

    def handle_error(self, error: ValidationError, data: Any, *, many: bool, **_: Any) -> None:
        """Say of an unknown member which ones are known, in the order in which they are described."""
        if isinstance(error.messages, dict):
            for name, messages in error.messages.items():
                if messages == ["unknown_field"]:
                    error.messages[name] = [unknown_member(name, self.members())]

    def members(self) -> tuple[str, ...]:
        """The members that are taken, as callers write them."""
        return tuple(str(field.data_key or name) for name, field in self.load_fields.items())


class ExpectingValidator:
    """Makes the refusal of another validator a fault that says what was expected.

    Subclasses stay instances of marshmallow's validators, from which the description reads limits.
    """

    fault: FieldFault

    def __call__(self, value: Any) -> Any:
        """The value, or a ValidationError with the one fault."""
        try:
            return super().__call__(value)  # type: ignore[misc]
        except ValidationError:
            raise ValidationError(self.fault) from None


class LengthBetween(ExpectingValidator, validate.Length):
    """A length of `least` to `most`."""

    def __init__(self, *, least: int | None = None, most: int) -> None:
        super().__init__(min=least, max=most)
        self.fault = FieldFault("wrong_length", span(least or 0, most))


class NumberBetween(ExpectingValidator, validate.Range):
    """A number of `least` to `most`, refused like a number that cannot be read at all."""

    def __init__(self, *, least: int, most: int) -> None:
        super().__init__(least, most)
        self.fault = FieldFault("not_an_integer", span(least, most))


class OneOfWords(ExpectingValidator, validate.OneOf):
    """One of a closed list of words."""

    def __init__(self, words: tuple[str, ...]) -> None:
        super().__init__(words)
        self.fault = FieldFault("not_one_of", ", ".join(words))


def span(least: int, most: int) -> str:
    """Two limits as text that is read alike in every language."""
    return str(most) if least == most else f"{least} … {most}"


def is_scalar(value: Any) -> bool:
    """Whether a parsed JSON value is a literal of the query language."""
    # bool is an int to Python, but true is no number to whoever writes JSON.
    return not isinstance(value, bool) and isinstance(value, str | int | Decimal)


class CodedField(fields.Field[Any]):
    """A field whose messages are codes."""

    default_error_messages = {  # noqa: RUF012
        "required": "required",
        "null": "null",
        "validator_failed": "not_one_of",
        "invalid": "not_text",
    }


class TextField(CodedField, fields.String):
    """Text without NUL."""

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> str:
        # PostgreSQL cannot hold NUL in text, and fails with an error of its own where it meets one.
        if isinstance(value, str) and "\0" in value:
            raise ValidationError("not_text")
        text: str = super()._deserialize(value, *args, **options)
        return text


class FlagField(CodedField):
    """true or false, and nothing that merely looks like it."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> bool:
        if not isinstance(value, bool):
            raise ValidationError("not_a_boolean")
        return value


class ScalarField(CodedField):
    """A literal of the query language: text, or a number in plain notation."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Scalar:
        if not is_scalar(value):
            raise ValidationError("not_scalar")
        scalar: Scalar = value
        return scalar


class AmountField(CodedField):
    """A positive decimal with at most nine decimals, as text or number."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> Price:
        if isinstance(value, bool | Unreadable) or not is_scalar(value):
            raise ValidationError("not_an_amount")
        try:
            # str() of a small Decimal has an exponent, which amounts do not.
            return Price.parse(f"{value:f}" if isinstance(value, Decimal) else str(value))
        except InvalidAmount:
            raise ValidationError("not_an_amount") from None


class ChoiceField(TextField):
    """One of a closed list of words."""

    def __init__(self, words: tuple[str, ...], **options: Any) -> None:
        super().__init__(validate=OneOfWords(words), **options)
        self.words = words


class ItemsField(CodedField, fields.List[Any]):
    """A list of limited length."""

    default_error_messages = {"invalid": "not_a_list"}  # noqa: RUF012

    def __init__(self, inner: Any, *, least: int, most: int, **options: Any) -> None:
        super().__init__(inner, validate=LengthBetween(least=least, most=most), **options)

    def _deserialize(self, value: Any, attr: Any, data: Any, **options: Any) -> list[Any]:
        if not isinstance(value, list):
            raise ValidationError(FieldFault("not_a_list", f"[{self._item(value)}]"))
        # marshmallow looks at the length last; a list of a million items is not worth a look at each.
        self._validate(value)
        return super()._deserialize(value, attr, data, **options)

    def _item(self, value: Any) -> str:
        """An item that stands where a list of them should, as it would be written in one."""
        inner = self.inner
        return inner.meant(value) if isinstance(inner, NamedPartField) else quoted(value)


class PartField(CodedField, fields.Nested):
    """A nested object."""

    default_error_messages = {"type": "not_an_object"}  # noqa: RUF012


class NamedPartField(PartField):
    """A nested object that people are tempted to write as the text of its one needed member: {"column": "age"}."""

    def __init__(self, nested: type[Schema], *, member: str, **options: Any) -> None:
        super().__init__(nested, **options)
        self.member = member

    def _deserialize(self, value: Any, *args: Any, **options: Any) -> Any:
        if isinstance(value, str):
            raise ValidationError(FieldFault("not_an_object:text", self.meant(value)))
        return super()._deserialize(value, *args, **options)

    def meant(self, value: Any) -> str:
        """The object that was meant, as it is written."""
        text = quoted(value)
        return f"{{{quoted(self.member)}: {text}}}" if isinstance(value, str) else text


class WholeField(CodedField):
    """A whole number written as one."""

    default_error_messages = {"invalid": "not_a_whole_number"}  # noqa: RUF012

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> int:
        if isinstance(value, bool) or not isinstance(value, int) or abs(value) > WHOLE_MAX:
            raise ValidationError("not_a_whole_number")
        return value


class SeveralField(CodedField):
    """One literal or a list of them."""

    def __init__(self, *, most: int, **options: Any) -> None:
        super().__init__(**options)
        self.most = most

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> tuple[Scalar, ...]:
        values = value if isinstance(value, list) else [value]
        if not 1 <= len(values) <= self.most:
            raise ValidationError(FieldFault("wrong_length", span(1, self.most)))
        faults = {}
        for place, one in enumerate(values):
            if not is_scalar(one):
                # A single literal stands at the member itself, not at its place 0.
                faults[Pointer(f"/{place}" if isinstance(value, list) else "")] = ["not_scalar"]
        if faults:
            raise ValidationError(faults)
        return tuple(values)


class WeightsField(CodedField):
    """How the price is shared: numbers by statistic."""

    def _deserialize(self, value: Any, *_: Any, **__: Any) -> dict[str, Fraction]:
        if not isinstance(value, dict):
            raise ValidationError("not_an_object")
        # A statistic has one weight; names of no statistic are told one by one.
        if len(value) > ERRORS_MAX:
            raise ValidationError(FieldFault("wrong_length", span(0, ERRORS_MAX)))
        faults = {
            Pointer(f"/{escaped(name)}"): ["not_an_amount"]
            for name, weight in value.items()
            if isinstance(weight, str) or not is_scalar(weight) or abs(Fraction(weight)) > WEIGHT_MAX
        }
        if faults:
            raise ValidationError(faults)
        return {name: Fraction(weight) for name, weight in value.items()}


def problems(messages: Any, body: Any, pointer: str = "") -> list[Problem]:
    """marshmallow's nested messages as a list of problems with JSON Pointers, quoting what was sent.

    At least the first ERRORS_MAX, which are all that is told.
    """
    if isinstance(messages, list):
        return [_problem(message, pointer, at(body, pointer)) for message in messages]
    found: list[Problem] = []
    # marshmallow finds unknown members in the order of a set, which differs from process to process.
    for name, inner in sorted(
        messages.items(), key=lambda item: (item[1] == ["unknown_field"], _unknown(item))
    ):
        # There may be as many as a body has members, each with a place of its own to be written.
        if len(found) >= ERRORS_MAX:
            break
        key = str(name)
        if key == "_schema":
            found += problems(inner, body, pointer)
        else:
            # A field that looks inside of its value gives pointers; schemas and lists give names and places.
            place = f"{pointer}{key}" if isinstance(name, Pointer) else f"{pointer}/{escaped(key)}"
            found += problems(inner, body, place)
    return found


def _unknown(item: tuple[Any, Any]) -> str:
    """What unknown members are sorted by; the others stay in the order of their schema."""
    return str(item[0]) if item[1] == ["unknown_field"] else ""


def _problem(message: Any, pointer: str, given: Any) -> Problem:
    # Of a member that nobody knows the name is the fault, not the value.
    if message == "unknown_field":
        given = pointer.rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    if not isinstance(message, FieldFault):
        return Problem(pointer=pointer, reason=str(message), given=given)
    return Problem(
        pointer=pointer,
        reason=str(message),
        given=given,
        expected=message.expected,
        nearest=message.nearest,
    )
