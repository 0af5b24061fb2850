"""The revision of the tables that this program was written for, and how a database stands to it."""

from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from datasets.database.errors import NotInitialised


def migrations() -> Config:
    """Alembic's configuration: the folder of the migrations."""
    found = Config()
    # Alembic reads it as an ini file does, where % has a meaning.
    found.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    return found


@cache
def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(migrations())


def newest() -> str:
    """The revision of the tables that this program was written for."""
    head = _scripts().get_current_head()
    assert head is not None, "there are migrations"
    return head


def mismatch(connection: Connection) -> NotInitialised | None:
    """What is wrong with the tables of a database, if this program was not written for them."""
    found = MigrationContext.configure(connection).get_current_revision()
    if found is None:
        return NotInitialised("none")
    if found == newest():
        return None
    known = {script.revision for script in _scripts().walk_revisions()}
    # Migrations are never removed: a revision that is not among ours was made after this program.
    return NotInitialised("earlier" if found in known else "later")
