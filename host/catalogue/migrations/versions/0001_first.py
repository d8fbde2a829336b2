"""The catalogue of 0.1.0, before catalogues had versions."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "vendor_modules",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("module", sa.String(255), nullable=False),
        sa.Column("description", sa.Text, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("edition", sa.String(32), nullable=False),
    )
    op.create_table(
        "nodes",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("parent", sa.String(80), sa.ForeignKey("nodes.id")),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("container", sa.Boolean, nullable=False),
        sa.Column("owner", sa.String(64), nullable=False),
        sa.Column("metadata", sa.Text, nullable=False),
        sa.Column("ctime", sa.BigInteger, nullable=False),
        sa.Column("mtime", sa.BigInteger, nullable=False),
        sa.Column("mimetype", sa.Text),
        sa.Column("encoding", sa.String(8)),
        sa.Column("module", sa.String(64), sa.ForeignKey("vendor_modules.name")),
        sa.Column("module_data", sa.Text),
        sa.Column("size", sa.BigInteger),
        sa.Index("nodes_parent_name", "parent", "name", unique=True),
        sa.Index("nodes_module", "module"),
    )
    op.create_table(
        "accounts",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("password", sa.Text, nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("policy", sa.String(64), sa.ForeignKey("vendor_modules.name"), nullable=False),
        sa.Column("root", sa.String(80), sa.ForeignKey("nodes.id"), nullable=False),
        sa.Column("quota", sa.BigInteger),
        sa.Column("used", sa.BigInteger, nullable=False),
    )
    for name, columns in (("pending", [sa.Column("process", sa.String(32), nullable=False)]), ("garbage", [])):
        op.create_table(
            name,
            sa.Column("id", sa.Integer, primary_key=True),
            sa.Column("module", sa.String(64), sa.ForeignKey("vendor_modules.name"), nullable=False, index=True),
            sa.Column("module_data", sa.Text, nullable=False),
            sa.Column("since", sa.BigInteger, nullable=False),
            *columns,
        )
    op.create_table(
        "processes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("seen", sa.BigInteger, nullable=False),
    )
