"""Who may import whom, read from the source: an allowlist, floor by floor and room by room.

Whoever adds a room adds its row to `ROOMS`; whoever needs one more import adds it to the row and says so in the
commit. Imports inside functions count like those at the top of a file.
"""

import ast
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from rooms import PRIVACY_STANDARD_LIBRARY, ROOMS

from api.commands.main import COMMANDS

ROOT = Path(__file__).parents[2]
FLOORS = ("privacy", "datasets", "api", "wsgi")
"""From the ground up; a floor may import those below it."""

IMPORTERS = ("import_module", "importlib.import_module", "__import__")
COMPUTED = "importlib"
"""What stands for an import whose name cannot be read from the source."""

SOURCES = sorted(path for folder in FLOORS[:3] for path in (ROOT / folder).rglob("*.py"))
FILES = [str(path.relative_to(ROOT)) for path in SOURCES]


def module_of(file: str) -> str:
    name = file.removesuffix(".py").replace("/", ".")
    return name.removesuffix(".__init__")


MODULES = {module_of(file) for file in FILES}


def nodes(source: str) -> Iterator[tuple[str, str]]:
    """(module, name) of every import, the name empty for `import module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in ("np.random", "numpy.random"):
            yield "numpy.random", ""
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not used here"
            yield from ((str(node.module), alias.name) for alias in node.names)
        if isinstance(node, ast.Call) and ast.unparse(node.func) in IMPORTERS:
            yield (str(node.args[0].value) if isinstance(node.args[0], ast.Constant) else COMPUTED), ""


@cache
def imports(file: str) -> frozenset[str]:
    """Every module that a file imports; of our own the very module, of others whatever is named."""
    found = set()
    for module, name in nodes((ROOT / file).read_text(encoding="utf-8")):
        whole = f"{module}.{name}" if name else module
        found.add(whole if whole in MODULES or module.split(".")[0] not in FLOORS else module)
    return frozenset(found)


def room_of(module: str) -> str:
    """The room of ROOMS that a module of ours stands in: the longest that fits."""
    parts = module.split(".")
    names = (".".join(parts[:length]) for length in range(len(parts), 0, -1))
    return next((name for name in names if name in ROOMS), module)


def is_ours(module: str) -> bool:
    return module.split(".")[0] in FLOORS


def is_standard(module: str) -> bool:
    return module.split(".")[0] in sys.stdlib_module_names


def importing(module: str, folder: str = "") -> set[str]:
    """The files below a folder that import a module or anything inside it."""
    return {
        file
        for file in FILES
        if file.startswith(folder)
        and any(name == module or name.startswith(f"{module}.") for name in imports(file))
    }


def in_room(room: str) -> list[str]:
    return [file for file in FILES if room_of(module_of(file)) == room]


def rooms_met(files: Iterable[str], room: str) -> set[str]:
    return {room_of(name) for file in files for name in imports(file) if is_ours(name)} - {room}


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_the_rooms_of_its_row_and_no_others(room: str) -> None:
    assert rooms_met(in_room(room), room) == ROOMS[room].rooms


@pytest.mark.parametrize("room", sorted(ROOMS))
def test_a_room_imports_the_libraries_of_its_row_and_no_others(room: str) -> None:
    found = {name.split(".")[0] for file in in_room(room) for name in imports(file) if not is_ours(name)}
    assert {name for name in found if not is_standard(name)} == ROOMS[room].libraries


def test_every_file_stands_in_a_room_of_the_table() -> None:
    assert [file for file in FILES if room_of(module_of(file)) not in ROOMS] == []


@pytest.mark.parametrize("room", sorted(room for room in ROOMS if room.startswith("privacy")))
def test_mathematics_uses_the_standard_library_only_where_it_reads_nothing(room: str) -> None:
    """No clock, no files, no environment, no sockets, no databases: the allowlist has none of them."""
    found = {name.split(".")[0] for file in in_room(room) for name in imports(file) if is_standard(name)}
    assert found - PRIVACY_STANDARD_LIBRARY == set()


def test_no_floor_imports_one_above_it() -> None:
    upward = [
        f"{file} imports {name}"
        for file in FILES
        for name in imports(file)
        if is_ours(name) and FLOORS.index(name.split(".")[0]) > FLOORS.index(file.split("/")[0])
    ]
    assert upward == []


def test_only_the_list_of_commands_computes_what_it_imports() -> None:
    """Such an import escapes every rule here, but for this one: the commands stand in the room that lists them."""
    computing = [
        file
        for file in FILES
        if any(name in (ROOT / file).read_text(encoding="utf-8") for name in ("import_module", "__import__"))
        for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in IMPORTERS
        and not isinstance(node.args[0], ast.Constant)
    ]
    assert computing == ["api/commands/main.py"]
    assert {place.module.rpartition(".")[0] for place in COMMANDS.values()} == {"api.commands"}


def test_no_circle_of_rooms() -> None:
    try:
        tuple(TopologicalSorter({room: row.rooms for room, row in ROOMS.items()}).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_no_circle_of_files() -> None:
    graph = {module_of(file): {name for name in imports(file) if name in MODULES} for file in FILES}
    try:
        tuple(TopologicalSorter(graph).static_order())
    except CycleError as circle:
        pytest.fail(" -> ".join(circle.args[1]))


def test_the_application_registers_rooms_and_nothing_else() -> None:
    defined = [
        node
        for node in ast.parse((ROOT / "api/__init__.py").read_text(encoding="utf-8")).body
        if not isinstance(node, ast.Import | ast.ImportFrom | ast.Expr | ast.If)
    ]
    assert [node.name for node in defined if isinstance(node, ast.FunctionDef)] == ["create_app"]
    assert len(defined) == 1


def test_one_module_is_the_door_to_randomness() -> None:
    assert importing("opendp") == {"privacy/noise.py"}


def test_nothing_imports_random() -> None:
    assert importing("random") == set()


def test_numpy_draws_only_the_made_up_city_and_the_seeded_operations_on_records() -> None:
    drawing = {file for file in importing("numpy.random") if not file.startswith("datasets/sample/")}
    assert drawing == {"privacy/deidentify/randomness.py"}


def outside(*rooms: str) -> list[str]:
    """The files of all other rooms."""
    return [file for file in FILES if not module_of(file).startswith(rooms)]


def test_only_engines_and_registration_know_which_engine_there_is() -> None:
    """Others ask the protocol, and say where: DuckDB, and whatever is told apart from it, is no business of theirs."""
    files = outside("datasets.engines", "datasets.registration")
    assert sorted(importing("duckdb").intersection(files)) == []
    met = {name for file in files for name in imports(file) if name.startswith("datasets.engines")}
    assert met <= {f"datasets.engines.{module}" for module in ("base", "engines", "errors", "rehearsal")}


def test_registration_takes_the_format_of_the_statistics_table_from_engines_and_nothing_else() -> None:
    met = {
        name
        for file in FILES
        if module_of(file).startswith("datasets.registration")
        for name in imports(file)
        if name.startswith("datasets.engines")
    }
    assert met == {"datasets.engines.format"}


def test_the_rules_look_at_files_at_all() -> None:
    assert importing("numpy", "privacy") >= {"privacy/noise.py", "privacy/aggregates.py"}
    assert importing("numpy.random") != set()
    assert len(FILES) > 200


@pytest.mark.parametrize(
    ("line", "module"),
    [
        ("import sqlite3", "sqlite3"),
        ("from pathlib import Path", "pathlib.Path"),
        ("def f():\n    import os.path", "os.path"),
        ("import importlib\nimportlib.import_module('socket')", "socket"),
        ("from datetime import datetime\nimport numpy as np\nnp.random.default_rng()", "numpy.random"),
    ],
)
def test_an_import_is_found_however_it_is_written(line: str, module: str) -> None:
    found = {f"{module}.{name}" if name else module for module, name in nodes(line)}
    assert module in found
    if module != "numpy.random":
        assert module.split(".")[0] not in PRIVACY_STANDARD_LIBRARY
