"""Evidence is told in one way, signed as a whole, and holds counts and words only."""

import hmac
import json
from dataclasses import replace
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from privacy.deidentify.standard import CheckResult, examine
from privacy.deidentify.standard.evidence import (
    BadEvidence,
    Binding,
    Evidence,
    SignedEvidence,
    canonical,
    document,
    evidence_of,
    read,
    sign,
    verify,
    written,
)
from privacy.deidentify.table import Column, Role, Table

KEY = bytes(range(32))
CANARY = "CANARY4711"
BINDING = Binding(
    source_sha256=sha256(b"source").hexdigest(),
    output_sha256=sha256(b"output").hexdigest(),
    plan_sha256=sha256(b"plan").hexdigest(),
    at="2026-11-22T09:00:00+09:00",
)


def examined() -> tuple[Evidence, ...]:
    table = Table(
        [
            Column.of("か\u3099氏名", [f"{CANARY}{row}" for row in range(30)]),
            Column.of("学校", ["A", "B", "C"] * 10),
        ]
    )
    roles = {"か\u3099氏名": Role.IDENTIFIER, "学校": Role.QUASI}
    return evidence_of(examine(table, table, roles), BINDING)


@pytest.fixture(scope="module")
def evidence() -> tuple[Evidence, ...]:
    return examined()


@pytest.fixture(scope="module")
def signed(evidence: tuple[Evidence, ...]) -> SignedEvidence:
    return sign(evidence[0], KEY, key_id="body-2026")


def test_each_item_of_the_standard_has_its_evidence(evidence: tuple[Evidence, ...]) -> None:
    assert [one.item for one in evidence] == [1, 2, 3, 4, 5]
    assert all(one.checks and one.questions for one in evidence)
    assert evidence[0].findings[0].rows == 30


def test_a_signature_holds_for_its_key_only(signed: SignedEvidence) -> None:
    assert verify(signed, KEY)
    assert not verify(signed, bytes(32))
    assert not verify(signed, KEY + b"\0" * 40)


def test_the_signature_is_hmac_sha_256_over_the_canonical_text(signed: SignedEvidence) -> None:
    told = json.loads(written(signed))
    del told["signature"]
    text = json.dumps(told, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert signed.signature == hmac.new(KEY, text.encode(), sha256).hexdigest()


def test_any_change_breaks_the_signature(signed: SignedEvidence) -> None:
    was = signed.evidence
    first = was.checks[0]
    for changed in (
        replace(was, item=2),
        replace(was, findings=()),
        replace(was, questions=was.questions[1:]),
        replace(was, binding=replace(BINDING, output_sha256="0" * 64)),
        replace(was, binding=replace(BINDING, source_sha256="0" * 64)),
        replace(was, binding=replace(BINDING, plan_sha256="0" * 64)),
        replace(was, binding=replace(BINDING, at="2026-11-22T09:00:01+09:00")),
        replace(was, checks=(replace(first, figures=(("attributes", 99),)), *was.checks[1:])),
        replace(
            was, checks=(*was.checks[:1], replace(was.checks[1], result=CheckResult.PASSED), *was.checks[2:])
        ),
    ):
        assert not verify(replace(signed, evidence=changed), KEY)
    assert not verify(replace(signed, key_id="body-2027"), KEY)
    assert not verify(replace(signed, signature="é"), KEY)


def test_written_evidence_is_read_back_and_still_holds(evidence: tuple[Evidence, ...]) -> None:
    for one in evidence:
        back = read(written(sign(one, KEY, key_id="body-2026")))
        assert verify(back, KEY)
        assert document(back.evidence) == json.loads(canonical(document(one)))


@pytest.mark.parametrize(
    "spoil",
    [
        lambda told: told.pop("signature"),
        lambda told: told.update(more=1),
        lambda told: told["evidence"].update(more=1),
        lambda told: told["evidence"].update(checks_passed=99),
        lambda told: told["evidence"].update(format="other/1"),
        lambda told: told["evidence"]["questions"][0]["words"].update(ja=""),
        lambda told: told["evidence"]["checks"][0].update(result="fine"),
        lambda told: told["evidence"]["checks"][0]["figures"].append(["share", 0.5]),
        lambda told: told["evidence"].update(at="yesterday"),
        lambda told: told.update(algorithm="none"),
        lambda told: told["evidence"]["checks"][0]["tested"].update(ja=""),
        lambda told: told.update(evidence=[]),
    ],
)
def test_text_that_is_not_exactly_signed_evidence_is_refused(signed: SignedEvidence, spoil: object) -> None:
    told = json.loads(written(signed))
    spoil(told)  # type: ignore[operator]
    with pytest.raises(BadEvidence):
        read(json.dumps(told))


def test_a_text_that_is_no_json_is_refused() -> None:
    for text in ("", "[]", "null", "{}", '"x"', "{"):
        with pytest.raises(BadEvidence):
            read(text)


def test_no_value_and_no_row_number_is_in_the_evidence(evidence: tuple[Evidence, ...]) -> None:
    told = "".join(written(sign(one, KEY, key_id="k")) for one in evidence)
    assert "氏名" in told
    assert CANARY not in told
    assert "first" not in told


def test_the_words_never_say_anonymous(evidence: tuple[Evidence, ...]) -> None:
    told = "".join(written(sign(one, KEY, key_id="k")) for one in evidence)
    assert "anonym" not in told.lower()
    assert "匿名" not in told


def test_composed_and_decomposed_names_are_told_alike(evidence: tuple[Evidence, ...]) -> None:
    assert canonical({"か\u3099": "e\u0301"}) == '{"が":"é"}'.encode()
    told = "".join(written(sign(one, KEY, key_id="k")) for one in evidence)
    assert "が氏名" in told
    assert "か\u3099" not in told


@pytest.mark.parametrize("value", [0.5, None, True, b"x", {1: 2}, (1, 2)])
def test_what_could_be_told_in_two_ways_is_refused(value: object) -> None:
    with pytest.raises(BadEvidence):
        canonical({"figure": [value]})


@given(
    st.recursive(
        st.integers() | st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=5),
        lambda inner: st.lists(inner, max_size=3),
    )
)
def test_the_canonical_text_says_the_same_again(value: object) -> None:
    once = canonical({"v": value})
    assert canonical(json.loads(once)) == once


def test_the_order_of_names_does_not_matter() -> None:
    assert canonical({"a": 1, "b": [2]}) == canonical({"b": [2], "a": 1}) == b'{"a":1,"b":[2]}'


def test_two_names_that_become_one_are_refused() -> None:
    with pytest.raises(BadEvidence):
        canonical({"が": 1, "か\u3099": 2})


def test_short_keys_bad_hashes_and_bad_times_are_refused(evidence: tuple[Evidence, ...]) -> None:
    with pytest.raises(BadEvidence, match="31 bytes"):
        sign(evidence[0], KEY[:31], key_id="k")
    with pytest.raises(BadEvidence, match="key_id"):
        sign(evidence[0], KEY, key_id="")
    with pytest.raises(BadEvidence, match="plan_sha256"):
        replace(BINDING, plan_sha256="A" * 64)
    with pytest.raises(BadEvidence, match="at must be"):
        replace(BINDING, at="2026-11-22 09:00")
