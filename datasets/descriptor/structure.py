"""The structure of a descriptor, as `docs/descriptor.schema.json` describes it. Knows no meaning of any value.

Scalars are still text here, so JSON Schema's types are taught to look at the text instead. A `description` of the
schema completes the sentence "must be …", its `x-description-ja` the Japanese one.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, ValidationError
from jsonschema.protocols import Validator
from jsonschema.validators import extend

from datasets.descriptor.yamltext import (
    BOOLEANS,
    DECIMAL,
    FAULTS_MAX,
    INTEGER,
    Tree,
    YamlScalar,
    is_plain,
    shown,
)
from privacy.nearest import nearest
from privacy.words import LANGUAGES, Words

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "descriptor.schema.json"
SPOKEN = f"^({'|'.join(LANGUAGES)})$"
"""The pattern of the schema for keys that are languages of the server."""
_TYPES = {
    "array": Words(ja="リスト", en="a list"),
    "object": Words(ja="マッピング", en="a mapping"),
    "integer": Words(ja="整数", en="a whole number"),
    "string": Words(ja="文字列", en="text"),
    "number": Words(ja="数", en="number"),
    "null": Words(ja="null", en="null"),
}


def check_structure(content: Any, tree: Tree) -> None:
    """Note in the tree whatever the schema does not allow, up to FAULTS_MAX faults."""
    errors: Iterator[Any] = _validator().iter_errors(content)
    # Cut off here and not only when they are shown: a list of 10,000 bad values has as many errors.
    for error in islice(errors, FAULTS_MAX):
        path = tuple(error.absolute_path)
        if error.validator == "additionalProperties":
            for key in _unknown_keys(error):
                tree.fault((*path, key), _unknown_key_message(key, error.schema), key=True)
        elif error.validator == "required":
            for key in error.validator_value:
                # jsonschema reports each missing key by itself; the message is all that says which one.
                if key not in error.instance and f"{key!r} is a required" in error.message:
                    tree.fault(path, Words(ja=f"キー {key!r} がありません", en=f"the key {key!r} is missing"))
        else:
            tree.fault(path, _message(error), key=error.validator == "propertyNames")


@cache
def _validator() -> Validator:
    """The schema's validator, taught that scalars are text with a look."""
    types = Draft202012Validator.TYPE_CHECKER.redefine_many(
        {
            "string": lambda _, value: isinstance(value, YamlScalar),
            "null": lambda _, value: isinstance(value, YamlScalar) and value.is_null,
            "boolean": lambda _, value: isinstance(value, YamlScalar) and value.plain and value in BOOLEANS,
            "integer": lambda _, value: is_plain(value, INTEGER),
            "number": lambda _, value: is_plain(value, DECIMAL),
        }
    )
    checks = {"minimum": _bounded("minimum"), "maximum": _bounded("maximum"), "enum": _one_of}
    schema = json.loads(SCHEMA_FILE.read_text("utf-8"))
    # The schema itself stays plain JSON Schema, for editors that complete and check while people type.
    taught: Validator = extend(Draft202012Validator, validators=checks, type_checker=types)(schema)
    return taught


def _bounded(limit_name: str) -> Any:
    """`minimum` and `maximum` for numbers that are still text."""

    def check(_validator: Validator, limit: int, value: Any, _schema: Any) -> Iterator[ValidationError]:
        if isinstance(value, YamlScalar) and DECIMAL.fullmatch(value):
            number = Decimal(value)
            if (limit_name == "minimum" and number < limit) or (limit_name == "maximum" and number > limit):
                yield ValidationError("out of range")

    return check


def _one_of(
    _validator: Validator, allowed: Sequence[Any], value: Any, _schema: Any
) -> Iterator[ValidationError]:
    # `null` written without quotes is text here, and None in the schema.
    is_null = isinstance(value, YamlScalar) and value.is_null
    if not (value in allowed or (is_null and None in allowed)):
        yield ValidationError("not one of the allowed values")


def _unknown_keys(error: Any) -> list[str]:
    known = error.schema.get("properties", {})
    patterns = error.schema.get("patternProperties", {})
    return [
        key for key in error.instance if key not in known and not any(re.search(p, key) for p in patterns)
    ]


def _unknown_key_message(key: str, schema: Mapping[str, Any]) -> Words:
    # Only lists of words by language have patterned keys; some name each language that they take.
    if "patternProperties" in schema and SPOKEN in schema["patternProperties"]:
        languages = ", ".join(LANGUAGES)
        return Words(
            ja=f"{shown(key)} は使えない言語です。使える言語：{languages}",
            en=f"{shown(key)} is not a language that is spoken here: {languages}",
        )
    if "patternProperties" in schema:
        return Words(
            ja=f"{shown(key)} は ja や en のような言語ではありません",
            en=f"{shown(key)} is not a language such as ja or en",
        )
    names = schema.get("properties", {})
    known, meant = ", ".join(names), nearest(str(key), names)
    return Words(
        ja=f"不明なキー {shown(key)} です。使えるキー：{known}"
        + ("" if meant is None else f"（{meant} のことですか）"),
        en=f"unknown key {shown(key)}; known here: {known}"
        + ("" if meant is None else f" (did you mean {meant}?)"),
    )


def _message(error: Any) -> Words:
    wanted = error.validator_value
    description = _description(error.schema)
    match error.validator:
        case "enum":
            return _must_be(description or _choice(wanted))
        case "minimum":
            return Words(ja=f"{wanted} 以上でなければなりません", en=f"must be at least {wanted}")
        case "maximum":
            return Words(ja=f"{wanted} 以下でなければなりません", en=f"must be at most {wanted}")
        case "minItems" | "minProperties":
            entries = "entry" if wanted == 1 else "entries"
            return Words(ja=f"{wanted} 個以上の項目が必要です", en=f"must have at least {wanted} {entries}")
        case "maxItems" | "maxProperties":
            return Words(ja=f"項目は {wanted} 個までです", en=f"may have at most {wanted} entries")
        case "minLength":
            return Words(ja="空にはできません", en="must not be empty")
        case "maxLength":
            return Words(ja=f"{wanted} 文字までです", en=f"may have at most {wanted} characters")
        case "type" if description is None:
            return _must_be(_kinds([wanted] if isinstance(wanted, str) else wanted))
        case _ if description is not None:
            return _must_be(description)
        case _:
            return Words(
                ja=f"スキーマの {error.validator} に合いません", en=f"does not fit {error.validator}"
            )


def _must_be(noun: Words) -> Words:
    return Words(ja=f"{noun.ja}でなければなりません", en=f"must be {noun.en}")


def _description(schema: Any) -> Words | None:
    """What the schema calls the value, in both languages."""
    # The description of the whole schema is prose about the file and has no twin: it completes no sentence.
    if not isinstance(schema, Mapping) or "x-description-ja" not in schema:
        return None
    return Words(ja=schema["x-description-ja"], en=schema["description"])


def _choice(allowed: Sequence[Any]) -> Words:
    listed = ", ".join("null" if value is None else str(value) for value in allowed)
    return Words(ja=f"{listed} のいずれか", en=f"one of {listed}")


def _kinds(kinds: Sequence[str]) -> Words:
    # "boolean" is left out: it only lets plain true and false through where words are expected.
    nouns = [_TYPES[kind] for kind in kinds if kind != "boolean"]
    return Words(ja="または".join(noun.ja for noun in nouns), en=" or ".join(noun.en for noun in nouns))
