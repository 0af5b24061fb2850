"""A lifetime total of δ beside that of ε or ρ, and views that join datasets of several lineages."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

# Both databases take a constraint with a new column, and SQLite takes one in no other way.
COLUMNS = (
    """
    ALTER TABLE accounts ADD COLUMN delta_granted BIGINT DEFAULT 0 NOT NULL
        CONSTRAINT ck_accounts_delta_granted
        CHECK (delta_granted >= 0 AND (kind = 'dataset' OR delta_granted = 0))
    """,
    """
    ALTER TABLE accounts ADD COLUMN delta_spent BIGINT DEFAULT 0 NOT NULL
        CONSTRAINT ck_accounts_delta_spent CHECK (delta_spent >= 0 AND delta_spent <= delta_granted)
    """,
    "ALTER TABLE versions ADD COLUMN sources TEXT",
)


def upgrade() -> None:
    for statement in COLUMNS:
        op.execute(statement)
    op.create_table(
        "view_lineages",
        sa.Column("dataset", sa.String(length=64), nullable=False),
        sa.Column("lineage", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.id"], name=op.f("fk_view_lineages_dataset")),
        sa.ForeignKeyConstraint(["lineage"], ["lineages.id"], name=op.f("fk_view_lineages_lineage")),
        sa.PrimaryKeyConstraint("dataset", "lineage", name=op.f("pk_view_lineages")),
    )
