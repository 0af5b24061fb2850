"""SQL that turns the text of a cell into its code. Total: no text of any cell can raise.

A raw code is a whole number that also tells what happened: `low` … `high` as declared, `low - 1` below the
bounds, `high + 1` above them, `low - 2` empty, `low - 3` not readable or not declared. The final code keeps
`low` … `high` and `low - 1` for missing. Numbers are read as exact decimals, never as floats, and divided by
the step with a true floor: DuckDB's `//` truncates, so it is only ever given numbers from zero up.

The code of an undeclared word is a keyed digest of that word alone: never its place in a list of the words that
occur, for then a new word would change other persons' codes, hence the order of their rows and which are kept.
"""

from datasets.descriptor.columns import decimals_of
from datasets.engines.format import code_type, integer_type
from datasets.registration.ingest.engine import quoted
from privacy.schema import Category, Column, Date, Number, UndeclaredColumn

# How far below the lowest code a raw code tells "empty" and "not readable".
EMPTY, STRANGE = 2, 3

_NUMBER = r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
_PARTS = r"^([+-]?)([0-9]*)\.?([0-9]*)(?:[eE]([+-]?)([0-9]+))?$"
_TIME = r"(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]{1,9})?)?(?:Z|[+-][0-9]{2}(?::?[0-9]{2})?)?)?"
_DAY = r"[0-9]{4}(?:-[0-9]{2}-|/[0-9]{2}/)[0-9]{2}" + _TIME
_EDGES = r"^[\p{Z}\t]+|[\p{Z}\t]+$"
# Characters of no word: controls, line and paragraph separators, and what turns the direction of text.
_NO_WORD = r"[\p{Cc}\p{Zl}\p{Zp}\x{202A}-\x{202E}\x{2066}-\x{2069}]"


def raw_type(column: Column) -> str:
    return integer_type(column.low - STRANGE, column.high + 1)


def raw_code(column: Column, text: str, key: str = "") -> str:
    """SQL for the raw code of the text expression `text`; of an open column it is one that `word` made.

    `key` are secret hex digits, needed for open columns only.
    """
    empty, strange = column.low - EMPTY, column.low - STRANGE
    # DuckDB's trim takes no class of characters; spaces and tabs are what spreadsheets leave.
    trimmed = f"trim({text}, e' \\t')"
    if isinstance(column, Category):
        value = _category(column, text)
    elif isinstance(column, UndeclaredColumn):
        value = _digest(column, text, key)
    elif isinstance(column, Date):
        value = _in_turn(_usual_day(column, text), _any_day(column, trimmed), trimmed, empty)
    else:
        value = _in_turn(_usual_number(column, text), _any_number(column, trimmed), trimmed, empty)
    return (
        f"CASE WHEN {text} IS NULL OR {text} = '' THEN {empty} ELSE coalesce({value}, {strange}) END"
        f"::{raw_type(column)}"
    )


def _in_turn(usual: str, any_notation: str, trimmed: str, empty: int) -> str:
    """The usual notation first, because it is fast; then only spaces; then every other notation."""
    return f"CASE{usual} WHEN {trimmed} = '' THEN {empty} ELSE {any_notation} END"


def final_code(column: Column, raw: str) -> str:
    """SQL for the final code of the raw code `raw`: clamped, and missing where nothing could be read."""
    other = column.missing
    if isinstance(column, Category) and column.other is not None:
        other = column.values.index(column.other)
    # Categories have no order to clamp in, so a code below the first is missing.
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
    return f"enum_code(TRY_CAST({text} AS ENUM({', '.join(map(quoted, column.values))})))::{raw_type(column)}"


def word(text: str) -> str:
    """SQL for the word that a text stands for: without spaces at its ends, in Unicode's composed form (NFC)."""
    return f"nfc_normalize(regexp_replace({text}, {quoted(_EDGES)}, '', 'g'))"


def _digest(column: UndeclaredColumn, word: str, key: str) -> str:
    """62 bits of a digest of the secret key and the word; NULL of what is too long or holds a control."""
    assert key, "without a key anybody could look words up by their codes"
    is_word = f"length({word}) <= {column.length_max} AND NOT regexp_matches({word}, {quoted(_NO_WORD)})"
    return f"CASE WHEN {is_word} THEN (md5_number_lower({quoted(key)} || {word}) >> 2)::BIGINT END"


def _clamped(value: str, low: int, high: int) -> str:
    """`value` moved into low … high. DuckDB's least and greatest pass over NULL: never give them one."""
    return f"least(greatest({value}, {low}), {high})"


def _usual_day(column: Date, text: str) -> str:
    """YYYY-MM-DD: the cast is believed only if it prints the same text again."""
    return (
        f" WHEN strlen({text}) = 10 AND TRY_CAST({text} AS DATE)::VARCHAR = {text}"
        f" THEN {_day_number(column, text)}"
    )


def _any_day(column: Date, text: str) -> str:
    """YYYY/MM/DD, and a time of day that is cut off."""
    # The pattern has made sure of ten characters of a day; the cast of the cut text is believed only if it
    # prints alike, which 30 February does not.
    iso = f"replace(left({text}, 10), '/', '-')"
    return (
        f"CASE WHEN regexp_full_match({text}, {quoted(_DAY)}) AND TRY_CAST({iso} AS DATE)::VARCHAR = {iso}"
        f" THEN {_day_number(column, iso)} END"
    )


def _day_number(column: Date, iso: str) -> str:
    # Days since 1970, as `privacy.schema.day_number` counts them.
    day = f"(TRY_CAST({iso} AS DATE) - DATE '1970-01-01')::BIGINT"
    return _clamped(day, column.low - 1, column.high + 1)


def _usual_number(column: Number, text: str) -> str:
    """Digits, and decimals as far as a DECIMAL of 18 or 38 digits beside the bounds has room.

    No cast rounds and none fails: the pattern admits no more digits than the type has. Widths are such that
    the product with 10^decimals stays within the same integer.
    """
    decimals = decimals_of(column.step)
    reach = max(abs(column.low - 1), abs(column.high + 1)) * column.step
    # One digit beyond the bounds: larger numbers are rare and take the slow way.
    whole = max(1, min(len(str(int(reach))) + 1, 18 - decimals))
    units = f"TRY_CAST({text} AS BIGINT) * {10**decimals}"
    ways = f" WHEN regexp_full_match({text}, '-?[0-9]{{1,{whole}}}') THEN {_steps(units, column)}"
    for digits in (18, 38):
        width = digits - 1 - decimals
        # More decimals than 20 are no usual notation; the slow way reads them.
        places = min(width - whole, 20)
        if places < 1:
            continue
        factor = f"{10**decimals}::DECIMAL({decimals + 1}, 0)"
        units = f"floor(TRY_CAST({text} AS DECIMAL({whole + places}, {places})) * {factor})::BIGINT"
        pattern = rf"-?[0-9]{{1,{whole}}}\.[0-9]{{1,{places}}}"
        ways += f" WHEN regexp_full_match({text}, {quoted(pattern)}) THEN {_steps(units, column)}"
    return ways


def _any_number(column: Number, text: str) -> str:
    units = _units(text, decimals_of(column.step))
    return f"CASE WHEN regexp_full_match({text}, {quoted(_NUMBER)}) THEN {_steps(units, column)} END"


def _steps(units: str, column: Number) -> str:
    """floor(units / step) in low - 1 … high + 1: clamped first, moved to zero and up, then divided."""
    step = int(column.step.scaleb(decimals_of(column.step)))
    # One step beyond the bounds on each side stays visible, which counts clamped cells.
    low, high = (column.low - 1) * step, (column.high + 1) * step
    inside = f"{_clamped(units, low, high)}::BIGINT"
    return inside if step == 1 else f"({inside} - ({low})) // {step} + ({column.low - 1})"


def _units(text: str, decimals: int) -> str:
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
