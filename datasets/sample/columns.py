"""Arrow columns made from numpy arrays without a Python loop over rows; it decides no values."""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from datasets.sample.draw import Bools, Ints

ID_DIGITS = 8
# Not divisible by 2 or 5, so that its multiples modulo 10**8 give every number once, in no telling order.
ID_STEP = 61_803_399

FOUR_DIGITS = np.array([list(f"{number:04d}".encode()) for number in range(10_000)], dtype=np.uint8)
EPOCH = date(1970, 1, 1).toordinal()


def coded(values: Sequence[str] | pa.Array, codes: Ints) -> pa.DictionaryArray:
    """Return the text column `values[codes]`, kept as codes."""
    table = values if isinstance(values, pa.Array) else pa.array(values, pa.string())
    kind = np.int8 if len(table) <= 127 else np.int16 if len(table) <= 32_767 else np.int32
    return pa.DictionaryArray.from_arrays(pa.array(codes.astype(kind, copy=False)), table, safe=False)


def identifiers(prefix: str, numbers: Ints) -> pa.Array:
    """Return one letter and eight digits for each number below 10**8; different numbers, different texts.

    The digits depend on the letter too: a household is not named like its head.
    """
    shuffled = (numbers.astype(np.int64) + ord(prefix) * 10**6) * ID_STEP % 10**ID_DIGITS
    width = 1 + ID_DIGITS
    letters = np.empty((len(numbers), width), dtype=np.uint8)
    letters[:, 0] = ord(prefix)
    letters[:, 1:5] = FOUR_DIGITS[shuffled // 10_000]
    letters[:, 5:9] = FOUR_DIGITS[shuffled % 10_000]
    # Arrow's own layout of texts: offsets and bytes, since a Python string for each of millions of rows takes
    # minutes.
    offsets = np.arange(len(numbers) + 1, dtype=np.int32) * np.int32(width)
    return pa.StringArray.from_buffers(len(numbers), pa.py_buffer(offsets), pa.py_buffer(letters))


def dates(days: Ints, *, missing: Bools | None = None) -> pa.Array:
    """Return a date column from days since 1970-01-01."""
    return pa.array(days.astype(np.int32, copy=False), mask=missing).view(pa.date32())


def decimals(values: Ints, *, missing: Bools) -> pa.Array:
    """Return whole non-negative amounts below 10**9 as DECIMAL(9, 0)."""
    # A DECIMAL is 128 bits, low half first; amounts are never negative, so the high half stays zero.
    wide = np.zeros((len(values), 2), dtype="<i8")
    wide[:, 0] = values
    present = pa.py_buffer(np.packbits(~missing, bitorder="little"))
    return pa.Array.from_buffers(pa.decimal128(9, 0), len(values), [present, pa.py_buffer(wide)])


def integers(values: Ints) -> pa.Array:
    """Return a column of 32-bit integers."""
    return pa.array(values.astype(np.int32, copy=False))


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return day.toordinal() - EPOCH


def day_numbers(days: Sequence[date]) -> NDArray[np.int32]:
    """Return days since 1970-01-01 for each day."""
    return np.array([day_number(day) for day in days], dtype=np.int32)
