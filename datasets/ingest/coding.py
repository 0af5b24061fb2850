"""SQL that turns the text of a cell into its code. Total: no text of any cell can raise.

A raw code is a whole number that also tells what happened: `low` … `high` as declared, `low - 1` below the
bounds, `high + 1` above them, `low - 2` empty, `low - 3` not readable or not declared. The final code keeps
`low` … `high` and `low - 1` for missing. Numbers are read as exact decimals, never as floats, and divided by
the step with a true floor: DuckDB's `//` truncates, so it is only ever given numbers from zero up.
"""

from decimal import Decimal

from datasets.descriptor import decimals_of
from datasets.ingest.engine import quoted
from privacy.schema import Category, Column, Date, Number

EMPTY, STRANGE = 2, 3

_FAST_DIGITS, _WIDE_DIGITS = 18, 38
_SIGNED = (("TINYINT", 2**7), ("SMALLINT", 2**15), ("INTEGER", 2**31), ("BIGINT", 2**63))
_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_PARTS = r"^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?)([0-9]+))?$"
_TIME = r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
_DAY = r"[0-9]{4}(?:-[0-9]{2}-|/[0-9]{2}/)[0-9]{2}" + _TIME


def integer_type(low: int, high: int) -> str:
    """The smallest signed SQL type that holds low … high."""
    return next(name for name, limit in _SIGNED if -limit <= low and high < limit)


def raw_type(column: Column) -> str:
    return integer_type(column.low - STRANGE, column.high + 1)


def code_type(column: Column) -> str:
    """The type of the column in the statistics table."""
    return integer_type(column.missing, column.high)


def raw_code(column: Column, text: str) -> str:
    """SQL for the raw code of the text expression `text`."""
    if isinstance(column, Category):
        return _category(column, text)
    trimmed = f"trim({text}, e' \\t')"
    value = _day(column, trimmed) if isinstance(column, Date) else _number(column, trimmed)
    return (
        f"CASE WHEN {text} IS NULL OR {trimmed} = '' THEN {column.low - EMPTY}"
        f" ELSE coalesce({value}, {column.low - STRANGE}) END::{raw_type(column)}"
    )


def final_code(column: Column, raw: str) -> str:
    """SQL for the final code of the raw code `raw`: clamped, and missing where nothing could be read."""
    other = column.missing
    if isinstance(column, Category) and column.other is not None:
        other = column.values.index(column.other)
    below = column.missing if isinstance(column, Category) else column.low
    return (
        f"CASE WHEN {raw} BETWEEN {column.low} AND {column.high} THEN {raw}"
        f" WHEN {raw} = {column.high + 1} THEN {column.high}"
        f" WHEN {raw} = {column.low - 1} THEN {below}"
        f" WHEN {raw} = {column.low - STRANGE} THEN {other}"
        f" ELSE {column.missing} END::{code_type(column)}"
    )


def _category(column: Category, text: str) -> str:
    """Through an ENUM, whose cast looks the text up in a hash table."""
    values = ", ".join(map(quoted, column.values))
    code = f"enum_code(TRY_CAST({text} AS ENUM({values})))::{raw_type(column)}"
    declared = f"coalesce({code}, {-STRANGE})"
    return f"CASE WHEN {text} IS NULL OR {text} = '' THEN {-EMPTY} ELSE {declared} END::{raw_type(column)}"


def _clamped(value: str, low: int | str, high: int | str) -> str:
    """`value` moved into low … high. DuckDB's least and greatest pass over NULL: never give them one."""
    return f"least(greatest({value}, {low}), {high})"


def _day(column: Date, text: str) -> str:
    """Days since 1970-01-01; the cast is believed only if it prints the same day again."""
    day = f"(TRY_CAST({_iso(text)} AS DATE) - DATE '1970-01-01')::BIGINT"
    return (
        f"CASE WHEN regexp_full_match({text}, {quoted(_DAY)})"
        f" AND TRY_CAST({_iso(text)} AS DATE)::VARCHAR = {_iso(text)}"
        f" THEN {_clamped(day, column.low - 1, column.high + 1)} END"
    )


def _iso(text: str) -> str:
    return f"replace(left({text}, 10), '/', '-')"


def _number(column: Number, text: str) -> str:
    """floor(value / step), clamped to low - 1 … high + 1; NULL where the text is no number.

    Usual notation goes through a DECIMAL wide enough for the bounds; whatever does not match its shape
    (exponents, long digits) takes the way of `_any_number`. A cast never rounds: the pattern admits no
    more decimals than the type has.
    """
    decimals = decimals_of(column.step)
    step = int(column.step.scaleb(decimals))
    reach = max(abs(column.low - 1), abs(column.high + 1)) * column.step
    ways = ""
    for width in (_FAST_DIGITS, _WIDE_DIGITS):
        whole = len(str(int(reach))) + 1
        places = min(width - whole, 17)
        if whole + decimals > width:
            continue
        pattern = rf"-?[0-9]{{1,{whole}}}(\.[0-9]{{1,{places}}})?" if places else rf"-?[0-9]{{1,{whole}}}"
        value = _divided(f"{text}::DECIMAL({width}, {places})", column, Decimal(column.step))
        ways += f" WHEN regexp_full_match({text}, {quoted(pattern)}) THEN {value}"
    exact = _clamped(_any_number(text, decimals), (column.low - 1) * step, (column.high + 1) * step)
    steps = f"(({exact} - {(column.low - 1) * step}) // {step})::BIGINT + {column.low - 1}"
    return f"CASE{ways} WHEN regexp_full_match({text}, {quoted(_NUMBER)}) THEN {steps} END"


def _divided(value: str, column: Number, step: Decimal) -> str:
    """floor(value / step) of an exact DECIMAL: clamped first, moved to zero and up, then divided."""
    low, high = (column.low - 1) * step, (column.high + 1) * step
    inside = f"({_clamped(value, f'{low:f}', f'{high:f}')} - ({low:f}))"
    decimals = decimals_of(step)
    whole = inside if not decimals else f"({inside} * {10**decimals})"
    return f"floor({whole})::BIGINT // {int(step.scaleb(decimals))} + ({column.low - 1})"


def _any_number(text: str, decimals: int) -> str:
    """floor(value · 10^decimals) of a number in any notation, as HUGEINT; beyond 36 digits it says 10^37.

    Written with its digits D (no leading zeros) and N, how many of them stand before the point: the value is
    0.D · 10^N. The first N + decimals digits are the answer, and what follows them matters to a negative
    number only, whose floor is one less. Exponents of more than nine digits count as 10^9, which no digits
    of at most 2^20 bytes can outweigh.
    """
    power = (
        "CASE WHEN part.size = '' THEN 0"
        " WHEN length(ltrim(part.size, '0')) > 9 THEN 1000000000"
        " ELSE part.size::BIGINT END * CASE WHEN part.direction = '-' THEN -1 ELSE 1 END"
    )
    digits = "ltrim(part.whole || part.decimals, '0')"
    scaled = (
        f"{{'minus': part.sign = '-', 'digits': {digits},"
        f" 'count': length({digits}) - length(part.decimals) + {power} + {decimals}}}"
    )
    size = (
        "CASE WHEN number.digits = '' OR number.count <= 0 THEN 0::HUGEINT"
        f" WHEN number.count > 36 THEN {10**37}::HUGEINT"
        " ELSE rpad(left(number.digits, number.count), number.count::INTEGER, '0')::HUGEINT END"
    )
    more = (
        "CASE WHEN number.count <= 0 THEN number.digits <> ''"
        " ELSE rtrim(substr(number.digits, number.count + 1), '0') <> '' END"
    )
    answer = f"CASE WHEN number.minus THEN -({size}) - ({more})::HUGEINT ELSE {size} END"
    parts = f"regexp_extract({text}, {quoted(_PARTS)}, ['sign', 'whole', 'decimals', 'direction', 'size'])"
    return f"list_transform(list_transform([{parts}], lambda part: {scaled}), lambda number: {answer})[1]"
