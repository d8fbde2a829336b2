"""The tables of a deduplicating module's index. docs/formats/dedup.md says what they mean together."""

from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
)

__all__ = [
    "ADOPTING",
    "CLAIMED",
    "DEAD",
    "LIVE",
    "PUBLISHING",
    "READY",
    "SPOILT",
    "UPLOADING",
    "WRITING",
    "chunks",
    "metadata",
    "objects",
    "packs",
    "settings",
    "totals",
    "uses",
]

# States of an object: its data is coming; its manifest may be visible; it is; nobody needs it any more; it is being
# learnt of from its manifest.
UPLOADING, PUBLISHING, LIVE, DEAD, ADOPTING = range(5)
# States of a pack: it is being written; it may be referred to; not by new objects; it is about to be deleted.
WRITING, READY, SPOILT, CLAIMED = range(4)

metadata = MetaData()


class _Bytes(LargeBinary):
    """Bytes, which both drivers take and give as they are: what SQLAlchemy does to each value costs time."""

    cache_ok = True

    def bind_processor(self, dialect: object) -> None:
        return None

    def result_processor(self, dialect: object, coltype: object) -> None:
        return None


# SQLite counts by itself in an INTEGER alone. AUTOINCREMENT: no number is given twice.
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

settings = Table(
    "settings",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", Text, nullable=False),
)

objects = Table(
    "objects",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("version", _Bytes(16), nullable=False, unique=True),  # as in the manifest
    Column("name", _Bytes(32), nullable=False, index=True),  # a hash of `root`, which may be too long for an index
    Column("root", Text, nullable=False),  # module_data of the manifest
    Column("state", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes
    Column("owner", Text, nullable=False),  # the process that stores it
    Column(
        "since", BigInteger, nullable=False
    ),  # seconds since 1970: its last sign of life; of a dead one, when it is due
    sqlite_autoincrement=True,
)
_OF_INTEREST = objects.c.state != LIVE
Index("objects_of_interest", objects.c.state, objects.c.since, sqlite_where=_OF_INTEREST, postgresql_where=_OF_INTEREST)

packs = Table(
    "packs",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("name", _Bytes(32), nullable=False, unique=True),
    Column("inner", Text, nullable=False),  # module_data
    Column("state", Integer, nullable=False),
    Column("size", BigInteger, nullable=False),  # bytes; 0 until it is whole
    Column("adopted", BigInteger, nullable=False),  # when it was learnt of from a manifest, in seconds since 1970; or 0
    sqlite_autoincrement=True,
)
_CLAIMED = packs.c.state == CLAIMED
Index("packs_claimed", packs.c.id, sqlite_where=_CLAIMED, postgresql_where=_CLAIMED)
_ADOPTED = packs.c.adopted != 0
Index("packs_adopted", packs.c.id, sqlite_where=_ADOPTED, postgresql_where=_ADOPTED)

#: Which objects refer to which packs: what has no row here may go.
uses = Table(
    "uses",
    metadata,
    Column("object", BigInteger, primary_key=True),
    Column("pack", BigInteger, primary_key=True),
    sqlite_with_rowid=False,
)
Index("uses_of_pack", uses.c.pack)

#: Where each chunk is. A chunk that two uploads stored at the same time has two rows, and either will do.
chunks = Table(
    "chunks",
    metadata,
    Column("pack", BigInteger, primary_key=True),
    Column("place", BigInteger, primary_key=True),  # bytes from the start of the pack
    Column("size", Integer, nullable=False),  # bytes
    Column("hash", _Bytes(32), nullable=False),
    sqlite_with_rowid=False,
)
Index("chunks_by_hash", chunks.c.hash)

#: One row, so that statistics need count nothing.
totals = Table(
    "totals",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("objects", BigInteger, nullable=False),
    Column("logical", BigInteger, nullable=False),  # bytes of all objects
    Column("chunks", BigInteger, nullable=False),
    Column("stored", BigInteger, nullable=False),  # bytes of all packs
    Column("garbage", BigInteger, nullable=False),  # of them, bytes of those that are claimed
)
