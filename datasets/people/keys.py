"""API keys as text: their form, their checksum and the digest that is kept of them. Knows nobody and no database."""

import hmac
import re
import secrets
import string
import zlib
from collections.abc import Callable

BASE62 = string.digits + string.ascii_uppercase + string.ascii_lowercase  # survives double clicks and URLs
KEY_PREFIX = "sdr_"  # lets scanners of repositories and mail recognise a leaked key
KEY_RANDOM_CHARACTERS = 43  # 62^43 > 2^256
KEY_CHECK_CHARACTERS = 6  # 62^6 > 2^32
SECRET_BYTES_MIN = 16
KEY = re.compile(
    rf"{KEY_PREFIX}[0-9A-Za-z]{{{KEY_RANDOM_CHARACTERS + KEY_CHECK_CHARACTERS}}}",
    re.ASCII,
)


def new_key() -> str:
    """A key nobody has: at least 256 random bits, and a checksum that typing errors don't survive."""
    return _with_check(KEY_PREFIX + "".join(secrets.choice(BASE62) for _ in range(KEY_RANDOM_CHARACTERS)))


def looks_like_key(given: str) -> bool:
    """Whether the text has a key's form and checksum. Says nothing about whether anybody has it."""
    return KEY.fullmatch(given) is not None and given == _with_check(given[:-KEY_CHECK_CHARACTERS])


def _with_check(body: str) -> str:
    # A CRC protects nothing and needs not to: it only spares the database a look for mistyped keys.
    rest, check = zlib.crc32(body.encode()), ""
    for _ in range(KEY_CHECK_CHARACTERS):
        rest, digit = divmod(rest, len(BASE62))
        check = BASE62[digit] + check
    return body + check


def digest_with(secret: bytes) -> Callable[[str], str]:
    """The function from a key to what is kept of it: HMAC-SHA-256 under the server's secret, in hexadecimal.

    No slow password hash: a key has 256 random bits, which nobody can guess from its digest.
    """
    if len(secret) < SECRET_BYTES_MIN:
        raise ValueError(f"the secret has at least {SECRET_BYTES_MIN} bytes")
    return lambda key: hmac.digest(secret, key.encode(), "sha256").hex()
