"""The population of a lineage, beside it and its account; secrets of the installation; versions with sealed files."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE lineages ADD COLUMN population VARCHAR(64)")
    op.execute("ALTER TABLE accounts ADD COLUMN population VARCHAR(64)")
    # Files that are there already say nothing of whose they are.
    op.execute("ALTER TABLE versions ADD COLUMN sealed INTEGER DEFAULT 0 NOT NULL")
    op.create_table(
        "installation_secrets",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation_secrets")),
    )
