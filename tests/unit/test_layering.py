"""Who may import whom, read from the source."""

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(path for folder in ("api", "privacy", "datasets") for path in (ROOT / folder).rglob("*.py"))
PURE = ("flask", "sqlalchemy", "duckdb", "os", "time", "datetime.datetime", "secrets", "datasets", "api")


@cache
def imports(path: Path) -> set[str]:
    """Every module a file imports, every name it imports from one, and numpy.random where it is reached."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.random", "numpy.random"):
            found.add("numpy.random")
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            found |= {str(node.module), *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def importing(module: str, folder: str = "") -> set[str]:
    """The files below a folder that import a module or anything inside it."""
    return {
        str(path.relative_to(ROOT))
        for path in SOURCES
        if path.is_relative_to(ROOT / folder)
        and any(name == module or name.startswith(f"{module}.") for name in imports(path))
    }


@pytest.mark.parametrize("module", PURE)
def test_privacy_knows_no_web_no_database_no_clock_and_none_of_its_users(module: str) -> None:
    assert importing(module, "privacy") == set()


@pytest.mark.parametrize("module", ["flask", "api", "werkzeug"])
def test_datasets_knows_nothing_of_http(module: str) -> None:
    assert importing(module, "datasets") == set()


def test_one_module_is_the_door_to_randomness() -> None:
    assert importing("opendp") == {"privacy/noise.py"}


def test_nothing_imports_random() -> None:
    assert importing("random") == set()


def test_numpy_draws_only_the_made_up_city_and_the_seeded_operations_on_records() -> None:
    drawing = {path for path in importing("numpy.random") if not path.startswith("datasets/sample/")}
    assert drawing == {"privacy/deidentify/randomness.py"}


def test_the_rule_looks_at_files_at_all() -> None:
    assert importing("numpy", "privacy") >= {"privacy/noise.py", "privacy/aggregates.py"}
    assert importing("numpy.random") != set()
