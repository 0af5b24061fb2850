"""Items 1 and 2: identifying descriptions are gone or replaced, individual identification codes are gone.

Rule 62 items 1 and 2 of the PPC; individual identification codes (個人識別符号) are those of APPI article 2(2).
Detectors look at every column, since identifiers hide where nobody declared them.
"""

import base64
import hashlib
import re
import unicodedata
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.detectors import Confidence, DetectorResult, Matched, detect
from privacy.deidentify.standard.context import ExaminationContext, present, rows_holding
from privacy.deidentify.standard.findings import (
    Finding,
    Outcome,
    Remedy,
    Rows,
    Severity,
    outcome,
)
from privacy.deidentify.table import Column, Role
from privacy.words import Words

Found = dict[str, tuple[Matched, ...]]
"""By column of the output what the detectors matched, their places being places in the column's values."""


def detected(context: ExaminationContext) -> Found:
    """What the detectors find in every column of the output, whatever its role."""
    return {name: _in_column(column) for name, column in context.published.items()}


def _in_column(column: Column) -> tuple[Matched, ...]:
    # The detectors judge by rates over distinct values: values that no row has would blur them.
    places = present(column)
    found = detect(column.name, [column.values[place] for place in places])
    return tuple(
        Matched(
            matched.detector,
            matched.verdict,
            matched.values,
            matched.candidates,
            matched.passing,
            matched.embedded,
            matched.tail,
            places[matched.places],
        )
        for matched in found
    )


def roles_given(context: ExaminationContext) -> Outcome:
    """Every attribute of source and output has a role."""
    # In the order of the source; a set would report columns in an order of its own each time.
    names = dict.fromkeys((*context.source, *context.published))
    missing = [name for name in names if name not in context.roles]
    findings = [
        Finding(
            item=1,
            code="no_role",
            columns=(name,),
            rows=Rows(),
            severity=Severity.HIGH,
            words=Words(ja="項目に役割が定められていない。", en="The attribute has no role."),
            operation=Remedy.REVIEW,
        )
        for name in missing
    ]
    return outcome(
        item=1,
        method="roles",
        tested=Words(
            ja="元データと加工後の全項目に役割が定められているか",
            en="Every attribute of source and output has a role",
        ),
        figures=[("attributes", len(names)), ("without_role", len(missing))],
        findings=findings,
    )


def _still_original(context: ExaminationContext, name: str) -> NDArray[np.bool_]:
    """The rows of the output that have, in a column, a value which the source has in the same column."""
    source, published = context.source[name], context.published[name]
    known = {source.values[place] for place in present(source)}
    kept = [place for place in present(published) if published.values[place] in known]
    return rows_holding(published, np.array(kept, dtype=np.intp))


def identifiers_replaced(context: ExaminationContext) -> Outcome:
    """Columns of identifiers are absent, or have none of their original values any more."""
    declared = [name for name, role in context.roles.items() if role is Role.IDENTIFIER]
    # A pseudonym in the column's place is allowed (item 1: removed or replaced), an original value is not.
    left = [name for name in declared if name in context.published]
    findings = []
    for name in left:
        if name not in context.source:
            continue
        # By value and not by row: one name that moved to another person's row still names its person.
        rows = _still_original(context, name)
        if rows.any():
            findings.append(_kept_original(name, rows))
    return outcome(
        item=1,
        method="identifiers_replaced",
        tested=Words(
            ja="識別子の項目が削除され、又は元の値が残らないよう置き換えられているか",
            en="Identifier attributes are removed, or replaced so that no original value remains in place",
        ),
        figures=[("identifiers", len(declared)), ("in_output", len(left)), ("unreplaced", len(findings))],
        findings=findings,
    )


def _kept_original(name: str, rows: NDArray[np.bool_]) -> Finding:
    return Finding(
        item=1,
        code="original_kept",
        columns=(name,),
        rows=Rows.where(rows),
        severity=Severity.HIGH,
        words=Words(
            ja="識別子の項目に元の値が残っている。", en="Original values remain in an identifier attribute."
        ),
        operation=Remedy.REMOVE,
    )


def codes_gone(context: ExaminationContext) -> Outcome:
    """Columns of individual identification codes are not in the output: no pseudonym of them is kept either."""
    declared = [name for name, role in context.roles.items() if role is Role.CODE]
    left = [name for name in declared if name in context.published]
    return outcome(
        item=2,
        method="codes_removed",
        tested=Words(
            ja="個人識別符号の項目がすべて削除されているか",
            en="All attributes of individual codes are removed",
        ),
        figures=[("codes", len(declared)), ("in_output", len(left))],
        findings=[
            Finding(
                item=2,
                code="code_kept",
                columns=(name,),
                rows=Rows((), context.rows),
                severity=Severity.HIGH,
                words=Words(
                    ja="個人識別符号の項目が残っている。",
                    en="An attribute of individual codes is in the output.",
                ),
                operation=Remedy.REMOVE,
            )
            for name in left
        ],
    )


_SEVERITIES = {
    Confidence.HIGH: Severity.HIGH,
    Confidence.MEDIUM: Severity.MEDIUM,
    Confidence.LOW: Severity.LOW,
}


def _match_finding(column: Column, matched: Matched) -> Finding:
    detector = matched.detector
    # Mostly whole values are a column of numbers, to be removed; matches within texts leave the rest of use.
    whole = matched.passing > matched.embedded
    return Finding(
        item=detector.item,
        code=f"detected_{detector.key}",
        columns=(column.name,),
        rows=Rows.where(rows_holding(column, matched.places)),
        severity=Severity.HIGH if detector.item == 2 else _SEVERITIES[detector.confidence],
        words=Words(
            ja=f"{detector.words.ja}とみられる値がある（確からしさ: {detector.confidence.value}）。",
            en=f"Values look like: {detector.words.en} (confidence: {detector.confidence.value}).",
        ),
        operation=Remedy.REMOVE if whole else Remedy.SUPPRESS_CELLS,
    )


_DETECTED = {
    1: Words(
        ja="氏名・住所・電話番号・電子メール等の形の値が全出力項目にないか",
        en="No output attribute holds names, addresses, telephone numbers, e-mail addresses and the like",
    ),
    2: Words(
        ja="個人番号等の個人識別符号の形の値が全出力項目にないか（許容ゼロ）",
        en="No output attribute holds numbers of the form of individual codes (zero tolerance)",
    ),
}


def detection(context: ExaminationContext, found: Found, item: int) -> Outcome:
    """The detectors of one item over every column of the output."""
    matches = [
        (context.published[name], matched)
        for name, matched_here in found.items()
        for matched in matched_here
        if matched.detector.item == item
    ]
    asked = [matched for _, matched in matches if matched.verdict is DetectorResult.QUESTION]
    findings = [
        _match_finding(column, matched)
        for column, matched in matches
        if matched.verdict is DetectorResult.FINDING
    ]
    # Matches no more frequent than chance are put to the reviewer, neither passed nor found.
    searched = sum(len(present(column)) for column in context.published.values())
    return outcome(
        item=item,
        method="detectors",
        tested=_DETECTED[item],
        figures=[
            ("columns", len(context.published)),
            ("distinct_values", searched),
            ("matches_to_remove", len(findings)),
            ("matches_to_judge", len(asked)),
            ("values_to_judge", sum(len(matched.places) for matched in asked)),
        ],
        findings=findings,
        open_question=bool(asked),
    )


_ALGORITHMS: tuple[Callable[[bytes], bytes], ...] = (
    lambda text: hashlib.md5(text, usedforsecurity=False).digest(),
    lambda text: hashlib.sha1(text, usedforsecurity=False).digest(),
    lambda text: hashlib.sha256(text).digest(),
    lambda text: hashlib.sha512(text).digest(),
)
"""What a reader would try first: numbers of twelve digits are few enough to hash every one of them."""
_DIGEST = re.compile(r"(?=.*[A-Za-z])[0-9A-Za-z+/_-]{8,128}={0,2}")
_MIXED = re.compile(r".*(?:[0-9].*[A-Za-z]|[A-Za-z].*[0-9])")
"""Letters and digits both: no column of words is looked up, and few digests have no digit."""
_HEX_LEAST = 8
"""Digests cut shorter meet by chance: eight hexadecimal digits are 32 bits."""


def _variants(value: str) -> set[str]:
    """The spellings that a careful programmer may have hashed: trimmed, in one case, normalised."""
    plain = unicodedata.normalize("NFKC", value)
    return {value, value.strip(), value.lower(), value.strip().lower(), value.upper(), plain, plain.strip()}


def _unkeyed_forms(value: str) -> Iterator[str]:
    """Ways to write a value that look like a pseudonym and are none: without a secret, anybody can repeat them."""
    for variant in _variants(value):
        encoded = variant.encode()
        for digest in (encoded, *(algorithm(encoded) for algorithm in _ALGORITHMS)):
            yield digest.hex()
            yield base64.b64encode(digest).decode().rstrip("=")


def _canonical(value: str) -> str:
    """A digest in one spelling: base64url as base64, without padding; hexadecimal in lower case."""
    folded = value.replace("-", "+").replace("_", "/").rstrip("=")
    return folded.lower() if re.fullmatch("[0-9A-Fa-f]+", folded) else folded


def _suspects(context: ExaminationContext) -> dict[str, list[tuple[str, int]]]:
    """The output's values that could be a digest, spelled as `_unkeyed_forms` spells, with column and place."""
    suspects: dict[str, list[tuple[str, int]]] = {}
    for name, column in context.published.items():
        # One value with letters and digits mixed makes the column suspect; a column of words has none.
        shaped = [place for place in present(column) if _DIGEST.fullmatch(column.values[place])]
        if any(_MIXED.match(column.values[place]) for place in shaped):
            for place in shaped:
                suspects.setdefault(_canonical(column.values[place]), []).append((name, int(place)))
    return suspects


def _sample(context: ExaminationContext, names: list[str]) -> Iterator[str]:
    """Distinct source values of some columns, evenly spread if there are more than `hash_tries`."""
    # Evenly spread over the columns and over each: a prefix of the file would miss what was added later.
    limit = context.thresholds.hash_tries // max(1, len(names))
    for name in names:
        places = present(context.source[name])
        step = max(1, -(-len(places) // max(1, limit)))
        yield from (context.source[name].values[place] for place in places[::step])


def _hash_hits(context: ExaminationContext, names: list[str]) -> tuple[dict[str, set[int]], int]:
    suspects = _suspects(context)
    lengths = {len(suspect) for suspect in suspects}
    # Digests may be cut short, so each form is looked up at every length that occurs among the suspects.
    hits: dict[str, set[int]] = {}
    tried = 0
    for value in _sample(context, names) if suspects else ():
        tried += 1
        for form in _unkeyed_forms(value):
            for length in lengths:
                if _HEX_LEAST <= length <= len(form):
                    for name, place in suspects.get(form[:length], ()):
                        hits.setdefault(name, set()).add(place)
    return hits, tried


def plain_hashes(context: ExaminationContext, names: list[str], *, item: int) -> Outcome:
    """No output value is an MD5, SHA-1, SHA-256 or SHA-512 (hex or base64, also cut short), or just hex or base64,

    of a source value of the named columns, as it stands or trimmed, in another case or in NFKC.
    """
    hits, tried = _hash_hits(context, names)
    findings = [
        Finding(
            item=item,
            code="plain_hash",
            columns=(name,),
            rows=Rows.where(rows_holding(context.published[name], np.array(sorted(places), dtype=np.intp))),
            severity=Severity.HIGH,
            words=Words(
                ja="元の値を鍵なしでハッシュ化又は符号化しただけの値がある。",
                en="Values are plain hashes or encodings of original values, made without a secret key.",
            ),
            operation=Remedy.PSEUDONYM,
        )
        for name, places in hits.items()
    ]
    return outcome(
        item=item,
        method="plain_hash",
        tested=Words(
            ja="元の値の鍵なしハッシュ（MD5・SHA）又は符号化が出力にないか",
            en="The output holds no unkeyed hash (MD5, SHA) or encoding of an original value",
        ),
        figures=[("source_columns", len(names)), ("source_values_tried", tried), ("columns_hit", len(hits))],
        findings=findings,
    )
