"""The first shape: people, datasets, accounts, the journal that only grows, and the answers."""

import sqlalchemy as sa
from alembic import op

# Databases in use have gone through this file, so it never changes; closed lists stand here as they were
# then.
revision = "0001"
down_revision = None

# Triggers stop programs, not whoever owns the database; against that one helps the hash chain with a head
# kept elsewhere.
APPEND_ONLY = {
    # SQLite has a trigger for one kind of statement only, and no TRUNCATE.
    "sqlite": [
        """
        CREATE TRIGGER journal_kept_as_it_is BEFORE UPDATE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END
        """,
        """
        CREATE TRIGGER journal_kept_whole BEFORE DELETE ON journal
        BEGIN SELECT RAISE(ABORT, 'the journal only grows'); END
        """,
    ],
    "postgresql": [
        """
        CREATE FUNCTION journal_only_grows() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'the journal only grows'; END $$
        """,
        """
        CREATE TRIGGER journal_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
        FOR EACH STATEMENT EXECUTE FUNCTION journal_only_grows()
        """,
    ],
}


def upgrade() -> None:
    op.create_table(
        "lineages",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineages")),
    )
    op.create_table(
        "organisations",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_organisations")),
    )
    op.create_table(
        "accounts",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("holder", sa.String(length=64), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("spent", sa.BigInteger(), nullable=False),
        sa.Column("entries", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.CheckConstraint("kind IN ('dataset', 'organisation', 'user')", name=op.f("ck_accounts_kind")),
        sa.CheckConstraint("granted >= 0", name=op.f("ck_accounts_granted")),
        # No amount of concurrency spends more than was granted: the transaction that would do so fails here.
        sa.CheckConstraint("spent >= 0 AND spent <= granted", name=op.f("ck_accounts_spent")),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"], name=op.f("fk_accounts_lineage")),
        sa.PrimaryKeyConstraint("lineage", "kind", "holder", name=op.f("pk_accounts")),
    )
    op.create_table(
        "answer_tables",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("lineage", "digest", name=op.f("pk_answer_tables")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "datasets",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("retired_at", sa.String(length=32), nullable=True),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"], name=op.f("fk_datasets_lineage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_datasets")),
    )
    op.create_table(
        "grants",
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
        sa.CheckConstraint(
            # More of a lifetime cap needs a second person even if a program forgets to ask for one.
            "kind <> 'dataset' OR state <> 'effective' OR decided_by IS NOT NULL",
            name=op.f("ck_grants_two_people"),
        ),
        sa.CheckConstraint("kind IN ('dataset', 'organisation', 'user')", name=op.f("ck_grants_kind")),
        sa.CheckConstraint(
            "state <> 'effective' OR decided_by <> requested_by", name=op.f("ck_grants_another_person")
        ),
        sa.CheckConstraint("state IN ('pending', 'effective', 'declined')", name=op.f("ck_grants_state")),
        sa.CheckConstraint("amount > 0", name=op.f("ck_grants_amount")),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"], name=op.f("fk_grants_lineage")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_grants")),
    )
    op.create_table(
        "journal",
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("lineage", "number", name=op.f("pk_journal")),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "users",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("organisation", sa.String(length=64), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("key_digest", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.Column("disabled_at", sa.String(length=32), nullable=True),
        sa.CheckConstraint(
            "role IN ('analyst', 'portal', 'clerk', 'reviewer', 'approver', 'administrator')",
            name=op.f("ck_users_role"),
        ),
        sa.ForeignKeyConstraint(["organisation"], ["organisations.name"], name=op.f("fk_users_organisation")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_users")),
        sa.UniqueConstraint("key_digest", name=op.f("uq_users_key_digest")),
    )
    op.create_table(
        "versions",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("descriptor", sa.Text(), nullable=False),
        sa.Column("folder", sa.String(length=255), nullable=False),
        sa.Column("source_digest", sa.String(length=64), nullable=False),
        sa.Column("registered_at", sa.String(length=32), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_versions_dataset")),
        sa.PrimaryKeyConstraint("dataset", "number", name=op.f("pk_versions")),
    )
    op.create_index(op.f("ix_versions_source_digest"), "versions", ["source_digest"], unique=False)
    op.create_table(
        "answers",
        sa.Column("id", sa.String(length=32), nullable=False),
        sa.Column("user", sa.String(length=64), nullable=False),
        sa.Column("idempotency_key", sa.String(length=255), nullable=False),
        sa.Column("request_digest", sa.String(length=64), nullable=False),
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("entry", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=80), nullable=False),
        sa.Column("charge", sa.BigInteger(), nullable=False),
        sa.Column("dataset_charge", sa.BigInteger(), nullable=False),
        sa.Column("prices", sa.Text(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("asked_at", sa.String(length=32), nullable=False),
        sa.Column("question", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("table_digest", sa.String(length=64), nullable=False),
        sa.CheckConstraint("outcome IN ('answered', 'failed')", name=op.f("ck_answers_outcome")),
        sa.CheckConstraint(
            "dataset_charge >= 0 AND dataset_charge <= charge", name=op.f("ck_answers_charge")
        ),
        sa.ForeignKeyConstraint(
            ["dataset", "version"],
            ["versions.dataset", "versions.number"],
            name=op.f("fk_answers_dataset_version"),
        ),
        sa.ForeignKeyConstraint(
            ["lineage", "table_digest"],
            ["answer_tables.lineage", "answer_tables.digest"],
            name=op.f("fk_answers_lineage_table_digest"),
        ),
        sa.ForeignKeyConstraint(["user"], ["users.name"], name=op.f("fk_answers_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_answers")),
        sa.UniqueConstraint("user", "idempotency_key", name=op.f("uq_answers_user_idempotency_key")),
    )
    op.create_index(
        "ix_answers_paid",
        "answers",
        ["lineage", "version", "fingerprint"],
        unique=False,
        postgresql_where=sa.text("charge > 0 AND outcome = 'answered'"),
        sqlite_where=sa.text("charge > 0 AND outcome = 'answered'"),
    )
    op.create_index(op.f("ix_answers_user_id"), "answers", ["user", "id"], unique=False)
    for statement in APPEND_ONLY[op.get_bind().dialect.name]:
        op.execute(statement)
