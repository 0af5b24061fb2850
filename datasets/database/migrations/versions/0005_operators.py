"""What an operator does: the installation's own journal, stops, purged versions, leases of work that waits for time."""

import secrets
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

ROLES = (
    "role IN ('analyst', 'portal', 'clerk', 'reviewer', 'approver', 'administrator', 'auditor', 'monitor')"
)
COLUMNS = (
    "ALTER TABLE organisations ADD COLUMN title_ja TEXT",
    "ALTER TABLE organisations ADD COLUMN title_en TEXT",
    "ALTER TABLE versions ADD COLUMN purged_at VARCHAR(32)",
)


def upgrade() -> None:
    for statement in COLUMNS:
        op.execute(statement)
    if op.get_bind().dialect.name == "sqlite":
        _rebuild_users()
    else:
        op.execute("ALTER TABLE users ADD COLUMN key_made_at VARCHAR(32)")
        op.execute("ALTER TABLE users DROP CONSTRAINT ck_users_role")
        op.execute(f"ALTER TABLE users ADD CONSTRAINT ck_users_role CHECK ({ROLES})")
        # Lines of the installation have longer kinds: organisation_changed.
        op.execute("ALTER TABLE journal ALTER COLUMN kind TYPE VARCHAR(32)")
    _make_installation()
    op.create_table(
        "stops",
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("by", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.CheckConstraint("kind IN ('dataset', 'organisation', 'user')", name=op.f("ck_stops_kind")),
        sa.PrimaryKeyConstraint("kind", "subject", name=op.f("pk_stops")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=True),
        sa.Column("until", sa.String(length=32), nullable=True),
        sa.Column("ended_at", sa.String(length=32), nullable=True),
        sa.Column("failure", sa.String(length=64), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def _make_installation() -> None:
    made = op.create_table(
        "installations",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("secret_digest", sa.String(length=64), nullable=True),
        sa.Column("secret_at", sa.String(length=32), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installations")),
    )
    at = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    # By chance, so that what another installation wrote is never taken for this one's.
    op.bulk_insert(
        made, [{"id": f"installation:{secrets.token_hex(8)}", "created_at": at, "entries": 0, "head": ""}]
    )


def _rebuild_users() -> None:
    """SQLite changes no constraint of a table that is there: a new one takes its rows and its name."""
    # Answers refer to the table by name: it must be there again, with the same rows, when the transaction commits.
    op.execute("PRAGMA defer_foreign_keys=ON")
    op.execute("CREATE TEMPORARY TABLE users_kept AS SELECT * FROM users")
    op.drop_table("users")
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("key_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("disabled_at", sa.String(length=32), nullable=True),
        sa.Column("key_made_at", sa.String(length=32), nullable=True),
        sa.CheckConstraint(ROLES, name=op.f("ck_users_role")),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.name"], name=op.f("fk_users_organisation")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
        sa.UniqueConstraint("key_digest", name=op.f("uq_users_key_digest")),
    )
    columns = "name, organisation, role, key_digest, created_at, disabled_at"
    op.execute(f"INSERT INTO users ({columns}) SELECT {columns} FROM users_kept")
    op.execute("DROP TABLE users_kept")
