"""The guides say the same in both languages, in Japanese without English left inside and in the terms of the law.

A guide is a `name.md` with a `name.ja.md` beside it. What a reader types or looks up (headings, blocks, rows of
tables, names of members, codes and settings) must stand in both; how it is explained may differ.
"""

import json
import re
import shlex
from itertools import zip_longest
from pathlib import Path

import pytest
import yaml

from api.http.problem_words import PROBLEMS
from api.settings import PREFIX
from datasets.descriptor.descriptor import Descriptor, View
from datasets.descriptor.descriptor import read as described

ROOT = Path(__file__).resolve().parents[2]
JAPANESE = sorted([*ROOT.glob("*.ja.md"), *ROOT.glob("docs/*.ja.md")])
# This one is a short way in, and says that the English guide has the rest.
SUMMARY = "deidentify.ja.md"
PAIRS = [(file.with_name(file.name.replace(".ja.md", ".md")), file) for file in JAPANESE]
WHOLE = [pair for pair in PAIRS if pair[1].name != SUMMARY]
FENCE = re.compile(r"^( *)```([^\n`]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`]+)`")
CELL_END = re.compile(r"(?<!\\) \|")
FORBIDDEN = (
    "課金", "値段", "無料", "有料", "価格", "料金", "見本", "元帳", "ディスクリプタ", "ダミー", "所有者", "名簿",
)  # fmt: skip
# Names of products, formats and standards, and abbreviations that have no Japanese form.
LATIN_WORDS = {
    "Apache", "API", "Arrow", "ASCII", "C", "CPU", "CSV", "Ctrl", "DuckDB", "e", "Excel", "GiB", "git",
    "gunicorn", "HTTP", "ID", "JSON", "k", "l", "License", "Lines", "make", "MiB", "ms", "n", "NaN",
    "NFC", "nginx", "OWASP", "Parquet", "Pointer", "PostgreSQL", "Prometheus", "Python", "SIGTERM",
    "SQL", "SQLite", "Sudare",
    "systemd", "t", "TLS", "Unicode", "UNIX", "UTF", "Windows", "Wong", "XLSX", "YAML", "zCDP",
}  # fmt: skip


def named(pair):
    return pair[1].name


def sections(text):
    """Level and title of each heading with the text below it, blocks left out."""
    parts = re.split(r"^(#+) (.*)$", FENCE.sub("", text), flags=re.MULTILINE)
    return list(zip(parts[1::3], parts[2::3], parts[3::3], strict=True))


def blocks(text):
    return [(kind.strip(), block) for _, kind, block in FENCE.findall(text)]


def without_words(kind, block):
    """What of a block must be alike: all of it but comments, texts for people and line ends."""
    if kind == "yaml":
        return yaml.safe_load(block)
    if kind.partition(" ")[0] in ("json", "csv") or kind == "sh question":
        return block
    # The Japanese guide asks for Japanese messages.
    block = block.replace(" -H 'Accept-Language: ja'", "")
    bare = re.sub(r'"[^"\n]*"', '""', re.sub(r"(^|\s+)#.*$", "", block, flags=re.MULTILINE))
    return [re.sub(r"\S*[^\x00-\x7f]\S*", "…", line).split() for line in bare.splitlines() if line.strip()]


def rows(text):
    """The first cell of each row of each table; words for people are left out."""
    lines = [line for line in FENCE.sub("", text).splitlines() if line.lstrip().startswith("| ")]
    first = [CELL_END.split(line.strip()[2:])[0] for line in lines]
    return [SPAN.findall(cell) for cell in first]


@pytest.mark.parametrize("pair", PAIRS, ids=named)
def test_each_language_links_to_the_other(pair):
    english, japanese = pair
    assert f"[日本語]({japanese.name})" in english.read_text("utf-8")
    assert f"({english.name})" in japanese.read_text("utf-8")


def test_the_guides_for_askers_and_operators_are_there_in_both_languages():
    whole = {japanese.name for _, japanese in WHOLE}
    assert {"asking.ja.md", "datasets.ja.md", "settings.ja.md", "operating.ja.md", "epsilon.ja.md"} <= whole


@pytest.mark.parametrize("pair", WHOLE, ids=named)
def test_the_headings_are_the_same_in_number_and_level(pair):
    english, japanese = (sections(file.read_text("utf-8")) for file in pair)
    for ours, theirs in zip_longest(english, japanese):
        assert (ours and ours[0]) == (theirs and theirs[0]), (ours, theirs)


@pytest.mark.parametrize("pair", WHOLE, ids=named)
def test_the_blocks_are_the_same_but_for_comments_and_words(pair):
    english, japanese = (blocks(file.read_text("utf-8")) for file in pair)
    assert [kind for kind, _ in japanese] == [kind for kind, _ in english]
    for (kind, ours), (_, theirs) in zip(english, japanese, strict=True):
        assert without_words(kind, theirs) == without_words(kind, ours)


@pytest.mark.parametrize("pair", WHOLE, ids=named)
def test_the_tables_have_the_same_rows(pair):
    english, japanese = (rows(file.read_text("utf-8")) for file in pair)
    assert japanese == english


@pytest.mark.parametrize("pair", WHOLE, ids=named)
def test_every_name_that_a_section_gives_in_english_it_gives_in_japanese(pair):
    english, japanese = (sections(file.read_text("utf-8")) for file in pair)
    for (_, heading, ours), (_, title, theirs) in zip(english, japanese, strict=True):
        missing = typed(heading + ours) - typed(title + theirs)
        assert not missing, f"{heading}: {sorted(missing)}"


def typed(text):
    """The names in code type. A guide is named in the reader's language."""
    return {" ".join(span.split()).replace(".ja.md", ".md") for span in SPAN.findall(text)}


def anchors(file):
    """Where a link into a file may lead: its headings as they stand in an address."""
    titles = [title.lower() for _, title, _ in sections(file.read_text("utf-8"))]
    return {re.sub(r"[^\w -]", "", title).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("file", [file for pair in PAIRS for file in pair], ids=lambda file: file.name)
def test_every_link_to_a_heading_leads_to_one(file):
    for address, anchor in re.findall(r"\]\(([^)#: ]*)#([^)]+)\)", file.read_text("utf-8")):
        assert anchor in anchors(file.parent / address if address else file)


def test_every_default_in_the_japanese_table_is_that_of_the_english_one():
    english, japanese = (
        re.findall(
            rf"^\| `({PREFIX}\w+)` \| (`[^`]*`|)", (ROOT / "docs" / name).read_text("utf-8"), re.MULTILINE
        )
        for name in ("settings.md", "settings.ja.md")
    )
    assert len(english) > 10
    assert japanese == english


def test_every_problem_code_is_explained_in_japanese_with_its_status():
    guide = (ROOT / "docs" / "asking.ja.md").read_text("utf-8")
    explained = dict(re.findall(r"^\| `(\w+)` \| (\d{3}) \| \S", guide, re.MULTILINE))
    assert explained == {code: str(problem.status) for code, problem in PROBLEMS.items()}


def test_the_descriptors_in_the_japanese_guide_are_good():
    guide = (ROOT / "docs" / "datasets.ja.md").read_text("utf-8")
    shown = [described(block) for kind, block in blocks(guide) if kind == "yaml" and block.startswith("id:")]
    assert [type(item) for item in shown] == [Descriptor, View]


@pytest.mark.parametrize("name", ["asking.md", "asking.ja.md"])
def test_the_eight_questions_are_whole_lines_for_a_shell(name):
    guide = (ROOT / "docs" / name).read_text("utf-8")
    lines = [
        shlex.split(block.replace("\\\n", " ")) for kind, block in blocks(guide) if kind == "sh question"
    ]
    assert len(lines) == 8
    for line in lines:
        assert line[0] == "curl"
        assert json.loads(line[line.index("-d") + 1])["select"]
    keys = [word for line in lines for word in line if word.startswith("Idempotency-Key:")]
    assert len(set(keys)) == 8


@pytest.mark.parametrize("file", JAPANESE, ids=lambda file: file.name)
def test_no_english_word_is_left_in_the_japanese(file):
    left = set(re.findall(r"[A-Za-z]+", prose(file.read_text("utf-8")))) - LATIN_WORDS
    assert not left


@pytest.mark.parametrize("file", JAPANESE, ids=lambda file: file.name)
def test_the_terms_are_those_of_the_law_and_of_each_other(file):
    text = re.sub(r"顧客名簿", "", file.read_text("utf-8"))
    assert [word for word in FORBIDDEN if word in text] == []
    registers = re.findall(r".{0,8}(?<!予算)(?<!住民基本)台帳.{0,8}", text)
    assert registers == []


def prose(text):
    """What is left for people to read: no blocks, no names in code type, no addresses of links."""
    bare = re.sub(r"<[^>]*>", "", SPAN.sub("", FENCE.sub("", text)))
    # A link is left as its words, unless these are the name of a file or of the other language.
    return re.sub(
        r"!?\[([^\]]*)\]\([^)]*\)",
        lambda link: re.sub(r"[\w./-]+/[\w.-]*|[\w.]+\.\w+|English", "", link[1]),
        bare,
    )
