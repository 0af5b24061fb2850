"""The population that a lineage belongs to, beside the lineage and beside the account that it pays with."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE lineages ADD COLUMN population VARCHAR(64)")
    op.execute("ALTER TABLE accounts ADD COLUMN population VARCHAR(64)")
