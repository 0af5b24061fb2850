"""Lines of free text: whatever is shown again does nothing to the terminal or page that shows it."""

import pytest

from datasets.database.texts import line_of
from datasets.ledger.errors import NoReason
from datasets.ledger.grants import _reason as of_grant
from datasets.people.errors import InvalidTitle
from datasets.people.titles import Titles
from datasets.registration.errors import RegistrationRefused
from datasets.registration.lifecycle import _reason as of_lifecycle
from datasets.registration.registry import _reason as of_lineage
from datasets.stops import StopNeedsReason
from datasets.stops import _reason as of_stop

UNFIT = [
    *(
        "ok\nuser hana  2026  stopped by operator:root: fake",
        "ok\n",
        "\nok",
        "a\r\nb",
        "a\rb",
        "a\tb",
        "a\x07b",
    ),
    *("\x1b[2J", "a\x7fb", "a\x85b", "a\x9b2J", "\x1ca", "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b"),
    *(
        "a\u200fb",
        "a\u200bb",
        "\ufeffa",
        "a\u00adb",
        "\udcff",
        "a\ud83d",
        "a\U000e0041b",
        "a\U000e0fffb",
        "\u3164",
    ),
    *("a\u2800b", "\uffa0", "a\0b"),
]
FIT = [
    "ok",
    "契約の延長（3 か月分）",
    "葛󠄀城市",
    "\ue000 田",
    "naïve — “x”",
    "😀",
    "全角　空白",
    "a\"b\\c'{d}",
]


@pytest.mark.parametrize("text", UNFIT, ids=ascii)
def test_what_does_something_to_whoever_shows_it_is_no_reason_and_no_title(text: str) -> None:
    assert line_of(text, most=1_000) is None
    for reason, refusal in (
        (of_grant, NoReason),
        (of_stop, StopNeedsReason),
        (of_lifecycle, RegistrationRefused),
        (of_lineage, RegistrationRefused),
    ):
        with pytest.raises(refusal, match=r"one line.*control or invisible"):
            reason(text)
    with pytest.raises(InvalidTitle):
        Titles(ja=text)


@pytest.mark.parametrize("text", FIT)
def test_what_people_write_is_kept_as_it_is(text: str) -> None:
    assert [reason(f" {text} ") for reason in (of_grant, of_stop, of_lifecycle, of_lineage)] == [text] * 4
    assert Titles(ja=text).ja == text


@pytest.mark.parametrize("text", ["", " ", "　", "x" * 1_001])
def test_a_line_has_a_length(text: str) -> None:
    assert line_of(text, most=1_000) is None
