"""Statements that are compiled once.

SQLAlchemy takes about 60 microseconds to run a statement that SQLite needs 10 for. A request has up to ten of
them; those are prepared here, and run on the driver's own connection, in SQLAlchemy's transaction.
"""

from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.elements import ClauseElement

__all__ = ["Prepared"]


class Prepared:
    """A statement with named parameters (:func:`sqlalchemy.bindparam`), whose values go in and out as they are."""

    def __init__(self, statement: ClauseElement) -> None:
        self._statement = statement
        self._compiled: dict[str, tuple[str, list[str] | None, dict[str, Any]]] = {}  # by dialect

    def first(self, connection: Connection, **values: Any) -> tuple[Any, ...] | None:
        """Return the first row, or None. It is for statements that have one at the most."""
        rows = self.all(connection, **values)  # a statement that was not read to its end may still hold a lock
        return rows[0] if rows else None

    def all(self, connection: Connection, **values: Any) -> list[tuple[Any, ...]]:
        """Return all rows."""
        rows: list[tuple[Any, ...]] = self._run(connection, values).fetchall()
        return rows

    def change(self, connection: Connection, **values: Any) -> int:
        """Run a statement that changes rows, and return how many."""
        return int(self._run(connection, values).rowcount)

    def _run(self, connection: Connection, values: dict[str, Any]) -> Any:
        text, order, constants = self._compile(connection)
        if constants:
            values = {**constants, **values}
        try:
            raw: Any = connection.connection.driver_connection
            return raw.execute(text, values if order is None else [values[name] for name in order])
        except connection.dialect.loaded_dbapi.Error as error:
            raise self._wrapped(connection, text, error) from error

    def _compile(self, connection: Connection) -> tuple[str, list[str] | None, dict[str, Any]]:
        kept = self._compiled.get(connection.dialect.name)
        if kept is None:
            compiled: Any = self._statement.compile(dialect=connection.dialect)
            constants = {name: value for name, value in compiled.params.items() if value is not None}
            kept = (str(compiled), compiled.positiontup, constants)
            self._compiled[connection.dialect.name] = kept
        return kept

    def _wrapped(self, connection: Connection, text: str, error: Exception) -> BaseException:
        """Return ``error`` as SQLAlchemy raises it; a connection that is lost is given up."""
        dialect = connection.dialect
        is_lost = dialect.is_disconnect(error, connection.connection.driver_connection, None)  # type: ignore[arg-type]
        if is_lost:
            connection.invalidate(error)
        base = dialect.loaded_dbapi.Error
        wrapped: BaseException = DBAPIError.instance(
            text, None, error, base, connection_invalidated=is_lost, dialect=dialect
        )
        return wrapped
