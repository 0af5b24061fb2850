"""Every part of the benchmarks runs, at a tiny size and with nothing written into the documents."""

from importlib import import_module
from pathlib import Path

import pytest

from bench.accuracy import theory
from bench.deid import adult
from bench.deid.__main__ import OF_ADULT

ROOT = Path(__file__).parents[2]
PROGRAMS = sorted(path.relative_to(ROOT) for path in (ROOT / "bench").glob("**/__main__.py"))
PARTS = {
    name: part
    for program in PROGRAMS
    for name, part in import_module(".".join(program.with_suffix("").parts)).PARTS.items()
}


def documents() -> dict[Path, int]:
    """When each file below docs was written."""
    return {file: file.stat().st_mtime_ns for file in (ROOT / "docs").glob("**/*")}


@pytest.fixture
def _few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    """Theory where it is drawn, in as little time as the rest."""
    monkeypatch.setattr(theory, "DRAWS", 1_000)
    monkeypatch.setattr(theory, "CHOICES", 10)
    monkeypatch.setattr(theory, "SPLITS", 2)


@pytest.mark.usefixtures("_few_draws")
@pytest.mark.parametrize("name", PARTS)
def test_a_part_runs_at_a_tiny_size_and_writes_no_document(name: str, tmp_path: Path) -> None:
    if name in OF_ADULT and not adult.is_there():
        pytest.skip(f"there is no {adult.FOLDER}")
    before = documents()
    assert PARTS[name].tiny(tmp_path)
    assert documents() == before
