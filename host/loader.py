"""From a name to a storage module's instance: the one place that imports code by name.

A class is imported when it is first needed, from ``sys.path``, eggs on it included. An instance
lives as long as the process, or until an administrator changes its configuration.
"""

import importlib
import inspect
import json
import re
import threading
import uuid
import zipimport
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import Engine, Row, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from host.database import garbage, nodes, pending, reading, vendor_modules, writing
from host.errors import Conflict, Failed, Invalid, NotFound
from modules import Context, StorageModule

__all__ = ["VENDOR_ERRORS", "Loader", "bind", "load_class", "masked"]

#: What a vendor's code may raise where it is called: a module that asks the process to exit must not
#: take everybody's transfers with it.
VENDOR_ERRORS = (Exception, SystemExit)

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
#: Arguments with such a name, also inside others, are secrets: their values are never shown.
SECRET = re.compile("pass|secret|token|credential|key", re.IGNORECASE)
MASK = "***"

T = TypeVar("T")


class Loader:
    """The configured modules, and their instances in this process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}  # by name
        self._instances: dict[str, tuple[str, StorageModule]] = {}  # by name: edition, instance
        #: What every method of a module gets.
        self.context: Context = {"func": {"getModule": self._get_module}}

    def instance(self, name: str) -> StorageModule:
        """Return this process's instance of the module that is configured as ``name``.

        :raises LookupError: no module has that name.
        :raises Failed: it has one, which does not load.
        """
        row = self._row(name)
        if row is None:
            raise LookupError(f"no storage module is configured as {name!r}")
        kept = self._instances.get(name)
        if kept is not None and kept[0] == row.edition:
            return kept[1]
        with self._lock:
            making = self._making.setdefault(name, threading.Lock())
        with making:  # one instance a process, also when many threads need the first at once
            kept = self._instances.get(name)
            if kept is None or kept[0] != row.edition:
                try:
                    kept = (row.edition, construct(load_class(row.module), row.arguments))
                except Invalid as error:
                    raise Failed(f"the storage module {name!r} does not load") from error
                self._instances[name] = kept
        return kept[1]

    def _get_module(self, name: str) -> StorageModule:
        """``getModule`` of the contract, whose errors are built-in ones."""
        try:
            return self.instance(name)
        except Failed as error:
            raise LookupError(str(error)) from error

    def configure(self, name: str, dotted: str, description: str, arguments: list[Any] | dict[str, Any]) -> None:
        """Keep what an administrator says of the module ``name``, once it is shown to work.

        :raises Invalid: the class does not import, is no storage module or refuses its arguments.
        """
        cls = load_class(dotted)
        bound = bind(cls, arguments)
        row = self._row(name)
        if (row is None or (row.module, row.arguments) != (dotted, bound)) and not self._keeps_data(name):
            _call(cls, cls.prepare, bound)
        instance = construct(cls, bound)
        edition = uuid.uuid4().hex
        values = {"module": dotted, "description": description, "arguments": bound, "edition": edition}
        with writing(self._engine) as connection:
            changed = connection.execute(update(vendor_modules).where(vendor_modules.c.name == name).values(values))
            if not changed.rowcount:
                connection.execute(insert(vendor_modules).values(name=name, **values))
        self._instances[name] = (edition, instance)

    def names(self) -> list[str]:
        """Return the names of all configured modules, in order."""
        with reading(self._engine) as connection:
            return list(connection.scalars(select(vendor_modules.c.name).order_by(vendor_modules.c.name)))

    def classes(self) -> list[str]:
        """Return the dotted names of all configured classes, each once."""
        with reading(self._engine) as connection:
            return list(connection.scalars(select(vendor_modules.c.module).distinct()))

    def describe(self, name: str) -> dict[str, Any]:
        """Return the configuration of ``name`` as it may be shown, and the module's statistics.

        :raises NotFound: no module has that name.
        """
        row = self._row(name)
        if row is None:
            raise NotFound(f"no vendor module {name!r}")
        return {
            "module": row.module,
            "description": row.description,
            "args": masked(row.arguments),
            "statistics": self._statistics(name, row.arguments),
        }

    def remove(self, name: str) -> None:
        """Forget the module ``name``.

        :raises NotFound: no module has that name.
        :raises Conflict: a user's policy or stored data needs it.
        """
        try:
            with writing(self._engine) as connection:
                if not connection.execute(delete(vendor_modules).where(vendor_modules.c.name == name)).rowcount:
                    raise NotFound(f"no vendor module {name!r}")
        except IntegrityError as error:
            raise Conflict(f"vendor module {name!r} is in use: users or stored data need it") from error
        self._instances.pop(name, None)

    def _statistics(self, name: str, arguments: Mapping[str, Any]) -> Any:
        try:
            return json.loads(json.dumps(self.instance(name).statistics(self.context)))
        except VENDOR_ERRORS as error:  # an administrator wants to see it
            return {"error": reason(error.__cause__ or error, arguments)}

    def _keeps_data(self, name: str) -> bool:
        """Tell whether the catalogue knows of data in ``name``: its storage is not new then, or its disk is missing."""
        with reading(self._engine) as connection:
            return any(
                connection.execute(select(table.c.module).where(table.c.module == name).limit(1)).first() is not None
                for table in (nodes, pending, garbage)
            )

    def _row(self, name: str) -> Row[Any] | None:
        with reading(self._engine) as connection:
            return connection.execute(select(vendor_modules).where(vendor_modules.c.name == name)).first()


def load_class(dotted: str) -> type[StorageModule]:
    """Import the class ``dotted``, such as ``newstore.newstore.NewStorage``.

    :raises Invalid: there is none, or it is no storage module; the text says why in one line.
    """
    if not _DOTTED.fullmatch(dotted):
        raise Invalid(f"module: {dotted!r} is not the dotted name of a class")
    package, _, name = dotted.rpartition(".")
    try:
        found = getattr(importlib.import_module(package), name)
    except zipimport.ZipImportError as error:
        hint = ": its egg is built for another Python" if "magic" in str(error) else ""
        raise Invalid(f"module: {dotted} does not import{hint}: {reason(error)}") from error
    except VENDOR_ERRORS as error:
        raise Invalid(f"module: {dotted} does not import: {reason(error)}") from error
    if not (isinstance(found, type) and issubclass(found, StorageModule)):
        raise Invalid(f"module: {dotted} is not a subclass of modules.StorageModule")
    if missing := ", ".join(sorted(getattr(found, "__abstractmethods__", ()))):
        raise Invalid(f"module: {dotted} lacks {missing}")
    return found


def bind(cls: type[StorageModule], arguments: list[Any] | dict[str, Any]) -> dict[str, Any]:
    """Return the arguments by name: a list goes to the declared parameters, in order.

    :raises Invalid: there are more of them than the constructor declares, or ones it does not know.
    """
    parameters = list(inspect.signature(cls).parameters.values())
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)]
    takes = f"{cls.__name__} takes {', '.join(names) or 'none'}"
    if isinstance(arguments, dict):
        # The constructor of StorageModule itself takes anything, to be callable with anything.
        takes_any = cls.__init__ is not StorageModule.__init__ and any(p.kind is p.VAR_KEYWORD for p in parameters)
        unknown = ", ".join(sorted(arguments.keys() - set(names)))
        if unknown and not takes_any:
            raise Invalid(f"args: unknown {unknown}: {takes}")
        return arguments
    if len(arguments) > len(names):
        raise Invalid(f"args: {len(arguments)} values are too many: {takes}")
    return dict(zip(names, arguments, strict=False))


def construct(cls: type[StorageModule], arguments: Mapping[str, Any]) -> StorageModule:
    """Make an instance of ``cls``.

    :raises Invalid: it refuses its arguments; the text says why, without those that are secrets.
    """
    return _call(cls, cls, arguments)


def _call(cls: type[StorageModule], call: Callable[..., T], arguments: Mapping[str, Any]) -> T:
    try:
        return call(**arguments)
    except VENDOR_ERRORS as error:
        raise Invalid(f"args: {cls.__name__} refuses them: {reason(error, arguments)}") from None


def masked(value: Any) -> Any:
    """Return arguments, or a part of them, as they may be shown: the values of secrets are masked."""
    if isinstance(value, Mapping):
        return {name: MASK if SECRET.search(name) else masked(item) for name, item in value.items()}
    return [masked(item) for item in value] if isinstance(value, list) else value


def reason(error: BaseException, arguments: Mapping[str, Any] | None = None) -> str:
    """Return what ``error`` says, in one line, without the secrets among ``arguments``."""
    text = str(error)
    for secret in _secrets(arguments or {}):
        for form in (repr(secret), json.dumps(secret), str(secret)):
            text = text.replace(form, MASK)
    return " ".join(f"{type(error).__name__}: {text}".split())


def _secrets(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for name, item in value.items():
            if SECRET.search(name):
                yield from [item] if item else []
            else:
                yield from _secrets(item)
    elif isinstance(value, list):
        for item in value:
            yield from _secrets(item)
