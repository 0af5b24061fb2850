"""Signed evidence of an examination: per item the methods, tests and results, in counts and words, bound to hashes.

HMAC-SHA-256 (RFC 2104) convinces those who have the key, so the body itself and its auditor; it is no
proof to the public. Texts are signed in one canonical form, near to that of RFC 8785 but for numbers: these are whole.
"""

import hmac
import json
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from privacy.deidentify.errors import DeidentifyError
from privacy.deidentify.standard.findings import (
    ITEMS,
    Check,
    CheckResult,
    Examination,
    Finding,
    Question,
)
from privacy.words import Words

FORMAT = "sudare-evidence/1"
ALGORITHM = "HMAC-SHA-256"
KEY_BYTES_MIN = 32
"""A shorter key would weaken the function below its hash's length (RFC 2104, section 3)."""

Json = str | int | list["Json"] | dict[str, "Json"]
Document = dict[str, Json]

# Whole matches of patterns: what is signed must have one way to be written, so other spellings are refused, not mended.
_HASH = re.compile(r"[0-9a-f]{64}")
_AT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})")
_KEY_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")


class BadEvidence(DeidentifyError):
    """Evidence cannot be made, signed or read from what was given."""

    code = "bad_evidence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """What the evidence is about: SHA-256 (hex) of source, output and plan, and when the checks were made.

    `at` is RFC 3339 with seconds and an offset, given by the caller: this module has no clock.
    """

    source_sha256: str
    output_sha256: str
    plan_sha256: str
    at: str

    def __post_init__(self) -> None:
        for name in ("source_sha256", "output_sha256", "plan_sha256"):
            if not _HASH.fullmatch(getattr(self, name)):
                raise BadEvidence(
                    Words(
                        ja=f"{name} は小文字の 16 進数 64 桁で指定してください",
                        en=f"{name} must be 64 lower-case hexadecimal digits",
                    )
                )
        if not _AT.fullmatch(self.at):
            raise BadEvidence(
                Words(
                    ja=f"at は 2026-11-22T09:00:00+09:00 のような日時で指定してください（指定は {self.at!r}）",
                    en=f"at must be a time such as 2026-11-22T09:00:00+09:00, not {self.at!r}",
                )
            )


@dataclass(frozen=True, slots=True)
class FindingCounts:
    """A finding in counts: its code, the columns' names and how many rows; row numbers stay in the report."""

    code: str
    columns: tuple[str, ...]
    rows: int
    severity: str
    operation: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was checked for one item of the standard, and how it came out."""

    item: int
    binding: Binding
    checks: tuple[Check, ...]
    findings: tuple[FindingCounts, ...]
    questions: tuple[Question, ...]

    @property
    def checks_passed(self) -> int:
        """How many of the checks passed: not a statement that the output is anonymous in law."""
        return sum(check.result is CheckResult.PASSED for check in self.checks)


@dataclass(frozen=True, slots=True)
class SignedEvidence:
    """Evidence with the name of the key and the code, in hexadecimal, over its canonical form and that name."""

    evidence: Evidence
    key_id: str
    signature: str


def evidence_of(examination: Examination, binding: Binding) -> tuple[Evidence, ...]:
    """The evidence of an examination, one object for each of the five items."""
    parts = ((item, examination.item(item)) for item in ITEMS)
    return tuple(
        Evidence(item, binding, part.checks, tuple(map(_counted, part.findings)), part.questions)
        for item, part in parts
    )


def _counted(finding: Finding) -> FindingCounts:
    # Evidence leaves the house while the report stays in it: row numbers would point at persons.
    return FindingCounts(
        finding.code, finding.columns, finding.rows.total, finding.severity.value, finding.operation.value
    )


def _words(words: Words) -> Json:
    return {"en": words.en, "ja": words.ja}


def _check(check: Check) -> Json:
    return {
        "figures": [[name, figure] for name, figure in check.figures],
        "method": check.method,
        "result": check.result.value,
        "tested": _words(check.tested),
    }


def _finding(found: FindingCounts) -> Json:
    return {
        "code": found.code,
        "columns": list(found.columns),
        "operation": found.operation,
        "rows": found.rows,
        "severity": found.severity,
    }


def document(evidence: Evidence) -> Document:
    """Evidence as what JSON can say."""
    binding = evidence.binding
    return {
        "at": binding.at,
        "checks": [_check(check) for check in evidence.checks],
        "checks_passed": evidence.checks_passed,
        "findings": [_finding(found) for found in evidence.findings],
        "format": FORMAT,
        "item": evidence.item,
        "output_sha256": binding.output_sha256,
        "plan_sha256": binding.plan_sha256,
        "questions": [{"key": asked.key, "words": _words(asked.words)} for asked in evidence.questions],
        "source_sha256": binding.source_sha256,
    }


def _plain(value: object) -> Json:
    """A document in NFC, with nothing that could be written in two ways; raises BadEvidence for anything else.

    Floats have several spellings in JSON, nulls and Booleans no meaning in evidence, so none of them is let in.
    """
    if isinstance(value, str):
        # The same Japanese text may come composed or decomposed (が, か + ゛); a signature must not depend on that.
        return unicodedata.normalize("NFC", value)
    # Python counts True among the integers.
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        named = {unicodedata.normalize("NFC", name): _plain(one) for name, one in value.items()}
        # Names that become one would drop a member without anybody seeing it.
        if len(named) < len(value):
            raise BadEvidence(
                Words(
                    ja="証跡の中の 2 つの名前が、NFC では同じ文字列になります",
                    en="two names of evidence are the same text in NFC",
                )
            )
        return named
    raise BadEvidence(
        Words(
            ja=f"証跡に書けるのは文字列、整数、配列及びオブジェクトだけで、{type(value).__name__} は書けません",
            en=f"evidence holds texts, whole numbers, lists and objects, not {type(value).__name__}",
        )
    )


def canonical(members: Mapping[str, object]) -> bytes:
    """The one way to write a document: names sorted, no spaces, NFC, UTF-8, whole numbers only."""
    return json.dumps(
        _plain(dict(members)), sort_keys=True, ensure_ascii=False, separators=(",", ":")
    ).encode()


def _code(evidence: Evidence, key_id: str, key: bytes) -> str:
    if len(key) < KEY_BYTES_MIN:
        raise BadEvidence(
            Words(
                ja=f"署名用の鍵が {len(key)} バイトしかありません。{KEY_BYTES_MIN} バイト以上必要です",
                en=f"the signing key has {len(key)} bytes and needs at least {KEY_BYTES_MIN}",
            )
        )
    # The names of key and algorithm are under the signature too, so that neither can be exchanged for another.
    signed = {"algorithm": ALGORITHM, "evidence": document(evidence), "key_id": key_id}
    return hmac.new(key, canonical(signed), sha256).hexdigest()


def sign(evidence: Evidence, key: bytes, *, key_id: str) -> SignedEvidence:
    """Sign with HMAC-SHA-256 (RFC 2104); the key's name is signed too. Raises BadEvidence for a short key."""
    if not _KEY_ID.fullmatch(key_id):
        raise BadEvidence(
            Words(
                ja="鍵の名前は英数字と . _ : - の 1〜64 文字で指定してください",
                en="key_id must be 1 to 64 letters, digits or . _ : -",
            )
        )
    return SignedEvidence(evidence, key_id, _code(evidence, key_id, key))


def verify(signed: SignedEvidence, key: bytes) -> bool:
    """Whether the key made this signature over this evidence, compared in constant time."""
    expected = _code(signed.evidence, signed.key_id, key)
    return hmac.compare_digest(expected.encode(), signed.signature.encode())


def written(signed: SignedEvidence) -> str:
    """Signed evidence as canonical JSON."""
    members = {
        "algorithm": ALGORITHM,
        "evidence": document(signed.evidence),
        "key_id": signed.key_id,
        "signature": signed.signature,
    }
    return canonical(members).decode()


def read(text: str) -> SignedEvidence:
    """Signed evidence from JSON; whether the signature holds is for `verify` to say. Raises BadEvidence."""
    try:
        parsed = json.loads(text)
        signed = SignedEvidence(_evidence(parsed["evidence"]), parsed["key_id"], parsed["signature"])
    # Words without a text are a fault of ours elsewhere (an assertion); here they come from outside.
    except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
        raise BadEvidence(
            Words(
                ja="この形式の署名付き証跡として読めません",
                en="the text is not signed evidence of this format",
            )
        ) from error
    # Written again it must be the same: members that reading passed over would look signed and are not.
    if written(signed) != canonical(parsed).decode():
        raise BadEvidence(
            Words(
                ja="この形式の署名付き証跡にはない内容が含まれています",
                en="the text holds more, or other, than signed evidence of this format",
            )
        )
    return signed


def _evidence(members: Any) -> Evidence:
    binding = Binding(**{name: members[name] for name in Binding.__slots__})
    item = members["item"]
    return Evidence(
        item,
        binding,
        _each(_read_check(item), members["checks"]),
        _each(lambda one: FindingCounts(**{**one, "columns": tuple(one["columns"])}), members["findings"]),
        _each(lambda one: Question(item, one["key"], _sentence(one["words"])), members["questions"]),
    )


def _sentence(members: Any) -> Words:
    # Words assert that both texts are there; of a file that somebody else wrote it has to be checked.
    if not all(members.values()):
        raise ValueError
    return Words(**members)


_Made = TypeVar("_Made")


def _each(make: Callable[[Any], _Made], members: list[Any]) -> tuple[_Made, ...]:
    return tuple(make(one) for one in members)


def _read_check(item: int) -> Callable[[Any], Check]:
    return lambda one: Check(
        item=item,
        method=one["method"],
        tested=_sentence(one["tested"]),
        result=CheckResult(one["result"]),
        figures=tuple((name, figure) for name, figure in one["figures"]),
    )
