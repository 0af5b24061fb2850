"""The population that a lineage belongs to."""

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.execute("ALTER TABLE lineages ADD COLUMN population VARCHAR(64)")
