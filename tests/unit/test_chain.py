"""The hash chain, whoever uses it: what does not follow is found, and one bad link is one finding."""

import hashlib

import pytest

from datasets.database.chain import START, ChainWalk, canonical, head_after, next_head

TEXTS = ["one", "zwei", "三"]


def chain_of(texts: list[str]) -> list[tuple[int, str, str]]:
    head, links = START, []
    for number, text in enumerate(texts, start=1):
        head = next_head(head, text)
        links.append((number, head, text))
    return links


def found(links: list[tuple[int, str, str]]) -> list[tuple[int, str]]:
    walk = ChainWalk()
    return [(number, problem) for number, head, text in links for problem in walk.step(number, head, text)]


def test_a_head_is_the_hash_of_the_head_before_and_the_hash_of_the_text() -> None:
    inner = hashlib.sha256("三".encode()).hexdigest()
    assert (
        next_head("ab", "三") == hashlib.sha256(f"ab{inner}".encode()).hexdigest() == head_after("ab", inner)
    )


def test_a_chain_as_it_was_written_has_no_faults_and_ends_where_it_ends() -> None:
    links, walk = chain_of(TEXTS), ChainWalk()
    assert [problem for link in links for problem in walk.step(*link)] == []
    assert walk.ends_at(3, links[-1][1])
    assert not walk.ends_at(2, links[-1][1])
    assert not walk.ends_at(3, START)


@pytest.mark.parametrize(
    ("change", "findings"),
    [
        (lambda links: [links[0], (2, links[1][1], "two"), links[2]], [(2, "chain")]),
        (lambda links: [links[0], links[2]], [(3, "gap")]),
        (lambda links: [links[1], links[0], links[2]], [(2, "gap"), (1, "gap"), (3, "gap")]),
        (lambda links: [links[0], links[0], links[1], links[2]], [(1, "gap")]),
        (lambda links: [(1, "forged", "one"), links[1], links[2]], [(1, "chain"), (2, "chain")]),
    ],
)
def test_what_was_changed_is_found_where_it_stands(change, findings: list[tuple[int, str]]) -> None:  # type: ignore[no-untyped-def]
    assert found(change(chain_of(TEXTS))) == findings


def test_the_same_value_is_always_the_same_text() -> None:
    assert canonical({"b": 1, "a": "住民"}) == canonical({"a": "住民", "b": 1}) == '{"a":"住民","b":1}'
    with pytest.raises(ValueError, match="JSON"):
        canonical({"a": float("nan")})
