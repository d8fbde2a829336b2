"""From a name to a storage module's instance: the one place that imports code by name.

A class is imported when it is first needed, from ``sys.path``, eggs on it included. An instance
lives as long as the process, or until an administrator changes its configuration.
"""

import importlib
import inspect
import json
import re
import threading
import time
import zipimport
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from sqlalchemy import select

from host.catalogue.engine import Catalogue
from host.catalogue.schema import vendor_modules
from host.errors import Failed, HostError, Invalid
from host.guarded import VENDOR_ERRORS, GuardedModule, Guards
from modules import Context, StorageModule

__all__ = [
    "MASK",
    "Configuration",
    "Loader",
    "bind",
    "construct",
    "load_class",
    "masked",
    "prepare",
    "reason",
    "without",
]

#: Seconds for which a configuration is believed; then it is read again, for another process may have changed it.
FRESH = 0.5

_DOTTED = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)+")
#: Arguments with such a name, also inside others, are secrets: their values are never shown. (A keyring names a file.)
SECRET = re.compile("pass|secret|token|credential|key(?!ring)", re.IGNORECASE)
MASK = "***"

T = TypeVar("T")


@dataclass(frozen=True)
class Configuration:
    """What an administrator has configured under a name. ``locations`` has the arguments of each location."""

    name: str
    module: str
    description: str
    locations: dict[str, dict[str, Any]]
    edition: str


class Loader:
    """The configured modules, and their instances in this process.

    :param location: where this server is. Of a module's locations, the one of that name is the local one, or else
        the first.
    :param threads: that serve requests in this process. What hangs gets three quarters of them.
    """

    def __init__(self, catalogue: Catalogue, location: str = "", threads: int = 8) -> None:
        self._catalogue = catalogue
        self._location = location
        self._lock = threading.Lock()
        self._making: dict[tuple[str, str], threading.Lock] = {}
        self._instances: dict[tuple[str, str], tuple[str, StorageModule | None]] = {}  # with the edition
        self._guards = Guards(max(1, threads * 3 // 4))
        self._known: dict[str, tuple[float, Configuration | None]] = {}  # until when
        #: What every method of a module gets.
        self.context: Context = {"func": {"getModule": self._get_module}}

    def configuration(self, name: str) -> Configuration | None:
        """Return what is configured as ``name``, or None; as it was half a second ago at the latest."""
        until, kept = self._known.get(name, (0.0, None))
        now = time.monotonic()
        if now >= until:
            kept = self._read(name)
            self._known[name] = (now + FRESH, kept)
        return kept

    def changed(self, name: str) -> None:
        """Forget what was known of ``name``, which this process has just changed."""
        self._known.pop(name, None)

    def locations(self, name: str) -> list[str]:
        """Return the names of the locations of a module, the local one first.

        :raises LookupError: no module has that name.
        """
        return self.order(self._configured(name))

    def order(self, configured: Configuration) -> list[str]:
        """Return the names of the locations of a configuration, the local one first."""
        found = list(configured.locations)
        local = self._location if self._location in found else found[0]
        return [local, *(location for location in found if location != local)]

    def instance(self, name: str, location: str | None = None) -> StorageModule:
        """Return this process's instance of the module that is configured as ``name``.

        :param location: None for the local one.
        :raises LookupError: no module has that name, or it has no such location.
        :raises Failed: it has one, which does not load.
        :raises TryAgain: it hangs.
        """
        configured = self._configured(name)
        if location is None:
            location = self.order(configured)[0]
        where = (name, location)
        kept = self._kept(configured, location)
        if kept is not None:
            return kept
        with self._lock:
            making = self._making.setdefault(where, threading.Lock())
        # One instance a process, also when many threads need the first at once. A constructor may hang.
        with self._guards.of(where).inside(), making:
            kept = self._kept(configured, location)
            if kept is None:
                kept = self._make(configured, location)
                self._instances[where] = (configured.edition, kept)
        return kept

    def guarded(self, name: str, location: str) -> GuardedModule:
        """Return that instance as the host calls it.

        :raises HostError: it does not load, is not configured, or hangs.
        """
        try:
            instance = self.instance(name, location)
        except LookupError as error:
            raise Failed("the storage module of this data is not configured") from error
        return GuardedModule(instance, self._guards.of((name, location)), self.context)

    def keep(self, name: str, edition: str, instances: Mapping[str, StorageModule]) -> None:
        """Use ``instances``, by location, which were made when this process configured the module."""
        for location, instance in instances.items():
            self._instances[name, location] = (edition, instance)
        self.changed(name)

    def secrets(self) -> list[str]:
        """Return the secrets among the arguments of the modules that this process knows of."""
        known = [configuration for _, configuration in list(self._known.values()) if configuration is not None]
        return [secret for one in known for arguments in one.locations.values() for secret in secrets_in(arguments)]

    def _kept(self, configured: Configuration, location: str) -> StorageModule | None:
        edition, instance = self._instances.get((configured.name, location), ("", None))
        return instance if edition == configured.edition else None

    def _make(self, configured: Configuration, location: str) -> StorageModule:
        try:
            arguments = configured.locations[location]
            return construct(load_class(configured.module), arguments)
        except KeyError:
            raise LookupError(f"the storage module {configured.name!r} has no location {location!r}") from None
        except Invalid as error:
            raise Failed(f"the storage module {configured.name!r} does not load") from error

    def _get_module(self, name: str) -> StorageModule:
        """``getModule`` of the contract, whose errors are built-in ones."""
        try:
            return self.instance(name)
        except HostError as error:
            raise LookupError(str(error)) from error

    def _configured(self, name: str) -> Configuration:
        found = self.configuration(name)
        if found is None:
            raise LookupError(f"no storage module is configured as {name!r}")
        return found

    def _read(self, name: str) -> Configuration | None:
        with self._catalogue.reading() as connection:
            row = connection.execute(select(vendor_modules).where(vendor_modules.c.name == name)).first()
        if row is None:
            return None
        return Configuration(row.name, row.module, row.description, json.loads(row.locations), row.edition)


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
        unknown = sorted(arguments.keys() - set(names))
        if unknown and not takes_any:
            raise Invalid(f"args: unknown {', '.join(unknown)}: {takes}")
        return arguments
    if len(arguments) > len(names):
        raise Invalid(f"args: {len(arguments)} values are too many: {takes}")
    return dict(zip(names, arguments, strict=False))


def construct(cls: type[StorageModule], arguments: Mapping[str, Any]) -> StorageModule:
    """Make an instance of ``cls``.

    :raises Invalid: it refuses its arguments; the text says why, without those that are secrets.
    """
    return _call(cls, cls, arguments)


def prepare(cls: type[StorageModule], arguments: Mapping[str, Any]) -> None:
    """Have ``cls`` make what must be made once in a new storage.

    :raises Invalid: it refuses its arguments, likewise.
    """
    _call(cls, cls.prepare, arguments)


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
    return " ".join(f"{type(error).__name__}: {without(str(error), secrets_in(arguments or {}))}".split())


def without(text: str, secrets: Iterable[str]) -> str:
    """Return ``text`` with a mask in place of each of ``secrets``, the longest first."""
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, MASK)
    return text


def secrets_in(value: Any) -> Iterator[str]:
    """Return the secrets among arguments, in each form in which a text may hold them."""
    if isinstance(value, Mapping):
        for name, item in value.items():
            if not SECRET.search(name):
                yield from secrets_in(item)
            elif item:
                yield from dict.fromkeys((repr(item), json.dumps(item), str(item), *_texts_in(item)))
    elif isinstance(value, list):
        for item in value:
            yield from secrets_in(item)


def _texts_in(secret: Any) -> Iterator[str]:
    """Return the texts that a secret is made of, if it is more than one."""
    if isinstance(secret, (Mapping, list)):
        for item in secret.values() if isinstance(secret, Mapping) else secret:
            yield from [item] if isinstance(item, str) and item else _texts_in(item)
