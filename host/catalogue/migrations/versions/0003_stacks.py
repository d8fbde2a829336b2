"""Which module stands on which. What is configured by then stands on nothing that the host was told of."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "stacks",
        sa.Column("module", sa.String(64), sa.ForeignKey("vendor_modules.name"), primary_key=True),
        sa.Column("store", sa.String(64), sa.ForeignKey("vendor_modules.name"), primary_key=True),
    )
