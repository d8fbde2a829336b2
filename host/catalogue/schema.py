"""The catalogue's tables. A change here wants a migration in :mod:`host.catalogue.migrations`."""

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

__all__ = [
    "GARBAGE",
    "KEPT",
    "PENDING",
    "accounts",
    "copies",
    "data",
    "detached",
    "failures",
    "metadata",
    "nodes",
    "pages",
    "processes",
    "stacks",
    "vendor_modules",
]

#: States of data. A process is storing it, and no name points to it yet.
PENDING = "pending"
#: One name points to it.
KEPT = "kept"
#: No name points to it any more, and it is to be deleted.
GARBAGE = "garbage"

#: Names are ordered by their bytes in UTF-8, on every database: SQLite does so, PostgreSQL when told.
_NAME = Text().with_variant(Text(collation="C"), "postgresql")
#: A number that the database gives out. SQLite has such columns of this one type alone.
_SERIAL = BigInteger().with_variant(Integer, "sqlite")

_TAKEN = text("process IS NOT NULL")

metadata = MetaData()

#: What an administrator has configured. ``locations`` is a JSON object: the arguments by the location's name,
#: which is "" where there is one location alone. ``edition`` changes with every change of the row.
vendor_modules = Table(
    "vendor_modules",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("module", String(255), nullable=False),
    Column("description", Text, nullable=False),
    Column("locations", Text, nullable=False),
    Column("edition", String(32), nullable=False),
)

#: Which module keeps its data in which other one: what ``stands_on`` said when ``module`` was configured.
stacks = Table(
    "stacks",
    metadata,
    Column("module", String(64), ForeignKey("vendor_modules.name"), primary_key=True),
    Column("store", String(64), ForeignKey("vendor_modules.name"), primary_key=True),
)

#: What modules keep: the data of one object, or of one that is to be, or was. ``size`` is bytes, ``since``
#: the second of the last change of ``state``. ``process`` is the one that is storing it.
data = Table(
    "data",
    metadata,
    Column("id", _SERIAL, primary_key=True),
    Column("module", String(64), ForeignKey("vendor_modules.name"), nullable=False),
    Column("module_data", Text, nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("state", String(8), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("process", String(32)),
    Index("data_state_module_since", "state", "module", "since"),
    Index("data_module", "module"),
    sqlite_autoincrement=True,  # an id is never used again, also when the newest row was deleted
)

#: Data that is still to be brought to a location. ``due`` is the second of the next try, ``process`` the one
#: that is at it, ``error`` what the last try failed for.
copies = Table(
    "copies",
    metadata,
    Column("data", _SERIAL, ForeignKey("data.id"), primary_key=True),
    Column("location", String(64), primary_key=True),
    Column("module", String(64), nullable=False),  # the data's
    Column("due", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("process", String(32)),
    Column("error", Text),
    Index("copies_module_location_due", "module", "location", "due"),
    # Of these there are few: so what dead processes had is found, however many wait.
    Index("copies_taken", "process", sqlite_where=_TAKEN, postgresql_where=_TAKEN),
)

#: Containers and objects. ``owner`` is the id of an account, ``metadata`` a JSON object; times are seconds;
#: ``etag`` changes with every change of an object.
nodes = Table(
    "nodes",
    metadata,
    Column("id", String(80), primary_key=True),
    Column("parent", String(80), ForeignKey("nodes.id")),
    Column("name", _NAME, nullable=False),
    Column("container", Boolean, nullable=False),
    Column("owner", Integer, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("ctime", BigInteger, nullable=False),
    Column("mtime", BigInteger, nullable=False),
    Column("etag", String(32), nullable=False),
    Column("mimetype", Text),
    Column("encoding", String(8)),
    Column("data", _SERIAL, ForeignKey("data.id")),
    Index("nodes_parent_name", "parent", "name", unique=True),
    Index("nodes_data", "data", unique=True),
)

#: The names of a container in pages: where each page begins, and how many names it has. So names are counted,
#: and a page in the middle is found, without looking at those before it.
pages = Table(
    "pages",
    metadata,
    Column("parent", String(80), ForeignKey("nodes.id"), primary_key=True),
    Column("first", _NAME, primary_key=True),
    Column("count", Integer, nullable=False),
)

#: Containers that no name leads to: what is deleted, whose content goes bit by bit, and, with a ``process``,
#: copies that it is making.
detached = Table(
    "detached",
    metadata,
    Column("node", String(80), ForeignKey("nodes.id"), primary_key=True),
    Column("process", String(32)),
    Column("since", BigInteger, nullable=False),
)

#: ``root`` is the container that is the account's ``/cdmi/``, ``unnamed`` the one of what has an id and no name.
#: ``quota`` and ``used`` are bytes, ``quota_objects`` and ``objects`` numbers of objects.
accounts = Table(
    "accounts",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("name", String(64), nullable=False, unique=True),
    Column("password", Text, nullable=False),
    Column("role", String(16), nullable=False),
    Column("policy", String(64), ForeignKey("vendor_modules.name"), nullable=False),
    Column("root", String(80), ForeignKey("nodes.id"), nullable=False),
    Column("unnamed", String(80), ForeignKey("nodes.id"), nullable=False),
    Column("quota", BigInteger),
    Column("used", BigInteger, nullable=False),
    Column("quota_objects", BigInteger),
    Column("objects", BigInteger, nullable=False),
    # With each node that is deleted the database looks whether it is one of these.
    Index("accounts_root", "root", unique=True),
    Index("accounts_unnamed", "unnamed", unique=True),
    sqlite_autoincrement=True,
)

#: Wrong passwords, by whom they were for and where they came from; ``until`` is the second of the next try.
failures = Table(
    "failures",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("address", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
    Column("until", BigInteger, nullable=False),
)

#: Server processes, and the second in which each of them was last heard of.
processes = Table(
    "processes",
    metadata,
    Column("id", String(32), primary_key=True),
    Column("seen", BigInteger, nullable=False),
)
