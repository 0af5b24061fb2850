"""The tests notice planted faults: each mutant of the program is caught by the tests named for it.

Mutants live in a copy of the tree; the tests run in forks of a process that has imported nothing of the tree.
"""

import os
import shutil
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from mutants import MUTANTS, Mutant
from planted import Copies, Ended

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
COPIED = ("api", "datasets", "privacy", "tests", "docs", "pyproject.toml", "openapi.yaml")
AT_ONCE = 2
SAY_WHERE = """
import api, datasets, privacy

def test_where():
    print("", *[package.__file__ for package in (api, datasets, privacy)], sep="\\n")
"""


def copy_tree(folder: Path) -> Path:
    """A copy with times of change kept, so that compiled files stay valid but for those that are changed."""
    folder.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, folder / name)
        else:
            shutil.copy(ROOT / name, folder / name)
    return folder


def environment(**variables: str) -> dict[str, str]:
    """That of a run in a copy, which must not depend on whoever runs the tests."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("SUDARE_", "PYTEST_"))}
    # Plugins of other tests take longer to load than most tests named here take.
    own = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "TESTS_HYPOTHESIS": "first failure"}
    return kept | {"PYTHONDONTWRITEBYTECODE": "1"} | own | variables


def run_tests(copies: Copies, tree: Path, *tests: str, **variables: str) -> Ended:
    options = ("-q", "-x", "--no-header", "-p", "no:cacheprovider")
    return copies.run(tree, (*options, *tests), environment(PYTHONPATH=str(tree), **variables))


def mutated(copies: Copies, folder: Path, mutant: Mutant, **variables: str) -> Ended:
    """Plant one fault in a copy of its own and run the tests that must notice."""
    tree = copy_tree(folder)
    file = tree / mutant.file
    file.write_text(file.read_text(encoding="utf-8").replace(mutant.old, mutant.new), encoding="utf-8")
    try:
        if mutant.audited:
            variables["AUDIT_RUNS"] = str(mutant.audited)
        return run_tests(copies, tree, *mutant.tests, **variables)
    finally:
        shutil.rmtree(tree)


@pytest.fixture(scope="module")
def copies(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    made = Copies(tmp_path_factory.mktemp("runs"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A faithful copy."""
    return copy_tree(tmp_path_factory.mktemp("faithful") / "tree")


Runs = dict[str, "Future[Ended]"]


@pytest.fixture(scope="module")
def shared(postgres_or_none: str | None) -> dict[str, str]:
    """What all runs share: a server takes longer to start than a test takes on it."""
    return {"TESTS_POSTGRES": postgres_or_none} if postgres_or_none else {}


@pytest.fixture(scope="module")
def runs(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    copies: Copies,
    shared: dict[str, str],
) -> Iterator[Runs]:
    """The runs of all mutants that are asked for, a few at once."""
    folder = tmp_path_factory.mktemp("mutants")
    asked = {item.name for item in request.session.items}
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            mutant.name: pool.submit(mutated, copies, folder / str(number), mutant, **shared)
            for number, mutant in enumerate(MUTANTS)
            if f"test_a_planted_fault_is_noticed[{mutant.name}]" in asked
        }
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_planted_fault_is_noticed(runs: Runs, mutant: Mutant) -> None:
    ended = runs[mutant.name].result()
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, ended.output
    assert "\nFAILED " in ended.output, ended.output
    assert "\nERROR " not in ended.output, ended.output


def test_the_tests_import_the_copy_and_not_the_checkout(copies: Copies, tree: Path) -> None:
    (tree / "tests" / "test_where.py").write_text(SAY_WHERE)
    ended = run_tests(copies, tree, "-s", "tests/test_where.py")
    found = [Path(line) for line in ended.output.splitlines() if line.endswith("__init__.py")]
    assert found == [tree / name / "__init__.py" for name in ("api", "datasets", "privacy")], ended.output


def test_without_a_fault_the_same_tests_pass(copies: Copies, tree: Path, shared: dict[str, str]) -> None:
    """Or a fault would be noticed by a test that fails in any copy. Files side by side, as many as mutants are."""
    files: dict[str, list[str]] = {}
    for test in sorted({test for mutant in MUTANTS for test in mutant.tests}):
        files.setdefault(test.split("::")[0], []).append(test)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        runs = pool.map(lambda tests: run_tests(copies, tree, *tests, **shared), files.values())
        failed = [ended.output for ended in runs if ended.returncode != pytest.ExitCode.OK]
    assert failed == []


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
