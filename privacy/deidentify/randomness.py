"""Seeded draws for operations on records: the same plan, seed and source give the same record set.

Noise of answers never comes from here (`privacy/noise.py`): whoever knows the seed can take this noise off
again, so the seed is processing-method information (加工の方法に関する情報, APPI article 121) and kept apart.
"""

import hashlib

import numpy as np

Draws = np.random.Generator
"""The type of what `draws` returns, for those who take one as an argument."""


def draws(seed: bytes, purpose: str) -> Draws:
    """A generator for one purpose ("noise:income"): independent streams for different purposes.

    The key of Philox4x64 is the SHA-256 of seed and purpose.
    """
    # The length of the seed comes first, so that no seed and purpose together spell another pair.
    digest = hashlib.sha256(len(seed).to_bytes(8, "big") + seed + purpose.encode()).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(digest[:16], "big")))
