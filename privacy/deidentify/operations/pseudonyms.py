"""Pseudonyms (仮ID) for identifiers and fresh numbers for linkage codes; never a plain hash.

Whoever holds the key finds a value's pseudonym by trying. So the key is destroyed after the run or kept apart as
加工方法情報 (APPI articles 109(4) and 121), and a key is never used for two contracts. The same holds for the seed
of `renumber`.
"""

import base64
import hmac

import numpy as np

from privacy.deidentify.operations.columns import MISSING, places_in_use, with_texts
from privacy.deidentify.operations.errors import BadOperation
from privacy.deidentify.randomness import Draws
from privacy.deidentify.table import Column
from privacy.words import Words

KEY_BYTES_MIN = 16
LENGTH_MIN, LENGTH_MAX = 8, 51
"""Characters of five bits each; 51 are all that the 256 bits of SHA-256 fill."""


def pseudonyms(column: Column, *, key: bytes, length: int = 16) -> Column:
    """Each value as the first `length` base32 characters of HMAC-SHA-256(key, column name ‖ value).

    The name goes in with its length before it, so that no name and value read as another pair. Where two values
    would collide, all pseudonyms of the column grow by a character until none do. Missing cells stay missing.
    HMAC: RFC 2104; base32: RFC 4648.
    """
    if len(key) < KEY_BYTES_MIN:
        raise BadOperation(
            Words(
                ja=f"仮IDの鍵は {KEY_BYTES_MIN} バイト以上でなければなりません（与えられた鍵：{len(key)} バイト）。",
                en=f"the key of pseudonyms must have at least {KEY_BYTES_MIN} bytes, not {len(key)}",
            )
        )
    if not LENGTH_MIN <= length <= LENGTH_MAX:
        raise BadOperation(
            Words(
                ja=f"仮IDの長さは {LENGTH_MIN} 文字から {LENGTH_MAX} 文字まででなければなりません"
                f"（指定された値：{length}）。",
                en=f"a pseudonym has {LENGTH_MIN} to {LENGTH_MAX} characters, not {length}",
            )
        )
    places = places_in_use(column)
    full = [_full(column.name, column.values[place], key) for place in places]
    return with_texts(column, places=places, texts=_cut(full, length))


def renumber(column: Column, *, draws: Draws) -> Column:
    """Each of the n values as a number 1 to n, in random order; missing cells stay missing."""
    # In the order of first appearance the numbers would tell the order of the rows.
    places = places_in_use(column)
    known = np.array([column.values[place] != MISSING for place in places], dtype=np.bool_)
    texts = np.full(len(places), MISSING, dtype=object)
    texts[known] = [str(number) for number in draws.permutation(int(known.sum())) + 1]
    return with_texts(column, places=places, texts=texts.tolist())


def _full(name: str, value: str, key: bytes) -> str:
    # A pseudonym of "missing" would be the commonest one, and would look like a person.
    if value == MISSING:
        return MISSING
    column = name.encode()
    digest = hmac.digest(key, len(column).to_bytes(4, "big") + column + value.encode(), "sha256")
    return base64.b32encode(digest).decode()


def _cut(full: list[str], length: int) -> list[str]:
    """The texts cut to the least length from `length` on that keeps them apart."""
    # All grow together: one longer pseudonym would stand out as one of a pair that collided.
    cut = [text[:length] for text in full]
    while len(set(cut)) < len(full):
        length += 1
        assert length <= LENGTH_MAX, "SHA-256 has no known collisions"
        cut = [text[:length] for text in full]
    return cut
