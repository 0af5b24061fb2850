"""Accounts of more kinds, some without a limit; balances beside the answer; grants that lower or are sent back."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

KINDS = "kind IN ('user', 'organisation', 'contract', 'reserve', 'dataset', 'population')"
ACCOUNT_CHECKS = {
    "kind": KINDS,
    "granted": "granted >= 0",
    "spent": "spent >= 0 AND spent <= granted",
    "delta_granted": (
        "delta_granted >= 0 AND (kind IN ('dataset', 'population') OR coalesce(delta_granted, 1) = 0)"
    ),
    "delta_spent": "delta_spent >= 0 AND delta_spent <= delta_granted",
    "dataset_has_a_cap": "kind <> 'dataset' OR granted IS NOT NULL",
}
GRANT_CHECKS = {
    "kind": KINDS,
    "amount": "amount > 0",
    "state": "state IN ('pending', 'effective', 'declined', 'returned')",
    "change": "change IN ('raise', 'lower')",
    "another_person": "state <> 'effective' OR decided_by <> requested_by",
    "two_people": (
        "change = 'lower' OR NOT kind IN ('dataset', 'population', 'reserve') OR state <> 'effective' "
        "OR decided_by IS NOT NULL"
    ),
}
# Until now an organisation without an account was limited by nothing: it gets the account that says so.
UNLIMITED_ORGANISATIONS = """
    INSERT INTO accounts (lineage, kind, holder, granted, spent, entries, head, delta_granted, delta_spent)
    SELECT DISTINCT accounts.lineage, 'organisation', users.organisation, CAST(NULL AS BIGINT), 0, 0, '', 0, 0
    FROM accounts JOIN users ON users.name = accounts.holder
    WHERE accounts.kind = 'user'
    ON CONFLICT DO NOTHING
"""
COLUMNS = (
    "ALTER TABLE versions ADD COLUMN engine VARCHAR(16) DEFAULT 'duckdb' NOT NULL",
    "ALTER TABLE answers ADD COLUMN balances TEXT",
)


def upgrade() -> None:
    for statement in COLUMNS:
        op.execute(statement)
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        _alter()
    op.execute(UNLIMITED_ORGANISATIONS)


def _alter() -> None:
    op.execute("ALTER TABLE accounts ALTER COLUMN granted DROP NOT NULL")
    op.execute("ALTER TABLE accounts ALTER COLUMN delta_granted DROP NOT NULL")
    op.execute("ALTER TABLE grants ADD COLUMN change VARCHAR(8) DEFAULT 'raise' NOT NULL")
    op.execute("ALTER TABLE grants ADD COLUMN decision_reason TEXT")
    for table, checks in (("accounts", ACCOUNT_CHECKS), ("grants", GRANT_CHECKS)):
        for name, check in checks.items():
            op.execute(f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS ck_{table}_{name}")
            op.execute(f"ALTER TABLE {table} ADD CONSTRAINT ck_{table}_{name} CHECK ({check})")


def _rebuild() -> None:
    """SQLite changes no constraint of a table that is there: a new one takes its rows and its name."""
    op.create_table(
        "accounts_new",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=True),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("delta_granted", sa.BigInteger(), server_default="0", nullable=True),
        sa.Column("delta_spent", sa.BigInteger(), server_default="0", nullable=False),
        *_checks("accounts", ACCOUNT_CHECKS),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"], name=op.f("fk_accounts_lineage")),
        sa.PrimaryKeyConstraint("lineage", "kind", "holder", name=op.f("pk_accounts")),
    )
    op.create_table(
        "grants_new",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested_by", sa.String(length=64), nullable=False),
        sa.Column("decided_by", sa.String(length=64), nullable=True),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("change", sa.String(length=8), server_default="raise", nullable=False),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        *_checks("grants", GRANT_CHECKS),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"], name=op.f("fk_grants_lineage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    _unclustered_answer_tables()
    accounts = "lineage, kind, holder, granted, spent, entries, head, delta_granted, delta_spent"
    grants = "id, lineage, kind, holder, amount, reason, state, requested_by, decided_by, at"
    for table, columns in (("accounts", accounts), ("grants", grants)):
        op.execute(f"INSERT INTO {table}_new ({columns}) SELECT {columns} FROM {table}")
        op.drop_table(table)
        op.rename_table(f"{table}_new", table)


def _unclustered_answer_tables() -> None:
    """Tables of answers lie beside their key and no longer within it, where SQLite reads large ones on its way."""
    # Answers refer to the table by name: it must be there again, with the same rows, when the transaction commits.
    op.execute("PRAGMA defer_foreign_keys=ON")
    op.execute(
        "CREATE TEMPORARY TABLE answer_tables_kept AS SELECT lineage, digest, content FROM answer_tables"
    )
    op.drop_table("answer_tables")
    op.create_table(
        "answer_tables",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lineage", "digest", name=op.f("pk_answer_tables")),
    )
    op.execute("INSERT INTO answer_tables (lineage, digest, content) SELECT * FROM answer_tables_kept")
    op.execute("DROP TABLE answer_tables_kept")


def _checks(table: str, checks: dict[str, str]) -> list[sa.CheckConstraint]:
    return [sa.CheckConstraint(check, name=op.f(f"ck_{table}_{name}")) for name, check in checks.items()]
