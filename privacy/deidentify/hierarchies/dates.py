"""Hierarchies of dates: day → month → year → decade, era or fiscal year; only steps that nest may follow each other."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import pairwise
from typing import Literal, NamedTuple

from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.hierarchies.intervals import OUTSIDE, Outside
from privacy.deidentify.hierarchies.parts import (
    DOMAIN_MAX,
    Path,
    choice,
    fault,
    items,
    require,
    spellings,
    unlike,
    with_unread,
)
from privacy.words import Words

Step = Literal["month", "year", "decade", "fiscal_year", "era"]
STEPS = ("month", "year", "decade", "fiscal_year", "era")
NESTS = {
    "month": {"year", "decade", "fiscal_year", "era"},
    "year": {"decade", "era"},
    "decade": set[str](),
    "fiscal_year": set[str](),
    "era": set[str](),
}
"""Which steps may follow each: the blocks of the coarser one are whole blocks of the finer one."""
FISCAL_MONTH = 4


class Era(NamedTuple):
    """A 元号: its first year is counted as 1 (元年), and its days run up to the first of the next."""

    name: str
    letter: str
    first: date


ERAS = (
    Era("明治", "M", date(1868, 1, 25)),
    Era("大正", "T", date(1912, 7, 30)),
    Era("昭和", "S", date(1926, 12, 25)),
    Era("平成", "H", date(1989, 1, 8)),
    Era("令和", "R", date(2019, 5, 1)),
)
"""改元 took effect on the day itself in 1912 and 1926, on the next day in 1989; 2019 by cabinet order 143 of 2019."""
GREGORIAN = date(1873, 1, 1)
"""Before this day (明治6年1月1日) Japan's dates followed a lunisolar calendar (太政官布告 337 of 1872)."""

SEPARATED = re.compile(r"([0-9]{4})([-/.])([0-9]{1,2})\2([0-9]{1,2})", re.ASCII)
COMPACT = re.compile(r"([0-9]{4})()([0-9]{2})([0-9]{2})", re.ASCII)
WRITTEN = re.compile(r"([0-9]{4})()年([0-9]{1,2})月([0-9]{1,2})日", re.ASCII)
ERA_WRITTEN = re.compile(
    r"(明治|大正|昭和|平成|令和)(元|[0-9]{1,2})()年([0-9]{1,2})月([0-9]{1,2})日", re.ASCII
)
ERA_LETTER = re.compile(r"([MTSHR])([0-9]{1,2})([-/.])([0-9]{1,2})\3([0-9]{1,2})", re.ASCII)


def dates(
    name: str,
    values: Sequence[str],
    *,
    steps: Sequence[Step],
    low: date | str,
    high: date | str,
    outside: Outside = "refuse",
    unknown: str | None = None,
) -> Hierarchy:
    """Days, then the blocks of each step, then `*`. The domain is every day from `low` to `high`, both included.

    | step | label | may follow |
    | --- | --- | --- |
    | `month` | `2024-04` (below `era`: `令和6年4月`) | the day |
    | `year` | `2024` (below `era`: `令和6年`) | day, month |
    | `decade` | `2020-2029` | day, month, year |
    | `fiscal_year` 年度, April to March | `2024年度` | day, month |
    | `era` 元号 | `令和` | day, month, year |

    Steps that do not nest are refused: a fiscal year lies in two years, an era begins within a decade. 1912,
    1926, 1989 and 2019 each hold two eras, and July 1912, December 1926 and January 1989 do too; so below `era`
    a year is the year of an era (平成31年, 令和元年: 2019 has two labels) and a month is a month of it
    (昭和64年1月, 平成元年1月).

    Read are 2024-04-01, 2024/4/1, 2024.4.1, 20240401, 2024年4月1日, 令和6年4月1日, 令和元年…, R6.4.1, R6/4/1 and
    R6-4-1, with full-width characters too. A date of an era must lie in it (平成31年5月1日 does not), but the day
    of a change may be written in both (明治45年7月30日, 大正元年7月30日); dates of an era before 1873 are not read,
    since they follow another calendar. Two spellings of one day are two values under the same labels.

    Days outside the range are refused or, with `outside="code"`, labelled `<1906-04-02` and `>2026-04-01` from
    level 1 on; texts that are no dates are refused or, with `unknown`, get that label from level 1 on.
    """
    first, last = _range(name, low, high)
    chosen = _nested(name, steps)
    require(
        chosen[-1] != "era" or first >= GREGORIAN,
        name,
        Words(
            ja=f"dates：era を使うときの from は {GREGORIAN} 以降でなければなりません（指定された値：{first}）。",
            en=f"dates: era needs from of at least {GREGORIAN}, not {first}",
        ),
    )
    known = {text: parsed(text) for text in values}
    days = {text: day for text, day in known.items() if day is not None}
    # Texts beyond the range are few: they get lines of their own instead of widening the domain for all.
    below, above = [t for t, day in days.items() if day < first], [t for t, day in days.items() if day > last]
    if choice(name, "outside", outside, OUTSIDE) == "refuse" and below + above:
        raise fault(
            name,
            Words(
                ja=f"異なる値 {len(values)} 種のうち {len(below) + len(above)} 種が {first} から {last} までの範囲の"
                f"外にあります（前 {len(below)}、後 {len(above)}）。`outside: code` を指定すると、範囲外として"
                "コーディングします。",
                en=f"{len(below) + len(above)} of {len(values)} distinct values lie outside {first} to {last} "
                f"({len(below)} before, {len(above)} after); `outside: code` would code them",
            ),
        )
    paths = _paths({t: day for t, day in days.items() if first <= day <= last}, first, last, chosen)
    for label, texts in ((f"<{first}", below), (f">{last}", above)):
        paths += [(text, *[label] * len(chosen)) for text in sorted(texts)]
    unread = [text for text, day in known.items() if day is None]
    return with_unread(
        name,
        paths,
        levels=len(chosen),
        unread=unread,
        of=len(values),
        words=Words(ja="読み取れる日付ではありません", en="are not dates that are read here"),
        unknown=unknown,
    )


def parsed(text: str) -> date | None:
    """The day that a text names in one of the spellings of `dates`, or none."""
    bare = unicodedata.normalize("NFKC", text).strip()
    for pattern in (SEPARATED, COMPACT, WRITTEN):
        if found := pattern.fullmatch(bare):
            return _day(int(found[1]), int(found[3]), int(found[4]))
    # Letters in either case: r6.4.1 is as common in lists typed by hand as R6.4.1.
    if found := ERA_WRITTEN.fullmatch(bare) or ERA_LETTER.fullmatch(bare.upper()):
        # 元年 is year 1; an era's year 0 is no date.
        place = next(place for place, era in enumerate(ERAS) if found[1] in (era.name, era.letter))
        return _day_of_era(place, 1 if found[2] == "元" else int(found[2]), int(found[4]), int(found[5]))
    return None


def era_of(day: date) -> Era:
    """The era of a day from 1868-01-25 on; the day of a change belongs to the new one."""
    return next(era for era in reversed(ERAS) if era.first <= day)


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _day_of_era(place: int, year: int, month: int, day: int) -> date | None:
    era = ERAS[place]
    found = _day(era.first.year + year - 1, month, day) if year else None
    # Month and day of an era before 1873 are of the lunisolar calendar: read as Gregorian they would be another day.
    if found is None or found < max(era.first, GREGORIAN):
        return None
    if place + 1 == len(ERAS):
        return found
    after = ERAS[place + 1]
    # Until Showa the new era began on the very day of the change, which documents write in either era.
    same_day = after.first < date(1989, 1, 1)
    return found if found < after.first or (same_day and found == after.first) else None


def _range(name: str, low: object, high: object) -> tuple[date, date]:
    """The first and last day of the domain."""
    first, last = _limit(name, "from", low), _limit(name, "to", high)
    require(
        first <= last,
        name,
        Words(
            ja=f"from {first} から to {last} までに 1 日もありません。",
            en=f"from {first} to {last} holds no day",
        ),
    )
    count = last.toordinal() - first.toordinal() + 1
    require(
        count <= DOMAIN_MAX,
        name,
        Words(
            ja=f"from {first} から to {last} まで {count:,} 日あります（上限 {DOMAIN_MAX:,} 日）。",
            en=f"from {first} to {last} are {count:,} days, at most {DOMAIN_MAX:,}",
        ),
    )
    return first, last


def _limit(name: str, parameter: str, value: object) -> date:
    """YAML reads 2024-04-01 as a date by itself; a text of that form is as good, a time is not."""
    # Exactly a date: datetime is a subclass of it.
    if type(value) is date:
        return value
    found = parsed(value) if isinstance(value, str) else None
    if found is None:
        wanted = Words(ja=" 2024-04-01 のような日付", en="a date like 2024-04-01")
        raise fault(name, unlike(parameter, wanted, value))
    return found


def _nested(name: str, steps: object) -> list[str]:
    chosen = [choice(name, "dates", step, STEPS) for step in items(name, "dates", steps)]
    for finer, coarser in pairwise(chosen):
        require(
            coarser in NESTS[finer],
            name,
            Words(
                ja=f"dates：{finer} の次に {coarser} を置くことはできません"
                f"（{finer} の次に置けるもの：{_listed(NESTS[finer]) or 'なし'}）。",
                en=f"dates: {coarser} does not nest over {finer}; after {finer} may come "
                f"{_listed(NESTS[finer]) or 'nothing'}",
            ),
        )
    return chosen


def _listed(steps: set[str]) -> str:
    return ", ".join(step for step in STEPS if step in steps)


def _paths(known: Mapping[str, date], first: date, last: date, steps: Sequence[str]) -> list[Path]:
    # One set of writers for all levels: below an era, a month that crosses a change must be two labels.
    writers = [(ERA_WRITERS if steps[-1] == "era" else WRITERS)[step] for step in steps]
    places = {text: day.toordinal() for text, day in known.items()}
    # Every day of the range, not of the data: else the loss of a level would depend on who is in the file.
    days = {place: date.fromordinal(place) for place in range(first.toordinal(), last.toordinal() + 1)}
    canonical = {place: day.isoformat() for place, day in days.items()}
    labels = {place: tuple(write(day) for write in writers) for place, day in days.items()}
    return [(text, *labels[place]) for text, place in spellings(places, canonical)]


def _decade(day: date) -> str:
    start = day.year - day.year % 10
    return f"{start:04}-{start + 9:04}"


def _fiscal_year(day: date) -> str:
    return f"{day.year - (day.month < FISCAL_MONTH)}年度"


def _era_year(day: date) -> str:
    era = era_of(day)
    year = day.year - era.first.year + 1
    return f"{era.name}{'元' if year == 1 else year}年"


Writer = Callable[[date], str]
WRITERS: Mapping[str, Writer] = {
    "month": lambda day: day.isoformat()[:7],
    "year": lambda day: day.isoformat()[:4],
    "decade": _decade,
    "fiscal_year": _fiscal_year,
}
ERA_WRITERS: Mapping[str, Writer] = {
    "month": lambda day: f"{_era_year(day)}{day.month}月",
    "year": _era_year,
    "era": lambda day: era_of(day).name,
}
