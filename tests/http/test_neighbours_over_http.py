"""Two databases that differ in one person look the same from outside, but for the noisy numbers.

The second server draws the noise that the first one drew, so that whatever else differs is a leak.
"""

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.ipc
import pytest
from lanes import first
from odd_requests import ARROW, CSV, Odd, odd_requests
from recorded_noise import RecordedNoise
from small_town import Town, Visitor, build
from town import PERSON_MORE
from werkzeug.test import TestResponse

from privacy.noise import OpendpNoise

ODD_PERSON = "p9998,Odd One,osaka,-5,unreadable,1800-01-01\n"
NAMES = re.compile(
    r"\b[qrg]_[0-9A-Za-z]{20,26}\b"  # ids of answers, requests and grants
    r"|installation:[0-9a-f]{16}"  # made once, by chance
    r"|\d{4}-\d\d-\d\dT[\d:.]+Z"  # times
    r"|(?<=[\":])[0-9a-f]{64}(?=\")"  # digests of requests, tables and lines; a fingerprint has a prefix
)
OF_ITS_OWN = {"Date", "X-Request-Id", "ETag", "Content-Length"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Town:
    return build(tmp_path_factory.mktemp("neighbours") / "one")


@pytest.mark.long
@pytest.mark.parametrize("person", first(1, [PERSON_MORE, ODD_PERSON]), ids=["ordinary", "odd"])
def test_neighbouring_databases_look_the_same(home: Town, tmp_path: Path, person: str) -> None:
    recorded = RecordedNoise(source=OpendpNoise())
    replayed = RecordedNoise(replay=recorded.draws)
    without = home.copy(tmp_path / "without").open(recorded)
    with_one_more = build(tmp_path / "with", more=person).open(replayed)
    answered = 0
    for request in odd_requests():
        one, other = request.send(without), request.send(with_one_more)
        assert faceless(one) == faceless(other), request
        answered += one.status_code == 200
    assert answered > 150
    assert [(draw.mechanism, len(draw.exact)) for draw in recorded.draws] == [
        (draw.mechanism, len(draw.exact)) for draw in replayed.draws
    ]
    assert without.spent() == with_one_more.spent()
    assert a_person_was_there(recorded, replayed)


def test_there_are_requests_enough_of_each_kind(onlooker: Visitor) -> None:
    requests = list(odd_requests())
    assert len(requests) >= 250
    assert {request.accept for request in requests} >= {CSV, ARROW}


def test_the_comparison_would_notice_a_difference(home: Town, tmp_path: Path) -> None:
    visitor = home.copy(tmp_path / "town").open()
    request = Odd(method="GET", path="/v1/budgets", user="aoi")
    before = faceless(request.send(visitor))
    visitor.ask()
    assert faceless(request.send(visitor)) != before


def a_person_was_there(recorded: RecordedNoise, replayed: RecordedNoise) -> bool:
    """Whether the two databases did differ: some exact integers did."""
    pairs = zip(recorded.draws, replayed.draws, strict=True)
    return any((one.exact != other.exact).any() for one, other in pairs)


def faceless(answer: TestResponse) -> tuple[Any, ...]:
    """All that may be compared: noisy cells reduced to their type, random names masked."""
    headers = sorted(
        (name, NAMES.sub("…", value)) for name, value in answer.headers.items() if name not in OF_ITS_OWN
    )
    if answer.status_code != 200:
        return answer.status_code, headers, NAMES.sub("…", answer.text), len(answer.data)
    return answer.status_code, headers, _faceless_body(answer)


def _faceless_body(answer: TestResponse) -> Any:
    if answer.mimetype == CSV:
        head, *rows = csv.reader(io.StringIO(answer.text))
        keys = [place for place, name in enumerate(head) if name in ("district", "age", "score", "moved_in")]
        return head, [
            [row[place] if place in keys else number(row[place]) for place in range(len(row))] for row in rows
        ]
    if answer.mimetype == ARROW:
        table = pyarrow.ipc.open_stream(answer.data).read_all()
        about = {name: NAMES.sub("…", text.decode()) for name, text in table.schema.metadata.items()}
        described = [json.loads(field.metadata[b"sudare"]) for field in table.schema]
        keys = [column["name"] for column in described if column["role"] == "key"]
        return about, described, [str(field.type) for field in table.schema], table.select(keys).to_pylist()
    body = json.loads(NAMES.sub("…", answer.text))
    return _faceless_json(body) if isinstance(body, dict) else body


def _faceless_json(body: dict[str, Any]) -> Any:
    if "rows" not in body:
        return list(body), body
    keys = {column["name"] for column in body["columns"] if column["role"] == "key"}
    rows = [
        [(name, value if name in keys else type(value).__name__) for name, value in row.items()]
        for row in body.pop("rows")
    ]
    return list(body), body, rows


def number(text: str) -> str:
    """Whether a cell of a CSV is a number, a whole one or none at all."""
    if re.fullmatch(r"-?\d+", text):
        return "int"
    return "float" if re.fullmatch(r"-?\d+(\.\d+)?(e[+-]?\d+)?", text) else text
