"""The rows of `test_layering`: which rooms and libraries each room may import. No row, no room."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """What a room may import besides the standard library: rooms of ours, and libraries."""

    rooms: frozenset[str]
    libraries: frozenset[str]


def row(rooms: str = "", libraries: str = "") -> Row:
    return Row(frozenset(rooms.split()), frozenset(libraries.split()))


# What computes on what it is given: `concurrent` is threads; `io` and `csv` read texts held in memory.
PRIVACY_STANDARD_LIBRARY = frozenset(
    {
        *(
            "abc",
            "base64",
            "collections",
            "concurrent",
            "csv",
            "dataclasses",
            "datetime",
            "decimal",
            "difflib",
        ),
        *(
            "enum",
            "fractions",
            "functools",
            "hashlib",
            "hmac",
            "io",
            "itertools",
            "json",
            "math",
            "operator",
            "re",
            "statistics",
        ),
        *("types", "typing", "unicodedata", "warnings"),
    }
)

ROOMS = {
    "privacy": row("", "numpy opendp"),
    "privacy.deidentify": row("privacy", "numpy scipy"),
    "privacy.deidentify.detectors": row("privacy", "numpy"),
    "privacy.deidentify.hierarchies": row("privacy privacy.deidentify", "numpy"),
    "privacy.deidentify.operations": row("privacy privacy.deidentify", "numpy"),
    "privacy.deidentify.proof": row("privacy privacy.deidentify privacy.deidentify.hierarchies", "numpy"),
    "privacy.deidentify.search": row(
        "privacy privacy.deidentify privacy.deidentify.hierarchies", "numba numpy"
    ),
    "privacy.deidentify.standard": row(
        "privacy privacy.deidentify privacy.deidentify.detectors privacy.deidentify.hierarchies", "numpy"
    ),
    "privacy.deidentify.utility": row(
        "privacy privacy.deidentify privacy.deidentify.hierarchies", "numpy scipy sklearn"
    ),
    "datasets": row(),
    "datasets.budgets": row("datasets.catalog datasets.ledger privacy"),
    "datasets.catalog": row("datasets.database datasets.descriptor datasets.engines privacy", "sqlalchemy"),
    "datasets.database": row("privacy", "alembic psycopg sqlalchemy structlog"),
    "datasets.descriptor": row("privacy", "jsonschema yaml"),
    "datasets.engines": row("privacy", "duckdb numpy sqlglot structlog"),
    "datasets.jobs": row("datasets.database privacy", "sqlalchemy structlog"),
    "datasets.ledger": row("datasets.database privacy", "sqlalchemy"),
    "datasets.operations": row(
        "datasets.database datasets.ledger datasets.people datasets.registration.ingest privacy", "sqlalchemy"
    ),
    "datasets.people": row("datasets.database privacy", "sqlalchemy structlog"),
    "datasets.queries": row(
        "datasets.catalog datasets.database datasets.engines datasets.ledger datasets.people privacy",
        "structlog",
    ),
    "datasets.records": row(
        "datasets.records.plan datasets.sources privacy privacy.deidentify privacy.deidentify.hierarchies "
        "privacy.deidentify.operations privacy.deidentify.proof privacy.deidentify.search "
        "privacy.deidentify.standard privacy.deidentify.utility",
        "numpy pyarrow",
    ),
    "datasets.records.plan": row(
        "datasets.descriptor datasets.sources privacy privacy.deidentify privacy.deidentify.hierarchies "
        "privacy.deidentify.operations",
        "numpy",
    ),
    "datasets.registration": row(
        "datasets.catalog datasets.database datasets.descriptor datasets.engines datasets.ledger "
        "datasets.registration.ingest privacy",
        "sqlalchemy",
    ),
    "datasets.registration.ingest": row(
        "datasets.database datasets.descriptor datasets.engines privacy", "duckdb numpy pyarrow"
    ),
    "datasets.sample": row("", "numpy pyarrow"),
    "datasets.sources": row("privacy privacy.deidentify", "numpy pyarrow"),
    "datasets.stops": row("datasets.database datasets.ledger privacy", "sqlalchemy"),
    "api": row(
        "api.budgets api.catalog api.description api.http api.queries api.server api.services "
        "api.settings privacy",
        "flask",
    ),
    "api.__main__": row("api.commands"),
    "api.budgets": row(
        "api.http api.services datasets.budgets datasets.catalog datasets.database datasets.ledger privacy",
        "flask marshmallow",
    ),
    "api.catalog": row(
        "api.http api.services datasets.catalog datasets.ledger datasets.people datasets.queries privacy",
        "flask marshmallow",
    ),
    "api.commands": row(
        "api api.budgets api.description api.records api.server api.services api.settings "
        "datasets.budgets datasets.catalog datasets.database datasets.descriptor datasets.jobs datasets.ledger "
        "datasets.operations datasets.people datasets.records datasets.records.plan datasets.registration "
        "datasets.registration.ingest datasets.sample datasets.stops privacy privacy.deidentify",
        "click",
    ),
    "api.description": row("api.http", "apispec flask flask_smorest marshmallow werkzeug yaml"),
    "api.formats": row("privacy", "pyarrow werkzeug xlsxwriter"),
    "api.http": row(
        "api.formats api.services api.settings datasets.database datasets.people privacy",
        "flask flask_smorest marshmallow numpy structlog webargs werkzeug",
    ),
    "api.queries": row(
        "api.formats api.http api.services datasets.database datasets.ledger datasets.queries privacy",
        "flask marshmallow",
    ),
    "api.records": row("api.formats datasets.records privacy privacy.deidentify.utility", "jinja2"),
    "api.server": row(
        "api.http api.services api.settings datasets.database datasets.engines datasets.ledger privacy",
        "flask gunicorn prometheus_client structlog werkzeug",
    ),
    "api.services": row(
        "api.settings datasets.budgets datasets.catalog datasets.database datasets.engines datasets.ledger "
        "datasets.people datasets.queries datasets.stops privacy",
        "flask sqlalchemy structlog",
    ),
    "api.settings": row("privacy"),
}
