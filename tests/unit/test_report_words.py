"""The report of a record set has words for whatever it may have to name."""

import re
from pathlib import Path

from api.records.report_words import WORDS
from privacy.deidentify.standard.findings import Remedy

RUN = Path(__file__).parents[2] / "datasets" / "records" / "run.py"


def test_every_remedy_has_words() -> None:
    assert {f"remedy_{remedy}" for remedy in Remedy} == {name for name in WORDS if name.startswith("remedy_")}


def test_every_stage_that_is_timed_has_words() -> None:
    stages = {*re.findall(r'\.stage\("(\w+)"\)', RUN.read_text(encoding="utf-8")), "total"}
    assert {f"stage_{stage}" for stage in stages} == {name for name in WORDS if name.startswith("stage_")}
