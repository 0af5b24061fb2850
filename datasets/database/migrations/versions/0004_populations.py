"""The population of a lineage, beside it and beside the account that it pays with; secrets of the installation."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE lineages ADD COLUMN population VARCHAR(64)")
    op.execute("ALTER TABLE accounts ADD COLUMN population VARCHAR(64)")
    op.create_table(
        "installation_secrets",
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("secret", sa.String(length=64), nullable=False),
        sa.Column("created_at", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_installation_secrets")),
    )
