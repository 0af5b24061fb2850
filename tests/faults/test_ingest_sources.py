"""Hostile and broken sources are refused with a line and a reason, quickly, in flat memory, quoting nothing."""

import gzip
import json
import os
import resource
import signal
import struct
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from lanes import first

from datasets.database.files import size_of
from datasets.descriptor.descriptor import Descriptor, parse
from datasets.registration.ingest import Limits, SourceFile, check, ingest
from datasets.registration.ingest.errors import ImportProblem

ROOT = Path(__file__).resolve().parents[2]
SECRET = "Hanako"
MIB = 1 << 20
SMALL = "{type: integer, min: 0, max: 99}"


def described(*, source: str = "{}", columns: str = f"  a: {SMALL}\n  b: {SMALL}\n") -> Descriptor:
    return parse(
        f'id: t\ntitle: {{en: T}}\nbody: "131016"\nsource: {source}\n'
        "privacy: {unit: pid, max_rows_per_person: 2, measure: pure, cap: 9, max_per_query: 1}\n"
        f"columns:\n{columns}"
    )


def refused(tmp_path: Path, source: bytes, descriptor: Descriptor | None = None) -> ImportProblem:
    """The problem of a source; whatever it is, the folder is empty afterwards and no cell is told."""
    file, staging = tmp_path / "source", tmp_path / "staging"
    file.write_bytes(source)
    staging.mkdir(exist_ok=True)
    with pytest.raises(ImportProblem) as problem:
        ingest(descriptor or described(), SourceFile.at(file), staging, b"s" * 32, lambda stage, share: None)
    assert list(staging.iterdir()) == []
    assert_tells_nothing(problem.value)
    return problem.value


def assert_tells_nothing(problem: BaseException) -> None:
    told: BaseException | None = problem
    while told is not None:
        assert SECRET not in str(told)
        told = told.__cause__ or (None if told.__suppress_context__ else told.__context__)


# Text

HEAD = b"pid,a,b\n"
FAR = b"p,1,2\n" * 900_000  # beyond the first chunk


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        (b"", None, "is empty"),
        (b"\nHanako,1,2\n", 1, "first line is empty"),
        (b"pid,a\n1,2\n", 1, "column b is missing"),
        (b"Hanako,1,2\n", 1, "is missing from the header"),
        (b"pid,a,b,Hanako\n", 1, "column 4 of the header is not declared"),
        (b"pid,a,b,a\n", 1, "stands twice"),
        (b'pid,"a,b\n', 1, "quotes do not open and close"),
        (HEAD + b"Hanako,1,2\nHanako,1\n", 3, "has 2 values; the header has 3"),
        (HEAD + b'Hanako,"1\n",2\n\nHanako,1,2,3\n', 5, "has 4 values; the header has 3"),
        (HEAD + FAR + b"Hanako,1\n", 900_002, "has 2 values; the header has 3"),
        (HEAD + b'Hanako,"1,2\n', 2, "never closed"),
        (HEAD + FAR + b'Hanako,"1,2\n', 900_002, "never closed"),
        (HEAD + b'p,1,2\nHanako,a"1,2\n', 3, "edge of its value"),
        (HEAD + b'p,1,2\nHanako,"1"a,2\n', 3, "edge of its value"),
        (HEAD + b'p,"1\nHanako,"2",3\n', 2, "edge of its value"),
        (HEAD + b"p,1,2\nHanako\0,1,2\n", 3, "NUL"),
        (HEAD + FAR + b"Hanako,1\0,2\n", 900_002, "NUL"),
        (HEAD + b"p,1,2\nHanako,\xff,2\n", 3, "not utf-8 at byte offset 21"),
        (HEAD + FAR + b"Hanako,\xe3\x81\n", 900_002, f"not utf-8 at byte offset {8 + len(FAR) + 7}"),
        (HEAD + b"Hanako,1,2\n\xe3\x81", 3, "not utf-8 at byte offset 19"),
        (HEAD + b"p,1,2\rHanako,1,2\n", 2, "carriage return"),
        (HEAD + b"p,1," + b"9" * (2 * MIB) + b"\n", 2, "longer than 1 MiB"),
        (HEAD + b'p,1,"' + b"Hanako\n" * MIB + b'"\n', 2, "1 MiB"),
        (HEAD + b'p,1,2\np,1,"' + b"Hanako,\n" * MIB, 3, "1 MiB"),
        (b"pid" + b",c" * 1000 + b"\n", 1, "more than 1,000 columns"),
        (gzip.compress(HEAD), None, "decompress it first"),
        (b"PK\x03\x04Hanako", None, "unpack it"),
        (b"\x28\xb5\x2f\xfdHanako", None, "decompress it first"),
        ("pid,a,b\n".encode("utf-16"), None, "UTF-16"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_broken_text_is_refused_with_its_line(tmp_path, source, line, message):
    problem = refused(tmp_path, source)
    assert message in problem.reason.en
    assert problem.line == line


@pytest.mark.parametrize("encoding", ["shift_jis", "cp932"])
def test_broken_shift_jis_is_refused_at_its_byte(tmp_path, encoding):
    source = "pid,a,b\np,表,2\n".encode("shift_jis") + b"Hanako,\x81\n"
    problem = refused(tmp_path, source, described(source=f"{{encoding: {encoding}}}"))
    assert (problem.line, problem.reason.en) == (3, f"the bytes are not {encoding} at byte offset 22")


def test_a_quote_is_a_letter_where_values_are_never_quoted(tmp_path):
    (tmp_path / "source").write_bytes(b'pid,a,b\np"1,"2,3\n')
    assert check(described(source="{quote: null}"), tmp_path / "source").rows_read == 1


def test_what_is_no_file_is_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for source in (tmp_path, tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(ImportProblem, match="not a file"):
            check(described(), source)
    with pytest.raises(ImportProblem, match="could not be opened"):
        check(described(), tmp_path / "nothing")


# Parquet


def parquet(tmp_path: Path, table: pa.Table, **options: object) -> bytes:
    pq.write_table(table, tmp_path / "made.parquet", **options)
    return (tmp_path / "made.parquet").read_bytes()


@pytest.fixture
def good(tmp_path) -> bytes:
    return parquet(tmp_path, pa.table({"pid": [SECRET] * 100, "a": range(100), "b": range(100)}))


def test_a_torn_parquet_file_is_refused(tmp_path, good):
    for source in (
        good[: len(good) // 2],
        good[:-1],
        good[:4] + good[-8:],
        good[:-8] + struct.pack("<I", 2**31) + b"PAR1",
        good[:-200] + bytes(192) + good[-8:],
        b"PAR1",
    ):
        assert "cut off or its footer is broken" in refused(tmp_path, source).reason.en


def test_torn_parquet_pages_are_refused_in_our_words(tmp_path, good):
    assert "could not be read" in refused(tmp_path, good[:4] + bytes(300) + good[304:]).reason.en


def test_parquet_columns_must_be_the_declared_ones(tmp_path):
    assert (
        "b is missing" in refused(tmp_path, parquet(tmp_path, pa.table({"pid": ["p"], "a": [1]}))).reason.en
    )
    more = pa.table({"pid": ["p"], "a": [1], "b": [1], SECRET: [1]})
    assert "column 4" in refused(tmp_path, parquet(tmp_path, more)).reason.en
    nested = pa.table({"pid": ["p"], "a": [[1]], "b": [1]})
    assert "type is not a plain" in refused(tmp_path, parquet(tmp_path, nested)).reason.en
    wide = pa.table({f"c{number}": [1] for number in range(1001)})
    assert "more than 1,000 columns" in refused(tmp_path, parquet(tmp_path, wide)).reason.en


def test_a_parquet_bomb_is_refused(tmp_path):
    """Two million rows of the same 1,000 letters: 2 GB of text in a small file."""
    word = pa.DictionaryArray.from_arrays(pa.repeat(pa.scalar(0, pa.int32()), 2_000_000), [SECRET * 166])
    numbers = pa.repeat(pa.scalar(1, pa.int8()), 2_000_000)
    source = parquet(tmp_path, pa.table({"pid": word, "a": numbers, "b": numbers}))
    assert len(source) < MIB
    assert "unpacks to more than a hundred times" in refused(tmp_path, source).reason.en


def test_a_long_value_in_parquet_is_refused(tmp_path):
    source = parquet(tmp_path, pa.table({"pid": [SECRET * (MIB // 5)], "a": [1], "b": [1]}))
    problem = refused(tmp_path, source)
    assert (problem.reason.en, problem.column) == ("a value is longer than 1 MiB", "pid")


# Size and time

CHILD = """
import json, resource, sys, time
from pathlib import Path
from datasets.descriptor.descriptor import parse
from datasets.registration.ingest import check
from datasets.registration.ingest.errors import ImportProblem
descriptor = parse(Path(sys.argv[1]).read_text())
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began, problem = time.monotonic(), ""
try:
    check(descriptor, Path(sys.argv[2]))
except ImportProblem as error:
    problem = str(error)
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
unit = 2**20 if sys.platform == "darwin" else 2**10
print(json.dumps({"problem": problem, "seconds": time.monotonic() - began, "grown_mib": (peak - before) / unit}))
"""


def in_child(tmp_path: Path, source: Path) -> dict:
    """Check a source in a process that may not take more than 3 GiB of addresses beyond what it maps."""
    (tmp_path / "t.yaml").write_text(described().text)
    found = subprocess.run(
        [sys.executable, "-c", CHILD, str(tmp_path / "t.yaml"), str(source)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30)),
    )
    return json.loads(found.stdout)


def written(path: Path, begin: bytes, filler: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(begin)
        for _ in range(size // len(filler)):
            file.write(filler)
    return path


@pytest.mark.long
@pytest.mark.parametrize(
    ("begin", "filler", "problem"),
    first(
        2,
        [
            (HEAD, b"\n" * MIB, ""),
            (HEAD + b"p,1,", b"9" * MIB, "line 2: a line is longer than 1 MiB"),
            (b"", b"c" * MIB, "line 1: a line is longer than 1 MiB"),
            (b"pid,a,b", b",column" * (MIB // 7), "line 1: the header has more than 1,000 columns"),
            (
                HEAD + b'p,1,"',
                b"9\n" * (MIB // 2),
                "line 2: a quoted value runs on for more than 1 MiB; is it closed?",
            ),
        ],
    ),
    ids=["blank lines", "one long line", "one long header", "a hundred million columns", "one long value"],
)
def test_a_gigabyte_of_nonsense_takes_seconds_and_no_memory(tmp_path, begin, filler, problem):
    size = 1 << (30 if problem else 26)
    found = in_child(tmp_path, written(tmp_path / "source", begin, filler, size))
    assert found["problem"] == problem
    assert found["seconds"] < 20
    assert found["grown_mib"] < 200


def test_an_import_that_fills_the_disk_is_stopped(tmp_path):
    source = tmp_path / "source"
    columns = f"  a: {SMALL}\n  b: {{type: text}}\n"
    source.write_bytes(
        HEAD + b"".join(b"%d,1,%s\n" % (row, os.urandom(40).hex().encode()) for row in range(200_000))
    )
    staging = tmp_path / "staging"
    staging.mkdir()
    with pytest.raises(ImportProblem, match="disk space"):
        ingest(
            described(columns=columns),
            SourceFile.at(source),
            staging,
            b"s" * 32,
            lambda stage, share: None,
            Limits(staging_bytes_max=4 * MIB),
        )
    assert list(staging.iterdir()) == []


def test_a_source_that_changes_meanwhile_is_refused(tmp_path):
    source, staging = tmp_path / "source", tmp_path / "staging"
    source.write_bytes(HEAD + b"p,1,2\n")
    staging.mkdir()

    def change(stage: str, share: float) -> None:
        if stage == "writing":
            source.write_bytes(HEAD + b"p,1,2\nq,1,2\n")

    with pytest.raises(ImportProblem, match="changed while it was read"):
        ingest(described(), SourceFile.at(source), staging, b"s" * 32, change)
    assert list(staging.iterdir()) == []


# Interruption


@pytest.mark.parametrize("stage", ["reading", "coding", "bounding", "writing"])
def test_an_interruption_leaves_nothing(tmp_path, stage):
    source, staging = tmp_path / "source", tmp_path / "staging"
    source.write_bytes(HEAD + FAR)
    staging.mkdir()

    def interrupt(now: str, share: float) -> None:
        if now == stage:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ingest(described(), SourceFile.at(source), staging, b"s" * 32, interrupt)
    assert list(staging.iterdir()) == []


LONG = """
import signal, sys, time
from pathlib import Path
signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored by whatever a shell starts in the background
from datasets.descriptor.descriptor import parse
from datasets.registration.ingest import SourceFile, ingest
def told(stage, share):
    print(stage, flush=True)
    if stage == sys.argv[4]:
        time.sleep(60)  # the blow comes now, however busy the machine is
ingest(parse(Path(sys.argv[1]).read_text()), SourceFile.at(Path(sys.argv[2])), Path(sys.argv[3]), b"s" * 32, told)
"""


@pytest.mark.parametrize(
    ("stage", "blow"), [("reading", signal.SIGKILL), ("bounding", signal.SIGKILL), ("coding", signal.SIGINT)]
)
def test_a_killed_import_touches_only_its_staging_folder(tmp_path, stage, blow):
    source, staging = tmp_path / "in" / "source.csv", tmp_path / "staging"
    source.parent.mkdir()
    source.write_bytes(HEAD + b"".join(b"p%d,%d,2\n" % (row, row % 99) for row in range(200_000)))
    staging.mkdir()
    (tmp_path / "in" / "t.yaml").write_text(described().text)
    arguments = [str(tmp_path / "in" / "t.yaml"), str(source), str(staging), stage]
    before = source.read_bytes()
    with subprocess.Popen(
        [sys.executable, "-c", LONG, *arguments], cwd=ROOT, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        for line in child.stdout:
            if line.strip() == stage.encode():
                child.send_signal(blow)
                break
        child.stdout.read()
    assert child.returncode != 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "staging"]
    assert sorted(path.name for path in (tmp_path / "in").iterdir()) == ["source.csv", "t.yaml"]
    assert source.read_bytes() == before
    assert not (staging / "statistics.duckdb").exists()
    if blow == signal.SIGINT:
        assert list(staging.iterdir()) == []


def test_progress_never_goes_back_and_ends_at_one(tmp_path):
    source, staging = tmp_path / "source", tmp_path / "staging"
    source.write_bytes(HEAD + FAR)
    staging.mkdir()
    told: list[tuple[str, float]] = []
    ingest(
        described(),
        SourceFile.at(source),
        staging,
        b"s" * 32,
        lambda stage, share: told.append((stage, share)),
    )
    stages = ["reading", "coding", "bounding", "writing"]
    assert told == sorted(told, key=lambda step: (stages.index(step[0]), step[1]))
    assert {stage for stage, share in told if share == 1.0} == set(stages)
    assert size_of(staging) > 0
