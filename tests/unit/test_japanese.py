"""Japanese texts hold no English: what stands in them in Latin letters is a proper name, or is typed and explained.

What is filled into them is looked at where it is: over HTTP (`tests/http/test_refusals_that_teach.py`) and at the
terminal (`test_spoken_commands.py`).
"""

import re

import pytest
from japanese import JAPANESE, LATIN, PROPER_NAMES, ROOT, Text, english_in, texts, typed

TEXTS = list(texts())
WRONG_TERMS = {
    "課金": "予算の消費",
    "値段": "予算の消費量",
    "価格": "予算の消費量",
    "無料": "予算を消費しない",
    "見本市": "架空の市",
    "仕訳": "予算台帳",
    "原本": "元データ",
    "版": "バージョン",
    "分の 1": "倍",
    "ディスクリプタ": "データ定義ファイル",
    "記述子": "データ定義ファイル",
    "リハーサル": "試行",
    "APIキー": "API キー",
}


def test_every_text_is_found_that_people_read() -> None:
    assert len(TEXTS) > 1_000
    files = {text.place.partition(":")[0] for text in TEXTS}
    assert {
        "api/http/problem_words.py",
        "api/settings.py",
        "api/description/templates/problem.html",
        "privacy/notes.py",
        "datasets/descriptor/structure.py",
        "descriptor.schema.json",
    } <= files


def test_latin_words_in_japanese_texts_are_proper_names_or_stand_as_code_in_a_guide() -> None:
    found = {f"{text.place} {text.text}": english_in(text.text) for text in TEXTS}
    assert {place: words for place, words in found.items() if words} == {}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("要素数は 1 or more (between: 2) です", ["or", "more"]),
        ("YAML として読めません（found a mapping）", ["found", "a", "mapping"]),
        ("{given} は within に指定できません", []),
        ("docs/settings.md の SUDARE_BIND は 2026-11-22T09:00:00+09:00 のように", []),
    ],
)
def test_english_is_recognised(text: str, words: list[str]) -> None:
    assert english_in(text) == words


def test_no_proper_name_is_on_the_list_for_nothing() -> None:
    used = set(LATIN.findall(" ".join(text.text for text in TEXTS)))
    assert {name for name in PROPER_NAMES if name not in used} <= {"ID"}


@pytest.mark.parametrize("wrong", WRONG_TERMS)
def test_terms_are_those_of_the_office(wrong: str) -> None:
    assert [text for text in TEXTS if wrong in text.text] == []


@pytest.mark.parametrize("wrong", ["仕訳", "原本", "版"])
def test_guides_and_messages_use_one_term_for_each_thing(wrong: str) -> None:
    guides = [*ROOT.glob("*.ja.md"), *ROOT.glob("docs/*.ja.md")]
    assert len(guides) > 8
    assert [guide.name for guide in guides if wrong in guide.read_text("utf-8")] == []


def test_the_ledger_is_called_by_its_whole_name() -> None:
    short = re.compile(r"(?<!予算)(?<!基本)台帳")
    assert [text for text in TEXTS if short.search(text.text)] == []


def test_what_is_typed_comes_from_guides_and_not_from_prose() -> None:
    assert {"within", "is_missing", "SUDARE_BIND", "budget"} <= typed()
    assert "colleagues" not in typed()
    assert all(isinstance(text, Text) for text in TEXTS if JAPANESE.search(text.text))
