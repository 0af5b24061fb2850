"""XLSX: the table on one sheet, and on another what it takes to understand it without having been there.

Texts are written as texts, so none is ever a formula; numbers as numbers. The same answer gives the same bytes.
"""

import io
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from api.formats.base import AnswerFormat, RenderableAnswer
from api.formats.column_words import column_title, column_words, percent
from api.formats.svg import width_of
from privacy.about import spoken
from privacy.result_columns import AnswerColumn
from privacy.schema import Label
from privacy.words import Words

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
DIGITS_MAX = 10**15
"""Spreadsheets keep fifteen digits; larger whole numbers are written as text, which loses none."""

WIDTH_MIN, WIDTH_MAX = 8, 60
CELL_MAX = 32_767
"""The characters that a cell of a spreadsheet may hold."""

JAPAN = timezone(timedelta(hours=9))
REHEARSED_AT = datetime(2000, 1, 1, tzinfo=UTC)
"""A rehearsal tells no time, and a file must have one."""

DATA, NOTES = "データ", "説明 Notes"
FACTS = {
    "question_text": Words(ja="質問", en="What was asked"),
    "question": Words(ja="質問（JSON）", en="The question as JSON"),
    "title": Words(ja="データセット", en="Dataset"),
    "id": Words(ja="データセットの ID とバージョン", en="Id and version of the dataset"),
    "row_is": Words(ja="1 行の表すもの", en="A row of the data is"),
    "reference_date": Words(ja="基準日", en="Reference date"),
    "body": Words(ja="地方公共団体コード", en="Code of the local government"),
    "contact": Words(ja="問い合わせ先", en="Contact"),
    "terms": Words(ja="利用条件", en="Terms of use"),
    "mode": Words(ja="種別", en="Kind of answer"),
    "query": Words(ja="回答の ID", en="Id of the answer"),
    "asked_at": Words(ja="質問した日時（日本時間）", en="Asked at (Japan time)"),
    "charge": Words(ja="予算の消費", en="Charged"),
    "confidence": Words(ja="区間の信頼度", en="Confidence of the bounds"),
    "fingerprint": Words(ja="質問の指紋", en="Fingerprint of the question"),
}
MODES = {
    "run": Words(ja="実データによる回答", en="an answer from the data"),
    "dummy": Words(ja="模擬データによる試行の回答", en="a rehearsal from generated data"),
}
NOTE, COLUMN = Words(ja="注記", en="Note"), Words(ja="列", en="Column")
HEAD = (
    Words(ja="項目", en="Item"),
    Words(ja="日本語", en="Japanese"),
    Words(ja="英語", en="English"),
)


def _xlsx(answer: RenderableAnswer) -> bytes:
    # Loaded by those alone who want one.
    from xlsxwriter import Workbook

    file = io.BytesIO()
    # In memory: nothing of an answer lies in a temporary file. Nothing is guessed from a text's looks.
    options = {
        "in_memory": True,
        "strings_to_formulas": False,
        "strings_to_urls": False,
        "strings_to_numbers": False,
    }
    with Workbook(file, options) as book:
        book.set_properties({"created": _asked_at(answer.members), "title": _title(answer.members)})
        _write_data(book, answer.table.columns)
        _write_notes(book, answer)
    return file.getvalue()


def _asked_at(members: Mapping[str, Any]) -> datetime:
    told = members.get("asked_at")
    return REHEARSED_AT if told is None else datetime.fromisoformat(told)


def _title(members: Mapping[str, Any]) -> str:
    dataset = members["dataset"]
    return spoken(dataset.get("title", {}), "ja", dataset["id"])


# The table


def _write_data(book: "Workbook", columns: Sequence[AnswerColumn]) -> None:
    sheet = book.add_worksheet(DATA)
    head = book.add_format({"bold": True, "bottom": 1})
    for place, column in enumerate(columns):
        sheet.write_string(0, place, column.name, head)
        for row, value in enumerate(column.values, start=1):
            _write(sheet, row, place, value)
        sheet.set_column(place, place, _width([column.name, *column.values]))
    # The names stay in sight while the rows move.
    sheet.freeze_panes(1, 0)


def _write(sheet: "Worksheet", row: int, place: int, value: Label) -> None:
    """One cell: a number as a number, a text as a text, nothing where nothing is known."""
    if isinstance(value, str):
        sheet.write_string(row, place, value[:CELL_MAX])
    elif isinstance(value, int) and abs(value) > DIGITS_MAX:
        sheet.write_string(row, place, str(value))
    elif value is not None:
        sheet.write_number(row, place, value)


def _width(values: Sequence[Label]) -> int:
    """The width of a column in half-width characters, of which a Japanese one takes two."""
    widest = max((width_of(text) for text in {str(value) for value in values}), default=0)
    return min(max(widest + 2, WIDTH_MIN), WIDTH_MAX)


# The notes


def _write_notes(book: "Workbook", answer: RenderableAnswer) -> None:
    sheet = book.add_worksheet(NOTES)
    wrapped = book.add_format({"text_wrap": True, "valign": "top"})
    head = book.add_format({"bold": True, "bottom": 1})
    for place, (words, width) in enumerate(zip(HEAD, (34, 60, 60), strict=True)):
        sheet.write_string(0, place, f"{words.ja} {words.en}", head)
        sheet.set_column(place, place, width)
    lines = [*_facts(answer), *_about_notes(answer), *_about_columns(answer.table.columns)]
    for row, (item, ja, en) in enumerate(lines, start=1):
        for place, text in enumerate((f"{item.ja} {item.en}", ja, en)):
            sheet.write_string(row, place, text[:CELL_MAX], wrapped)
    sheet.freeze_panes(1, 0)


Line = tuple[Words, str, str]
"""What it is about, and what there is to say in Japanese and in English."""


def _facts(answer: RenderableAnswer) -> Iterator[Line]:
    """What was asked of which data, when and at what price; what an answer does not tell has no line."""
    members, dataset = answer.members, answer.members["dataset"]
    mode = MODES[members["mode"]]
    charged = _charged(members["charge"])
    said: dict[str, tuple[str, str]] = {
        "question_text": _both(members.get("question_text", {})),
        "question": _same(answer.question or ""),
        "title": _both(dataset.get("title", {})),
        "id": _same(f"{dataset['id']} v{dataset['version']}"),
        "row_is": _both(dataset.get("row_is", {})),
        "reference_date": _same(dataset.get("reference_date", "")),
        "body": _same(dataset.get("body", "")),
        "contact": _both(dataset.get("contact", {})),
        "terms": _both(dataset.get("terms", {})),
        "mode": (mode.ja, mode.en),
        "query": _same(members.get("id", "")),
        "asked_at": _same(_told_time(members)),
        "charge": _same(charged),
        "confidence": _confidence(answer.table.columns),
        "fingerprint": _same(members["fingerprint"]),
    }
    for name, (ja, en) in said.items():
        if ja or en:
            yield FACTS[name], ja, en


def _told_time(members: Mapping[str, Any]) -> str:
    """When it was asked, on the clocks of Japan and to the second; nothing of a rehearsal."""
    return "" if "asked_at" not in members else f"{_asked_at(members).astimezone(JAPAN):%Y-%m-%d %H:%M:%S}"


def _confidence(columns: Sequence[AnswerColumn]) -> tuple[str, str]:
    """How surely bounds hold the exact value: once if that is one for all columns, else by column."""
    told = {
        column.about["of"]: percent(column.about["confidence"])
        for column in columns
        if column.role == "bound"
    }
    if len(set(told.values())) <= 1:
        return _same(next(iter(told.values()), ""))
    return (
        "、".join(f"{name}：{one}" for name, one in told.items()),
        ", ".join(f"{name}: {one}" for name, one in told.items()),
    )


def _charged(charge: Mapping[str, Any]) -> str:
    shown = charge.get("as")
    also = f" (ε = {shown['epsilon']}, δ = {shown['delta']})" if shown else ""
    return f"{'ε' if charge['measure'] == 'epsilon' else 'ρ'} = {charge['amount']}{also}"


def _about_notes(answer: RenderableAnswer) -> Iterator[Line]:
    for note in answer.members["notes"]:
        yield NOTE, note["text_ja"], note["text"]


def _about_columns(columns: Sequence[AnswerColumn]) -> Iterator[Line]:
    for column in columns:
        words, title = column_words(column), column_title(column, "ja")
        called = f"（{title}）" if title and column.role == "key" else ""
        name = Words(ja=f"{COLUMN.ja} {column.name}{called}", en=f"{COLUMN.en}")
        yield name, words.ja, words.en


def _both(words: Mapping[str, str]) -> tuple[str, str]:
    return spoken(words, "ja"), spoken(words, "en")


def _same(text: str) -> tuple[str, str]:
    return text, text


XLSX = AnswerFormat(
    media_type=MEDIA_TYPE,
    content_type=MEDIA_TYPE,
    schema={"type": "string", "format": "binary"},
    render=_xlsx,
    suffix="xlsx",
)
