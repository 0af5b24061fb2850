"""The tests notice planted faults: each mutant of the program is caught by the tests named for it.

Mutants live in a copy of the tree; the tests run in processes of their own which import that copy.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
COPIED = ("api", "datasets", "privacy", "tests", "docs", "pyproject.toml", "openapi.yaml")
AT_ONCE = 2
TIMEOUT_S = 300
TIMEOUT_OF_ALL_S = 3_600
SAY_WHERE = "import api, datasets, privacy; print(*[m.__file__ for m in (api, datasets, privacy)], sep='\\n')"


def copy_tree(folder: Path) -> Path:
    """A copy with times of change kept, so that compiled files stay valid but for those that are changed."""
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def run(
    tree: Path, *arguments: str, timeout: int = TIMEOUT_S, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run Python inside a copy of the tree, which stands first on the path."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SUDARE_")}
    environment |= {"PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1", **variables}
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=tree,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def run_tests(
    tree: Path, *tests: str, timeout: int = TIMEOUT_S, **variables: str
) -> subprocess.CompletedProcess[str]:
    options = ("-q", "-x", "--no-header", "-p", "no:cacheprovider")
    return run(tree, "-m", "pytest", *options, *tests, timeout=timeout, **variables)


def mutated(folder: Path, mutant: Mutant) -> subprocess.CompletedProcess[str]:
    """Plant one fault in a copy of its own and run the tests that must notice."""
    tree = copy_tree(folder)
    file = tree / mutant.file
    file.write_text(file.read_text(encoding="utf-8").replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        variables = {"AUDIT_RUNS": str(mutant.audited)} if mutant.audited else {}
        return run_tests(tree, *mutant.tests, **variables)
    finally:
        shutil.rmtree(tree)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A faithful copy."""
    return copy_tree(tmp_path_factory.mktemp("faithful") / "tree")


Runs = dict[str, "Future[subprocess.CompletedProcess[str]]"]


@pytest.fixture(scope="module")
def runs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """The runs of all mutants that are asked for, a few at once."""
    folder = tmp_path_factory.mktemp("mutants")
    asked = {item.name for item in request.session.items}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            mutant.name: pool.submit(mutated, folder / str(number), mutant)
            for number, mutant in enumerate(MUTANTS)
            if f"test_a_planted_fault_is_noticed[{mutant.name}]" in asked
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_is_noticed(runs: Runs, mutant: Mutant) -> None:
    ended = runs[mutant.name].result()
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.stdout + ended.stderr
    assert "\nFAILED " in ended.stdout, ended.stdout
    assert "\nERROR " not in ended.stdout, ended.stdout


def test_the_tests_import_the_copy_and_not_the_checkout(tree: Path) -> None:
    assert [Path(line) for line in run(tree, "-c", SAY_WHERE).stdout.split()] == [
        tree / name / "__init__.py" for name in ("api", "datasets", "privacy")
    ]


def test_without_a_fault_the_same_tests_pass(tree: Path) -> None:
    tests = sorted({test for mutant in MUTANTS for test in mutant.tests})
    ended = run_tests(tree, *tests, timeout=TIMEOUT_OF_ALL_S)
    assert ended.returncode == pytest.ExitCode.OK, ended.stdout


@pytest.mark.parametrize("file", sorted({mutant.file for mutant in MUTANTS}))
def test_the_text_of_every_fault_stands_there_exactly_once(file: str) -> None:
    """A list of faults must not outlive the lines that they are about."""
    source = (ROOT / file).read_text(encoding="utf-8")
    missed = {
        mutant.name: source.count(mutant.old)
        for mutant in MUTANTS
        if mutant.file == file and (source.count(mutant.old) != 1 or mutant.old == mutant.new)
    }
    assert missed == {}
