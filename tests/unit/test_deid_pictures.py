"""Pictures of a column before and after publishing: what is drawn, what is said, and what cannot break out."""

from itertools import pairwise
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from api.formats.svg import shortened, width_of
from api.records.charts import AFTER, BEFORE, LABEL_WIDTH_MAX, svg
from privacy.deidentify.hierarchies.hierarchy import Hierarchy
from privacy.deidentify.table import Column
from privacy.deidentify.utility.comparison import BARS_MAX, Bar, BarKind, ColumnComparison, compare
from privacy.words import LANGUAGES, Language

SMALL = settings(deadline=None, derandomize=True, max_examples=60)
SVG = "{http://www.w3.org/2000/svg}"
TOWN = Hierarchy.of("town", [("a", "ab", "*"), ("b", "ab", "*"), ("c", "cd", "*"), ("d", "cd", "*")])


def mask(marks: str) -> np.ndarray:
    return np.array([mark == "x" for mark in marks])


def shares(drawn: ColumnComparison) -> dict[str, tuple[float, float]]:
    return {bar.label or bar.kind.value: (bar.before, bar.after) for bar in drawn.bars}


def same(values: list[str]) -> ColumnComparison:
    """A column published as it is, no row suppressed."""
    domain = dict.fromkeys(values) or ["u"]
    hierarchy = Hierarchy.of("x", [(value, "any") for value in domain])
    return compare(Column.of("x", values), hierarchy, 0, np.zeros(len(values), bool))


def changed(before: list[float], after: list[float], edges: tuple[float, ...] = ()) -> ColumnComparison:
    """Bars of given shares."""
    bars = (Bar(f"v{place}", *both) for place, both in enumerate(zip(before, after, strict=True)))
    return ColumnComparison("x", 100, tuple(bars), edges)


def drawn_as(drawn: ColumnComparison, language: Language = "en") -> ElementTree.Element:
    return ElementTree.fromstring(svg(drawn, language=language))


def texts(picture: ElementTree.Element) -> list[str]:
    return [each.text or "" for each in picture.iter(f"{SVG}text")]


def bars_painted(picture: ElementTree.Element, paint: str) -> list[float]:
    """Widths of the bars of a colour, the legend's left out."""
    return [float(each.attrib["width"]) for each in picture.iterfind(f"{SVG}g/{SVG}rect[@fill='{paint}']")]


# what is counted


def test_a_label_is_shared_out_evenly_among_its_values() -> None:
    drawn = compare(Column.of("town", list("aaac")), TOWN, 1, mask("...."))
    assert shares(drawn) == {"a": (0.75, 0.375), "c": (0.25, 0.125), "b": (0, 0.375), "d": (0, 0.125)}
    assert drawn.spread


def test_rows_have_levels_of_their_own_and_the_suppressed_a_bar_of_their_own() -> None:
    levels = np.array([0, 1, 2, 0], dtype=np.int8)
    drawn = compare(Column.of("town", list("aabd")), TOWN, levels, mask("...x"))
    assert shares(drawn) == {
        "a": (0.5, 0.25 + 0.125 + 0.0625),
        "b": (0.25, 0.125 + 0.0625),
        "d": (0.25, 0.0625),
        "c": (0, 0.0625),
        "suppressed": (0, 0.25),
    }


def test_a_column_left_as_it_is_needs_no_word_on_spreading() -> None:
    drawn = compare(Column.of("town", list("aabd")), TOWN, 0, mask("...."))
    assert not drawn.spread
    assert all(bar.before == bar.after for bar in drawn.bars)


def test_missing_values_are_a_bar_of_their_own() -> None:
    assert shares(same(["u", "v", "", " "])) == {"u": (0.25, 0.25), "v": (0.25, 0.25), "missing": (0.5, 0.5)}


def test_a_suppressed_row_is_not_counted_by_the_text_it_would_have_had() -> None:
    drawn = compare(Column.of("town", list("aab")), TOWN, 0, mask("x.x"))
    assert shares(drawn) == {"a": (2 / 3, 1 / 3), "b": (1 / 3, 0), "suppressed": (0, 2 / 3)}


def test_a_star_that_the_source_has_is_a_value() -> None:
    assert shares(same(["*", "u"])) == {"*": (0.5, 0.5), "u": (0.5, 0.5)}


def test_rare_values_are_summed_into_one_bar_that_says_how_many_they_are() -> None:
    many = [f"v{place}" for place in reversed(range(30)) for _ in range(31 - place)]
    drawn = same(many)
    assert len(drawn.bars) == BARS_MAX
    assert [bar.label for bar in drawn.bars[:2]] == ["v0", "v1"]
    rest = drawn.bars[-1]
    assert (rest.kind, rest.values) == (BarKind.REST, 30 - BARS_MAX + 1)
    assert "Others (11 values)" in texts(drawn_as(drawn))


def test_few_numbers_are_bars_in_their_own_order() -> None:
    drawn = same(["10", "2", "2", "1"])
    assert [bar.label for bar in drawn.bars] == ["1", "2", "10"]
    assert drawn.edges == ()


def test_many_numbers_are_a_histogram_with_round_edges() -> None:
    drawn = same([str(age) for age in range(100)])
    assert drawn.edges == tuple(float(edge) for edge in range(0, 105, 5))[: len(drawn.bars) + 1]
    assert {bar.before for bar in drawn.bars} == {0.05}


def test_a_decimal_on_an_edge_belongs_to_the_bin_above_it() -> None:
    drawn = same([f"{place / 10:.1f}" for place in range(20)])
    assert {bar.before for bar in drawn.bars} == {1 / 20}


def test_extreme_numbers_fall_into_the_end_bins_and_the_note_says_so() -> None:
    drawn = same([*(str(n) for n in range(1000)), "999999999"])
    assert drawn.edges[-1] <= 1100
    assert drawn.beyond
    assert any("beyond the axis" in text for text in texts(drawn_as(drawn)))


@pytest.mark.parametrize("codes", [[f"{n:05}" for n in range(50)], [*(str(n) for n in range(50)), "none"]])
def test_codes_and_words_are_not_taken_for_numbers(codes: list[str]) -> None:
    assert same(codes).edges == ()


@SMALL
@given(
    st.lists(
        st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.integers(-(10**6), 10**6)), max_size=60
    ).map(lambda numbers: [str(number) for number in numbers]),
    st.lists(st.text(max_size=5), max_size=30),
)
@example([str(1e14 + n / 100) for n in range(20)], [])
@example([f"{n}e-320" for n in range(20)], [])
def test_no_row_is_lost_and_every_picture_is_well_formed(numbers: list[str], words: list[str]) -> None:
    for told in (numbers, words, numbers + words):
        drawn = same(told)
        assert sum(bar.before for bar in drawn.bars) == pytest.approx(float(bool(told)))
        assert sum(bar.after for bar in drawn.bars) == pytest.approx(float(bool(told)))
        assert len(drawn.of(BarKind.VALUE, BarKind.REST)) <= BARS_MAX
        drawn_as(drawn)


# what is drawn


def test_bars_are_as_long_as_their_shares() -> None:
    picture = drawn_as(changed([0.75, 0.25], [0.25, 0.75]))
    long, short = bars_painted(picture, BEFORE)
    assert long == pytest.approx(3 * short, abs=0.2)
    assert bars_painted(picture, AFTER) == pytest.approx([short, long])


def test_the_published_histogram_is_a_line_over_the_filled_source() -> None:
    picture = drawn_as(changed([0.5, 0.5], [0.9, 0.1], edges=(0.0, 10.0, 20.0)))
    filled = picture.find(f"{SVG}path[@fill='{BEFORE}']")
    line = picture.find(f"{SVG}path[@stroke='{AFTER}']")
    assert filled is not None
    assert line is not None
    assert line.attrib["fill"] == "none"
    assert lowest(filled) > lowest(line), "the taller series reaches nearer to the top"


def lowest(path: ElementTree.Element) -> float:
    return min(float(point.split()[1]) for point in path.attrib["d"].strip("MZ").split("L"))


def test_nothing_is_turned_on_its_side() -> None:
    assert "rotate" not in svg(same([str(n * 10**6) for n in range(99)]))


def test_edge_labels_leave_room_for_each_other() -> None:
    picture = drawn_as(same([str(n * 10**6) for n in range(99)]))
    at = [
        (float(each.attrib["x"]), each.text or "")
        for each in picture.iter(f"{SVG}text")
        if (each.text or "").endswith(",000")
    ]
    assert len(at) >= 3
    for (x, name), (after, following) in pairwise(at):
        assert after - x > 6.5 * (len(name) + len(following)) / 2


def test_every_note_fits_its_line_and_lies_in_the_picture() -> None:
    ages = Hierarchy.of("age", [(str(n), "*") for n in [*range(1000), 10**9]])
    drawn = compare(Column.of("age", list(ages.domain)), ages, 1, np.zeros(1001, bool))
    for language in LANGUAGES:
        picture = drawn_as(drawn, language)
        notes = [each for each in picture.iterfind(f"{SVG}text") if float(each.attrib["y"]) > 345]
        assert len(notes) == 3
        assert all(16 + 6 * width_of(each.text or "") < 720 for each in notes)
        assert all(float(each.attrib["y"]) < float(picture.attrib["height"]) - 6 for each in notes)


def test_a_picture_says_in_words_what_it_shows() -> None:
    picture = drawn_as(compare(Column.of("town", list("aaac")), TOWN, 1, mask("...x")))
    title, description = picture.find(f"{SVG}title"), picture.find(f"{SVG}desc")
    assert title is not None
    assert description is not None
    assert picture.attrib["role"] == "img"
    assert picture.attrib["aria-labelledby"] == title.attrib["id"]
    assert picture.attrib["aria-describedby"] == description.attrib["id"]
    assert "a: before 75.0 %, after 37.5 %" in (description.text or "")
    assert "Suppressed: before 0 %, after 25.0 %" in (description.text or "")
    assert "Share of all 4 rows." in texts(picture)
    assert any(text.startswith("A generalised label is drawn spread") for text in texts(picture))


def test_the_words_are_japanese_where_asked() -> None:
    sex = Hierarchy.of("x", [("男", "*"), ("女", "*"), ("", "*")])
    picture = drawn_as(compare(Column.of("x", ["男", "女", ""]), sex, 0, mask(".x.")), "ja")
    assert {"x：加工前と加工後の分布", "加工前", "加工後", "欠損", "削除"} <= set(texts(picture))
    assert picture.attrib["lang"] == "ja"


def test_two_pictures_in_one_page_do_not_share_ids() -> None:
    ids = [drawn_as(same(values)).attrib["aria-labelledby"] for values in (["u"], ["v"])]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    "evil", ["</text><script>alert(1)</script>", "a&b", "' onload='x", "\x00\ud800\uffff"]
)
def test_no_text_of_the_data_becomes_markup(evil: str) -> None:
    drawn = ColumnComparison(evil, 1, (Bar(evil, 1.0, 1.0),))
    picture = drawn_as(drawn)
    assert {each.tag.removeprefix(SVG) for each in picture.iter()} == {
        "svg", "title", "desc", "rect", "text", "path", "g",
    }  # fmt: skip
    assert not any("onload" in each.attrib for each in picture.iter())


def test_a_share_too_small_to_print_is_not_called_nothing() -> None:
    assert "<0.1 %" in texts(drawn_as(ColumnComparison("x", 10**6, (Bar("u", 1e-6, 0.0),))))


# labels


def test_a_wide_label_loses_its_middle_and_keeps_both_ends() -> None:
    told = shortened("東京都千代田区丸の内一丁目二番三号なにがしビル", LABEL_WIDTH_MAX)
    assert width_of(told) <= LABEL_WIDTH_MAX
    assert told.startswith("東京都")
    assert told.endswith("ビル")


@SMALL
@given(st.text(max_size=80), st.integers(4, 40))
def test_a_shortened_label_fits(text: str, width: int) -> None:
    assert width_of(shortened(text, width)) <= width


def test_a_full_label_stays_where_the_pointer_rests() -> None:
    label = "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch"
    picture = drawn_as(same([label]))
    assert label not in texts(picture)
    assert any(label in (each.text or "") for each in picture.iterfind(f"{SVG}g/{SVG}title"))
