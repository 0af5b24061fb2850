"""`sudare deid` from a plan and a file to a record set and its report, as an operator runs it."""

import csv
import hashlib
import json
import re
import signal
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from api.commands.main import main
from datasets.records.plan.plan_models import SPELLINGS
from datasets.records.plan.reading import KEYS
from datasets.sample import generate
from privacy.deidentify.errors import Cancelled
from privacy.deidentify.operations.plan import OPERATIONS
from privacy.deidentify.table import Column

ROOT = Path(__file__).parents[2]
ADULT = ROOT.parent / "shared" / "data" / "adult"

PLAN = """\
title: 見本
attributes:
  name: {role: identifier}
  sex: {role: quasi, hierarchy: {tree: {"*": [f, m]}}}
  age: {role: quasi, hierarchy: {intervals: [10, 50], from: 0, to: 99}}
  illness: {role: sensitive}
  note: {role: insensitive}
models:
  - {k_anonymity: 2}
suppression: 0.2
seed: 1
"""
PEOPLE = [
    ("Aoi", "f", "21", "flu", ""),
    ("Ren", "m", "23", "cold", "a;b"),
    ("Mei", "f", "24", "flu", 'says "hi"'),
    ("Sora", "m", "28", "gout", "two\nlines"),
    ("Yui", "f", "31", "cold", "x"),
    ("Hana", "f", "35", "gout", "x"),
    ("Riku", "m", "36", "flu", " spaces "),
    ("Kai", "m", "38", "flu", "x"),
    ("Umi", "f", "77", "rare", "x"),
]
NAMES = ("name", "sex", "age", "illness", "note")


def written(path, *, delimiter=",", encoding="utf-8", rows=PEOPLE, newline="\n"):
    with path.open("w", encoding=encoding, newline="") as file:
        out = csv.writer(file, delimiter=delimiter, lineterminator=newline)
        out.writerow(NAMES)
        out.writerows(rows)


def table(path, *, delimiter=",", encoding="utf-8"):
    with path.open(encoding=encoding, newline="") as file:
        return list(csv.DictReader(file, delimiter=delimiter))


@pytest.fixture
def here(tmp_path):
    (tmp_path / "plan.yaml").write_text(PLAN, encoding="utf-8")
    written(tmp_path / "people.csv")
    return tmp_path


@pytest.fixture
def deid(here):
    def run(*options, plan=None, data="people.csv", out="out", exit_code=0):
        if plan is not None:
            (here / "plan.yaml").write_text(plan, encoding="utf-8")
        words = ["deid", here / "plan.yaml", "--data", here / data, "--out", here / out, *options]
        result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
        assert result.exit_code == exit_code, result.output
        return result

    return run


def report_of(folder):
    return json.loads((folder / "report.json").read_text(encoding="utf-8"))


# The record set


def test_a_record_set_has_generalised_quasi_identifiers_and_no_identifier(deid, here):
    deid()
    rows = table(here / "out" / "records.csv")
    assert list(rows[0]) == ["sex", "age", "illness", "note"]
    assert [row["sex"] for row in rows] == ["f", "m", "f", "m", "f", "f", "m", "m", "*"]
    assert [row["illness"] for row in rows][:8] == [person[3] for person in PEOPLE][:8]
    assert [row["note"] for row in rows][:8] == [person[4] for person in PEOPLE][:8]


def test_a_suppressed_record_is_a_star_in_every_column(deid, here):
    deid()
    assert set(table(here / "out" / "records.csv")[-1].values()) == {"*"}


def test_the_report_tells_models_levels_loss_and_what_was_suppressed(deid, here):
    deid()
    told = report_of(here / "out")
    assert told["solved"]
    assert told["optimal"]
    assert told["suppressed"] == 1
    assert told["levels"] == {"sex": 0, "age": 1}
    assert told["models"][0] | {"words": None} == {
        "name": "2-anonymity",
        "title": {"ja": "2-匿名性", "en": "2-anonymity"},
        "met": True,
        "value": 2.0,
        "words": None,
    }
    assert 0 < told["granularity_loss"] < 1
    assert {"read", "prepare", "search", "write", "verify", "total"} <= told["seconds"].keys()
    assert told["hashes"]["source"] == hashlib.sha256((here / "people.csv").read_bytes()).hexdigest()
    assert (
        told["hashes"]["records"] == hashlib.sha256((here / "out" / "records.csv").read_bytes()).hexdigest()
    )
    assert [item["item"] for item in told["standard"]["items"]] == [1, 2, 3, 4, 5]


def test_no_report_quotes_a_value_that_is_not_a_label_of_a_hierarchy(deid, here):
    deid()
    for name in ("report.json", "report.html"):
        text = (here / "out" / name).read_text(encoding="utf-8")
        for value in ("Sora", "Riku", "gout", "two\nlines", "says"):
            assert value not in text, name


def test_the_same_plan_seed_and_source_give_the_same_records(deid, here):
    plan = PLAN + "output: {shuffle: true}\n"
    deid(plan=plan)
    deid(plan=plan, out="again")
    deid(plan=plan.replace("seed: 1", "seed: 2"), out="other")
    first, again, other = ((here / name / "records.csv").read_bytes() for name in ("out", "again", "other"))
    assert first == again
    assert first != other
    assert sorted(first.splitlines()) == sorted(other.splitlines())


def test_without_a_seed_one_is_drawn_and_kept_where_only_the_owner_reads(deid, here):
    deid(plan=PLAN.replace("seed: 1\n", ""))
    folder = here / "out" / "restricted"
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    seed = json.loads((folder / "seed.json").read_text(encoding="utf-8"))
    assert seed["drawn"]
    assert len(seed["seed"]) == 64
    assert seed["seed"] not in (here / "out" / "report.json").read_text(encoding="utf-8")


def test_a_seed_of_the_plan_is_not_told_in_the_report(deid, here):
    deid(plan=PLAN.replace("seed: 1", "seed: kagami-mochi"))
    for name in ("report.json", "report.html"):
        assert "kagami-mochi" not in (here / "out" / name).read_text(encoding="utf-8")


def test_the_report_is_one_page_in_the_language_asked_for_or_in_both(deid, here):
    deid("--language", "en")
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert "What was done" in page
    assert "行った加工" not in page
    deid("--force")
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert "What was done" in page
    assert "行った加工" in page
    for loaded in ("http:", "https:", "<script", "<link", "@import", "url("):
        assert loaded not in page.replace("http://www.w3.org/2000/svg", "")


def test_the_report_tells_how_well_an_item_is_predicted_where_the_plan_asks(deid, here):
    deid(plan=PLAN + "classify: illness\n")
    body = report_of(here / "out")
    assert body["classifier"]["target"] == "illness"
    assert body["classifier_note"] is None
    assert "scikit-learn" in body["versions"]


def test_without_the_optional_classifier_the_figure_is_left_out_and_the_report_says_why(
    deid, here, monkeypatch
):
    monkeypatch.setitem(sys.modules, "sklearn", None)  # as if it were not installed
    deid(plan=PLAN + "classify: illness\n")
    body, page = report_of(here / "out"), (here / "out" / "report.html").read_text(encoding="utf-8")
    assert body["classifier"] is None
    assert "not installed" in body["classifier_note"]["en"]
    for language in ("ja", "en"):
        assert body["classifier_note"][language] in page


def test_where_no_classifier_is_asked_for_none_is_missed(deid, here, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn", None)
    deid()
    assert report_of(here / "out")["classifier_note"] is None


def test_no_text_promises_anonymity_in_law(deid, here):
    result = deid()
    texts = [
        result.output,
        *((here / "out" / name).read_text("utf-8") for name in ("report.json", "report.html")),
    ]
    assert not [text for text in texts if "legally anonymous" in text or "法的に匿名" in text]


def test_the_evidence_of_each_item_is_signed_with_the_key_of_the_restricted_folder(deid, here):
    from privacy.deidentify.standard import evidence

    deid()
    key = (here / "out" / "restricted" / "evidence.key").read_bytes()
    for item in range(1, 6):
        signed = evidence.read((here / "out" / "evidence" / f"item-{item}.json").read_text(encoding="utf-8"))
        assert evidence.verify(signed, key)
        assert not evidence.verify(signed, bytes(32))


# What a proposal asks for


def test_only_the_items_rows_and_grain_asked_for_are_published(deid, here):
    deid(plan=PLAN + "items: [age, sex]\nwhere: {age: {from: 20, to: 39}}\ngrain: {age: 1}\n")
    rows = table(here / "out" / "records.csv")
    assert list(rows[0]) == ["age", "sex"]
    assert len(rows) == 8
    told = report_of(here / "out")
    assert told["rows"] == {"read": 9, "asked_for": 8, "published": 8}
    assert told["levels"] == {"age": 1, "sex": 0}
    assert told["suppressed"] == 0
    assert {row["age"] for row in rows} == {"20-29", "30-39"}


def test_a_sample_has_the_rows_asked_for(deid, here):
    deid(plan=PLAN + "sampling: {rows: 6}\n")
    assert len(table(here / "out" / "records.csv")) == 6


def test_persons_are_counted_where_the_plan_names_them(deid, here):
    rows = [(name, "f", "21", "flu", "x") for name in ("Aoi", "Aoi", "Aoi")]
    written(here / "people.csv", rows=rows)
    result = deid(plan=PLAN + "unit: name\n", exit_code=1)
    assert "line 9, column 19: models[0].k_anonymity: 2-anonymity cannot be met" not in result.output
    assert "the data has 1 person: nobody can be hidden in it" in result.output


def test_pseudonyms_come_from_the_key_file_and_differ_without_it(deid, here):
    (here / "key").write_bytes(bytes(range(32)))
    plan = PLAN.replace("role: identifier", "role: identifier, operation: pseudonym")
    deid("--key-file", here / "key", plan=plan)
    deid("--key-file", here / "key", plan=plan, out="again")
    deid(plan=plan, out="other")
    names = [
        [row["name"] for row in table(here / out / "records.csv")][:8] for out in ("out", "again", "other")
    ]
    assert names[0] == names[1]
    assert not set(names[0]) & set(names[2])
    assert (report_of(here / "out")["key"], report_of(here / "other")["key"]) == ("kept", "destroyed")


def test_a_short_key_is_refused(deid, here):
    (here / "key").write_bytes(b"short")
    assert "has 5 bytes and needs at least 32" in deid("--key-file", here / "key", exit_code=1).output


def test_local_recoding_tells_each_record_its_scheme(deid, here):
    deid(plan=PLAN.replace("suppression: 0.2", "suppression: 0.2\nrecoding: local"))
    schemes = table(here / "out" / "schemes.csv")
    assert list(schemes[0])[:3] == ["scheme", "sex.level", "sex.label"]
    lines = (here / "out" / "record_schemes.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "scheme"
    assert len(lines) == 1 + len(PEOPLE)
    assert set(lines[1:]) <= {"*", *(row["scheme"] for row in schemes)}
    assert report_of(here / "out")["levels"] is None


def test_local_recoding_may_tell_the_scheme_in_a_column(deid, here):
    deid(plan=PLAN + "recoding: {local: cells}\noutput: {scheme_column: true}\n")
    rows = table(here / "out" / "records.csv")
    assert list(rows[0])[-1] == "scheme"
    assert not (here / "out" / "record_schemes.csv").exists()


# Formats


@pytest.mark.parametrize(
    ("delimiter", "encoding", "newline"),
    [(";", "utf-8", "\n"), ("\t", "utf-8", "\r\n"), (",", "utf-8-sig", "\r\n"), (",", "cp932", "\r\n")],
)
def test_records_are_written_as_the_source_was(deid, here, delimiter, encoding, newline):
    people = [*PEOPLE[:7], ("蒼", "m", "38", "インフルエンザ", "髙島①"), PEOPLE[8]]
    written(here / "people.csv", delimiter=delimiter, encoding=encoding, rows=people, newline=newline)
    told = "\\t" if delimiter == "\t" else delimiter
    deid(plan=f'source: {{delimiter: "{told}", encoding: {encoding}}}\n' + PLAN)
    raw = (here / "out" / "records.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf") == (encoding == "utf-8-sig")
    assert raw.decode(encoding).splitlines()[0] == delimiter.join(NAMES[1:])
    assert raw.count(b"\r\n") == (10 if newline == "\r\n" else 0)
    rows = table(here / "out" / "records.csv", delimiter=delimiter, encoding=encoding)
    assert [row["note"] for row in rows][:8] == [person[4] for person in people][:8]


def test_quotes_are_written_only_where_they_are_needed(deid, here):
    deid()
    text = (here / "out" / "records.csv").read_text(encoding="utf-8")
    assert '"says ""hi"""' in text
    assert '"two\nlines"' in text
    assert text.count('"') == 8


def test_parquet_is_read_as_text_and_empty_cells_stay_empty(deid, here):
    columns = list(zip(*PEOPLE, strict=True))
    ages = pa.array([int(age) for age in columns[2]])
    notes = pa.array([note or None for note in columns[4]])
    arrays = [
        pa.array(columns[0]),
        pa.array(columns[1]).dictionary_encode(),
        ages,
        pa.array(columns[3]),
        notes,
    ]
    pq.write_table(pa.table(dict(zip(NAMES, arrays, strict=True))), here / "people.parquet")
    deid(data="people.parquet")
    deid(out="csv")
    assert (here / "out" / "records.csv").read_bytes() == (here / "csv" / "records.csv").read_bytes()
    assert (
        report_of(here / "out")["hashes"]["source"]
        == hashlib.sha256((here / "people.parquet").read_bytes()).hexdigest()
    )


SOURCES_WRONG = [
    (b"", "people.csv is empty"),
    (b"\n", "line 1 of people.csv is empty"),
    (b"name,sex,age,illness,note\n", "has a header and no rows"),
    (b"name,sex,age,illness,sex\n", "columns 2 and 5 have the same name 'sex'"),
    (b"name,sex,,illness,note\n", "column 3 has no name"),
    (
        b"name,sex,age,illness,note\na,f,1,x,y\na,f,1,x\n",
        "line 3 of people.csv has 4 fields, and line 1 has 5",
    ),
    (b'name,sex,age,illness,note\na,f,1,"x\ny",z\na,f,1\n', "line 4 of people.csv has 3 fields"),
    (
        b'name,sex,age,illness,note\na,f,1,x,"y\n',
        "line 2 of people.csv cannot be read; is every quote closed",
    ),
    (
        b"name,sex,age,illness,note\na,f,1,x,y\n" + "a,f,1,風邪,y\n".encode("cp932"),
        "line 3 of people.csv is not utf-8",
    ),
    (b"name,sex,age,illness,note\na,f,1,x,y\n", "the data has 1 row: nobody can be hidden in it"),
    (b"name,sex,age,illness\na,f,1,x\n", "attributes.note: the data has no column 'note'"),
    (b"name,sex,age,illness,note,x\na,f,1,x,y,z\n", "column 'x' of the data has no role here"),
    (
        b"name,sex,age,illness,note\na,f,1,x,y\na,f,two,x,y\n",
        "attributes.age.hierarchy: the hierarchy of age",
    ),
    (b"name,sex,age,illness,note\na,f,1,x,y\na,q,2,x,y\n", "attributes.sex.hierarchy: the hierarchy of sex"),
]


@pytest.mark.parametrize(("source", "words"), SOURCES_WRONG, ids=[words for _, words in SOURCES_WRONG])
def test_a_source_that_does_not_fit_is_refused_in_a_sentence_and_leaves_nothing(deid, here, source, words):
    (here / "people.csv").write_bytes(source)
    assert words in deid(exit_code=1).output
    assert sorted(path.name for path in here.iterdir()) == ["people.csv", "plan.yaml"]


def test_parquet_that_is_cut_off_is_refused(deid, here):
    (here / "people.parquet").write_bytes(b"PAR1 and no more")
    assert "not a whole Parquet file" in deid(data="people.parquet", exit_code=1).output


def test_a_label_that_the_encoding_lacks_is_refused_before_the_search(deid, here):
    written(here / "people.csv", encoding="cp932")
    plan = PLAN.replace('"*": [f, m]', '"*": {"≤ all ♥": [f, m]}')
    output = deid(plan="source: {encoding: cp932}\n" + plan, exit_code=1).output
    assert "attributes.sex.hierarchy: a label of level 1 cannot be written in cp932" in output


# Plans that the data do not allow


MODELS_IMPOSSIBLE = [
    (
        "{k_anonymity: 10}",
        "line 9, column 6: models[0].k_anonymity: 10-anonymity cannot be met: the data has 9 rows",
    ),
    (
        "{l_diversity: {attribute: illness, l: 5}}",
        "line 9, column 6: models[0].l_diversity: distinct 5-diversity of illness cannot be met: the data has 4 values",
    ),
    (
        "{t_closeness: {attribute: illness, t: 0.5, distance: ordered}}",
        "models[0].t_closeness: ordered distance needs numbers, or an order of the values of illness",
    ),
    (
        "{average_risk: 0.1}",
        "models[0].average_risk: average risk at most 0.1 cannot be met: one group of all has 1 / 9",
    ),
    (
        "{population_uniqueness: {threshold: 0.1, population: 3}}",
        "models[0].population_uniqueness: the population of 3 is smaller than the data, which has 9 rows",
    ),
]


@pytest.mark.parametrize(("model", "words"), MODELS_IMPOSSIBLE)
def test_a_model_that_no_recoding_can_meet_is_refused_by_line_and_key(deid, here, model, words):
    assert words in deid(plan=PLAN.replace("{k_anonymity: 2}", model), exit_code=1).output
    assert not (here / "out").exists()


def test_an_operation_that_the_data_do_not_allow_is_refused(deid):
    plan = PLAN.replace(
        "note: {role: insensitive}", "note: {role: insensitive, operation: {round: {base: 5}}}"
    )
    assert "attributes" in deid(plan=plan, exit_code=1).output


def test_no_solution_is_exit_3_and_a_report_says_what_blocks_it(deid, here):
    plan = PLAN.replace("{k_anonymity: 2}", "{delta_presence: {min: 0, max: 0.1}}")
    result = deid(plan=plan + "population: people.csv\n", exit_code=3)
    told = report_of(here / "out")
    assert not told["solved"]
    assert told["reasons"]
    assert "no solution" in result.output
    assert sorted(path.name for path in (here / "out").iterdir()) == ["report.html", "report.json"]
    page = (here / "out" / "report.html").read_text(encoding="utf-8")
    assert "条件を満たす加工はありません" in page


def test_a_report_that_there_is_no_solution_says_that_a_drawn_seed_was_not_kept(deid, here):
    plan = PLAN.replace("seed: 1\n", "").replace("{k_anonymity: 2}", "{delta_presence: {min: 0, max: 0.1}}")
    deid(plan=plan + "population: people.csv\n", exit_code=3)
    assert report_of(here / "out")["seed"] == "discarded"
    assert "restricted" not in (here / "out" / "report.html").read_text(encoding="utf-8")


def test_a_population_may_be_asked_of_and_must_have_the_quasi_identifiers(deid, here):
    written(here / "city.csv", rows=PEOPLE * 3)
    plan = PLAN.replace("{k_anonymity: 2}", "{k_map: 6}") + "population: city.csv\n"
    deid(plan=plan)
    told = report_of(here / "out")
    assert told["models"][0]["name"] == "6-map"
    assert told["models"][0]["value"] >= 6
    assert told["risks"]["journalist"]["highest"] <= 1 / 6
    (here / "city.csv").write_text("sex\nf\n", encoding="utf-8")
    assert "population: city.csv has no column age" in deid(plan=plan, exit_code=1, out="b").output


def test_a_public_register_is_joined_with_the_record_set(deid, here):
    written(here / "register.csv", rows=PEOPLE)
    deid(plan=PLAN + "reference: register.csv\n")
    checks = report_of(here / "out")["standard"]["items"][4]["checks"]
    (join,) = [check for check in checks if check["method"] == "reference_join"]
    assert join["figures"]["reference_rows"] == len(PEOPLE)


# Stopping


def job(here, **changed):
    from datasets.records.plan.reading import read
    from datasets.records.run import Job

    return Job(plan=read(here / "plan.yaml"), data=here / "people.csv", out=here / "out", **changed)


@pytest.mark.parametrize("stage", ["read", "prepare"])
def test_stopped_before_the_search_nothing_is_written(here, stage):
    from datasets.records.run import run

    seen = []
    with pytest.raises(Cancelled):
        run(
            job(here),
            render=lambda report: {},
            progress=lambda now, share: seen.append(now),
            stop=lambda: stage in seen,
        )
    assert sorted(path.name for path in here.iterdir()) == ["people.csv", "plan.yaml"]


def test_at_the_time_limit_the_best_so_far_is_published_with_its_gap(deid, here):
    deid(plan=PLAN + "limits: {seconds: 0.0000001}\n")
    told = report_of(here / "out")
    assert not told["optimal"]
    assert told["gap"] > 0
    assert told["models"][0]["met"]


def test_ctrl_c_once_asks_and_twice_stops():
    from api.commands.deid import _interrupts

    with _interrupts() as pressed:
        assert not pressed
        signal.raise_signal(signal.SIGINT)
        assert pressed
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_an_interrupted_command_leaves_a_whole_record_set_or_nothing(here):
    written(here / "people.csv", rows=PEOPLE * 20_000)
    words = ["deid", here / "plan.yaml", "--data", here / "people.csv", "--out", here / "out"]
    command = [sys.executable, "-m", "api", *map(str, words)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        assert "read" in running.stderr.readline()
        running.send_signal(signal.SIGINT)
        said = running.communicate(timeout=120)[1]
    left = sorted(path.name for path in here.iterdir())
    if running.returncode == 0:  # the search had begun, and had something
        assert left == ["out", "people.csv", "plan.yaml"]
        assert report_of(here / "out")["models"][0]["met"]
    else:
        assert running.returncode == 1
        assert "stopped; nothing was written" in said
        assert left == ["people.csv", "plan.yaml"]


# The folder


def test_an_existing_folder_is_refused_and_kept_unless_forced(deid, here):
    deid()
    before = (here / "out" / "records.csv").read_bytes()
    assert "is there already" in deid(exit_code=1).output
    deid("--force", plan=PLAN + "items: [sex, age]\n")
    assert (here / "out" / "records.csv").read_bytes() != before


def test_force_replaces_no_folder_that_is_not_a_record_set(deid, here):
    (here / "out").mkdir()
    (here / "out" / "thesis.txt").write_text("mine", encoding="utf-8")
    assert "is no record set of an earlier run" in deid("--force", exit_code=1).output
    assert (here / "out" / "thesis.txt").read_text(encoding="utf-8") == "mine"


def test_a_failed_forced_run_keeps_the_earlier_record_set(deid, here):
    deid()
    before = (here / "out" / "records.csv").read_bytes()
    (here / "people.csv").write_bytes(b"name,sex\n")
    deid("--force", exit_code=1)
    assert (here / "out" / "records.csv").read_bytes() == before


def test_a_failure_while_writing_leaves_nothing_behind(deid, here, monkeypatch):
    from datasets.records import write

    def full(*arguments, **named):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "_chunk", full)
    assert "No space left on device; nothing was written" in deid(exit_code=1).output
    assert sorted(path.name for path in here.iterdir()) == ["people.csv", "plan.yaml"]


def test_records_that_do_not_meet_the_models_are_taken_away_again(deid, here, monkeypatch):
    from datasets.records import run

    honest = run.recode

    def careless(task, **named):
        made = honest(task, **named)
        ages = made.table["age"].texts()
        ages[0] = "21"
        return replace(made, table=made.table.replacing(Column.of("age", ages.tolist())))

    monkeypatch.setattr(run, "recode", careless)
    assert "does not meet 2-anonymity; nothing was published" in deid(exit_code=1).output
    assert not (here / "out").exists()


@pytest.mark.parametrize("words", [["deid"], ["deid", "nowhere.yaml", "--data", "x", "--out", "y"]])
def test_wrong_use_is_exit_2(words):
    assert CliRunner().invoke(main, words).exit_code == 2


def test_json_on_standard_output_is_the_report(here):
    words = ["deid", here / "plan.yaml", "--data", here / "people.csv", "--out", here / "out", "--json"]
    done = subprocess.run(
        [sys.executable, "-m", "api", *map(str, words)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert json.loads(done.stdout) == report_of(here / "out")
    assert "search" in done.stderr


# Real data


@pytest.mark.skipif(not ADULT.is_dir(), reason=f"needs {ADULT}")
def test_adult_with_five_percent_comes_out_as_published(tmp_path):
    names = [file.stem.removeprefix("adult_hierarchy_") for file in ADULT.glob("adult_hierarchy_*.csv")]
    names.sort(key=(ADULT / "adult.csv").read_text(encoding="utf-8").index)
    lines = [
        'source: {delimiter: ";"}',
        "attributes:",
        *(f"  {name}: {{role: quasi, hierarchy: {ADULT}/adult_hierarchy_{name}.csv}}" for name in names),
        "models: [{k_anonymity: 5}]",
        "suppression: 0.05",
    ]
    (tmp_path / "plan.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    words = ["deid", tmp_path / "plan.yaml", "--data", ADULT / "adult.csv", "--out", tmp_path / "out"]
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told = report_of(tmp_path / "out")
    assert round(told["loss"], 9) == 0.269634663
    assert told["suppressed"] == 1346
    assert list(told["levels"].values()) == [0, 3, 0, 0, 2, 1, 1, 2, 0]
    assert told["attack"]["narrowed_below_k"] == 0


# The documents


def test_the_plan_of_the_guide_is_the_example_and_runs_on_the_sample_city(tmp_path):
    example = (ROOT / "examples" / "deidentify-city.yaml").read_text(encoding="utf-8")
    guide = (ROOT / "docs" / "deidentify.md").read_text(encoding="utf-8")
    assert f"```yaml\n{example}```" in guide
    generate(tmp_path / "city", residents=60_000, seed=1, files=["residents"])
    data = tmp_path / "city" / "residents.parquet"
    words = ["deid", ROOT / "examples" / "deidentify-city.yaml", "--data", data, "--out", tmp_path / "out"]
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    told = report_of(tmp_path / "out")
    assert told["rows"]["published"] == 20_000
    assert [model["met"] for model in told["models"]] == [True, True]
    assert told["attack"]["narrowed_below_k"] == 0
    rows = table(tmp_path / "out" / "records.csv")
    assert list(rows[0]) == ["district", "sex", "age", "household_size", "nationality", "income"]


def test_every_key_of_a_plan_and_every_field_of_a_report_is_documented(deid, here):
    guide = (ROOT / "docs" / "deidentify.md").read_text(encoding="utf-8")
    for key in KEYS:
        assert f"| `{key}` |" in guide, key
    for spelling in SPELLINGS:
        assert f"{{{spelling}: " in guide, spelling
    for operation in OPERATIONS:
        assert re.search(rf"`(\{{)?{operation}[:`]", guide), operation
    deid()
    reference = guide[guide.index("## Report reference") :]
    for field in report_of(here / "out").keys() - {
        "format",
        "title",
        "at",
        "unit",
        "recoding",
        "measure",
        "notes",
    }:
        assert f"`{field}`" in reference, field
