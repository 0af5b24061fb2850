"""Search a column's distinct texts: counts, places and a verdict for every detector that matched.

The number of texts is bounded by memory only: all are searched as one text with a line end between them.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from math import exp, log

import numpy as np
from numpy.typing import NDArray

from privacy.deidentify.detectors.catalogue import DETECTORS, Detector
from privacy.deidentify.detectors.digits import Tested, matrix

TAIL_MAX = 0.01
"""Matches that random numbers would show with at most this probability are above chance (policy)."""

SERIES_LEAST = 10
"""Fewer values than this with a number inside are no series."""

Places = NDArray[np.intp]


class DetectorResult(StrEnum):
    """What the matches of one detector in one column mean."""

    FINDING = "finding"
    QUESTION = "question"
    """No more than chance would give, or a shape with harmless readings: a person must look."""
    NOTE = "note"
    """Found, and not about a person."""


@dataclass(frozen=True, slots=True, eq=False)
class Matched:
    """The matches of one detector in one column, counted in distinct values."""

    detector: Detector
    verdict: DetectorResult
    values: int
    """How many distinct values were searched."""
    candidates: int
    """Values that as a whole have the shape, each an independent try of the check."""
    passing: int
    """Those of them that pass."""
    embedded: int
    """Values with a match inside a longer text, or with a layout that speaks for itself."""
    tail: float
    """A bound on the chance that as many random candidates pass."""
    places: Places
    """Where in the given values the matches are."""


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    """Normalised values, the plain numbers apart by length and the rest as one text with their line starts."""

    values: int
    numbers: dict[int, tuple[list[str], Places]]
    joined: str
    starts: Places
    places: Places

    def holders(self, positions: Iterable[int]) -> Places:
        """The index of the text that holds each position of the joined text."""
        found = np.fromiter(positions, np.intp)
        return np.searchsorted(self.starts, found, side="right").astype(np.intp) - 1


_DASHES = str.maketrans(
    dict.fromkeys("‐‑‒–—―−─﹣", "-") | dict.fromkeys("\n\r\t\v\f\x1c\x1d\x1e\x85\u2028\u2029", " ")
)
_LONG_VOWEL = re.compile(r"(?<=[0-9])ー(?=[0-9])")
_OPAQUE = re.compile(
    r"[0-9a-f]{12,}|[0-9A-F]{16,}|(?:[0-9a-fA-F]{4}-?){2}(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
)
"""Hexadecimal digests and UUIDs: the digits in them are no numbers, nor are those digests that have no letter."""
_DECIMAL = re.compile(r"[-+]?[0-9]*\.[0-9]+(?:[eE][-+]?[0-9]+)?|[-+][0-9]+")


def normalised(text: str) -> str:
    """The text in NFKC, its dashes between digits as hyphens, in one line and without spaces around."""
    # Most texts are ASCII, which NFKC leaves as it is and takes long for.
    if text.isascii():
        return text.translate(_DASHES).strip()
    plain = unicodedata.normalize("NFKC", text).translate(_DASHES).strip()
    # ー is a dash only between digits (090ー1234): elsewhere it is the long vowel of ヨーコ.
    return _LONG_VOWEL.sub("-", plain)


def _texts(values: Sequence[str]) -> _Texts:
    numbers: dict[int, tuple[list[str], list[int]]] = {}
    rest: list[str] = []
    places: list[int] = []
    opaque: Counter[int] = Counter()
    for place, value in enumerate(values):
        text = value if value.isascii() and value.isdigit() else normalised(value)
        if text.isascii() and text.isdigit():
            group = numbers.setdefault(len(text), ([], []))
            group[0].append(text)
            group[1].append(place)
        elif _OPAQUE.fullmatch(text):
            opaque[len(text)] += 1
        elif text and not _DECIMAL.fullmatch(text):
            rest.append(text)
            places.append(place)
    # One more for the line end between the texts.
    lengths = np.fromiter((len(text) + 1 for text in rest), np.intp, len(rest))
    return _Texts(
        len(values),
        {
            length: (texts, np.array(own, np.intp))
            for length, (texts, own) in numbers.items()
            # Some digests have digits alone; a length that mostly holds digests is not one of numbers.
            if len(texts) > opaque[length]
        },
        "\n".join(rest),
        np.cumsum(lengths) - lengths,
        np.array(places, np.intp),
    )


def tail_bound(*, trials: int, passing: int, chance: float) -> float:
    """A bound on the probability that at least `passing` of independent trials pass, `chance` being their mean.

    exp(-n KL(m/n ‖ p)) (Chernoff 1952; Hoeffding 1963, theorem 1, for unequal chances).
    """
    # The bound holds above the mean only; below it nothing is remarkable.
    if trials == 0 or passing <= trials * chance:
        return 1.0
    if chance == 0:
        return 0.0
    share = passing / trials
    divergence = share * log(share / chance)
    if share < 1:
        divergence += (1 - share) * log((1 - share) / (1 - chance))
    return exp(-trials * divergence)


@dataclass(slots=True)
class _Tally:
    """Independent tries of a check: how many, how many passed, and how many would by chance."""

    candidates: int = 0
    tried: int = 0
    expected: float = 0.0

    def add(self, tested: Tested) -> None:
        """Count whole values that were tested."""
        self.candidates += int(tested.trials.sum())
        self.tried += int((tested.passes & tested.trials).sum())
        self.expected += float(tested.chance[tested.trials].sum())

    def tail(self) -> float:
        """`tail_bound` of what was counted."""
        # The theorem for unequal chances needs their mean alone.
        mean = self.expected / self.candidates if self.candidates else 0.0
        return tail_bound(trials=self.candidates, passing=self.tried, chance=mean)


_NONE = np.zeros(0, np.intp)


def _plain_numbers(detector: Detector, texts: _Texts, tally: _Tally) -> list[Places]:
    found = []
    for length, rule in detector.rules.items():
        if length in texts.numbers:
            numbers, places = texts.numbers[length]
            tested = rule(matrix(numbers, length))
            tally.add(tested)
            found.append(places[tested.passes])
    return found


_SEPARATORS = str.maketrans("", "", "- ")


@dataclass(frozen=True, slots=True, eq=False)
class _Runs:
    """Numbers of one length in the joined text: their tests, which are a value as a whole, and whose they are."""

    tested: Tested
    whole: NDArray[np.bool_]
    places: Places


def _runs(detector: Detector, texts: _Texts) -> list[_Runs]:
    assert detector.run is not None
    group_of = "number" if "number" in detector.run.groupindex else 0
    groups: dict[int, tuple[list[str], list[int], list[int]]] = {}
    for match in detector.run.finditer(texts.joined):
        number = match[group_of].translate(_SEPARATORS)
        group = groups.setdefault(len(number), ([], [], []))
        group[0].append(number)
        group[1].append(match.start(group_of))
        group[2].append(match.end(group_of))
    # The line end before the next text is no part of this one.
    ends = np.append(texts.starts[1:] - 1, len(texts.joined))
    found = []
    for length, (numbers, begins, stops) in groups.items():
        holders = texts.holders(begins)
        whole = (texts.starts[holders] == begins) & (ends[holders] == stops)
        tested = detector.rules[length](matrix(numbers, length))
        found.append(_Runs(tested, whole, texts.places[holders]))
    return found


def _is_series(runs: Sequence[_Runs], texts: _Texts) -> bool:
    """Whether most values have such a number: then it is a serial number with a prefix, to be judged by its rate."""
    holding = _distinct([run.places for run in runs])
    return len(holding) >= SERIES_LEAST and 2 * len(holding) > texts.values


def _count_runs(runs: Sequence[_Runs], tally: _Tally, *, series: bool) -> tuple[list[Places], list[Places]]:
    """The places that pass: judged by their rate, and those that speak for themselves."""
    rated, outright = [], []
    for run in runs:
        by_rate = run.whole | series
        tally.add(Tested(run.tested.passes, run.tested.trials & by_rate, run.tested.chance))
        rated.append(run.places[run.tested.passes & by_rate])
        outright.append(run.places[run.tested.passes & ~by_rate])
    return rated, outright


def _marked(detector: Detector, texts: _Texts) -> Places:
    assert detector.marked is not None
    accepts = detector.accepts
    starts = (
        match.start()
        for match in detector.marked.finditer(texts.joined)
        if accepts is None or accepts(match[0])
    )
    return texts.places[np.unique(texts.holders(starts))]


def _searchable(detector: Detector, texts: _Texts) -> bool:
    return bool(texts.joined) and (not detector.needs or any(need in texts.joined for need in detector.needs))


def _distinct(found: Sequence[Places]) -> Places:
    return np.unique(np.concatenate([_NONE, *found]))


def _verdict(
    detector: Detector, *, hinted: bool, outright: bool, embedded: int, tail: float
) -> DetectorResult | None:
    if not detector.personal:
        return DetectorResult.NOTE
    if hinted or outright or tail <= TAIL_MAX or (embedded and not detector.tentative):
        return DetectorResult.FINDING
    # Account numbers have no check digit: in any column of seven digits a question would be raised.
    if detector.quiet and not embedded:
        return None
    return DetectorResult.QUESTION


def _matched(detector: Detector, texts: _Texts, *, hinted: bool) -> Matched | None:
    tally = _Tally()
    wholes = _plain_numbers(detector, texts, tally)
    inside: list[Places] = []
    plain = tally.candidates
    if _searchable(detector, texts):
        if detector.run is not None:
            runs = _runs(detector, texts)
            more, inside = _count_runs(runs, tally, series=_is_series(runs, texts))
            wholes += more
        if detector.marked is not None:
            (wholes if detector.rated else inside).append(_marked(detector, texts))
    whole, embedded = _distinct(wholes), _distinct(inside)
    # Names have no check: how many values look like one is compared with how many words would.
    if detector.rated:
        tally = _Tally(len(texts.places), len(whole), len(texts.places) * detector.chance)
    places = np.union1d(whole, embedded)
    if not len(places):
        return None
    tail = tally.tail()
    # In a column that is mostly free text a number that passes is there for itself, not one of a series.
    free = 2 * (len(texts.places) - (tally.candidates - plain)) > texts.values
    outright = free and not (detector.rated or detector.quiet or detector.tentative)
    verdict = _verdict(detector, hinted=hinted, outright=outright, embedded=len(embedded), tail=tail)
    if verdict is None:
        return None
    return Matched(detector, verdict, texts.values, tally.candidates, len(whole), len(embedded), tail, places)


def detect(
    name: str, values: Sequence[str], *, detectors: Sequence[Detector] = DETECTORS
) -> tuple[Matched, ...]:
    """What the detectors find in the distinct values of a column called `name`.

    Findings are: a layout that speaks for itself, a number that passes its check within a longer text or in a
    column that is mostly free text, and any match in a column whose name says so. Plain numbers that pass a
    check are a finding if more pass than chance explains (`tail_bound` at most TAIL_MAX), else a question.
    """
    texts = _texts(values)
    # Names of columns come in full width too: ＴＥＬ.
    called = unicodedata.normalize("NFKC", name)
    found = (_matched(one, texts, hinted=bool(one.hint.search(called))) for one in detectors)
    return tuple(matched for matched in found if matched is not None)
