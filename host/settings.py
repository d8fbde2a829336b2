"""What an operator may set: the file ``cloud.toml`` in the cloud's directory. Everything has a default."""

import dataclasses
import ipaddress
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from host.wire.objectid import ENTERPRISE_NUMBER

__all__ = ["CATALOGUE", "CATALOGUE_VARIABLE", "FILE", "Limits", "Server", "Settings", "SettingsError", "load"]

#: The file of the embedded catalogue, in the cloud's directory.
CATALOGUE = "catalogue.sqlite"
#: Instead of the setting ``catalogue``, whose URL may hold a password.
CATALOGUE_VARIABLE = "VSM_CATALOGUE"
FILE = "cloud.toml"


class SettingsError(Exception):
    """A setting is unknown or wrong; the text says which and what it may be."""


@dataclass(frozen=True)
class Limits:
    """The most that a request may have; numbers of bytes.

    :param path: of the path, percent-decoded.
    :param headers: of all header fields together.
    :param value: of a value in a cdmi-object that cannot be streamed, since its valuetransferencoding comes after it.
    :param object: of the data of one object; None for any number.
    """

    path: int = 8190
    headers: int = 64 * 1024
    value: int = 16 * 1024 * 1024
    object: int | None = None


@dataclass(frozen=True)
class Server:
    """How ``vsm serve`` runs: what another server is told in its own configuration.

    :param stop: seconds in which transfers may come to their end when the server is stopped.
    """

    processes: int = 2
    threads: int = 8
    stop: int = 300


@dataclass(frozen=True)
class Settings:
    """The settings of a cloud.

    :param directory: the cloud's; relative paths are below it.
    :param catalogue: the URL of the database, as SQLAlchemy has it; of SQLite always a file.
    :param location: where this server is: the name of the location of vendor modules that is near to it.
    :param proxies: addresses of proxies of ours, whose X-Forwarded-For is believed.
    :param access_log: a file, ``-`` for the standard error, or empty for none.
    :param audit_log: likewise, of what administrators do.
    :param grace: seconds for which garbage is kept: for reads that are open when it becomes that, and for backups.
    :param enterprise_number: of the operator, for object ids; IANA gives them out.
    """

    directory: Path
    catalogue: URL
    location: str = ""
    proxies: frozenset[str] = frozenset()
    access_log: str = "access.log"
    audit_log: str = "audit.log"
    grace: int = 300
    enterprise_number: int = ENTERPRISE_NUMBER
    limits: Limits = field(default_factory=Limits)
    server: Server = field(default_factory=Server)

    @property
    def is_embedded(self) -> bool:
        """Whether the catalogue is the file in the cloud's directory."""
        return self.catalogue.database == str(self.directory / CATALOGUE)


def load(directory: Path) -> Settings:
    """Return the settings of the cloud in ``directory``.

    :raises SettingsError: its file cannot be read, or a setting is unknown or wrong.
    """
    directory = directory.resolve()
    try:
        given = tomllib.loads((directory / FILE).read_text("utf-8"))
    except FileNotFoundError:
        given = {}
    except (OSError, ValueError) as error:
        raise SettingsError(f"{directory / FILE}: {error}") from error
    values: dict[str, Any] = {
        "catalogue": _catalogue(directory, _take(given, "catalogue", str, "")),
        "proxies": frozenset(map(_address, _take(given, "proxies", list, []))),
    }
    for name, default in (("location", ""), ("access_log", "access.log"), ("audit_log", "audit.log")):
        values[name] = _take(given, name, str, default)
    values["grace"] = _take(given, "grace", int, 300)
    values["enterprise_number"] = _take(given, "enterprise_number", int, ENTERPRISE_NUMBER, most=2**24 - 1)
    values["limits"] = _part(Limits, "limits", _take(given, "limits", dict, {}))
    values["server"] = _part(Server, "server", _take(given, "server", dict, {}))
    if given:
        raise SettingsError(f"{FILE}: unknown: {', '.join(sorted(given))}")
    return Settings(directory, **values)


def _catalogue(directory: Path, given: str) -> URL:
    """Return the URL of the catalogue: of the environment, or else the one in the file, or else of the embedded one."""
    text = os.environ.get(CATALOGUE_VARIABLE)
    where = CATALOGUE_VARIABLE if text else f"{FILE}: catalogue"
    text = text or given or "sqlite:///" + CATALOGUE
    try:
        url = make_url(text)
        url.get_dialect()
    except NoSuchModuleError:
        raise SettingsError(f"{where}: {url.drivername} is not known to SQLAlchemy") from None
    except (ArgumentError, ValueError):  # the latter for a port that is no number
        raise SettingsError(f"{where}: not a URL such as postgresql+psycopg://user@host/name") from None
    if url.get_backend_name() not in ("sqlite", "postgresql"):
        raise SettingsError(f"{where}: {url.get_backend_name()} is not served; sqlite and postgresql are")
    if url.get_backend_name() == "postgresql":
        return url
    if url.database in (None, "", ":memory:"):
        raise SettingsError(f"{where}: names no file, and what is in memory is lost")
    return url.set(database=str(directory / str(url.database)))


def _address(given: Any) -> str:
    """Return the address of a proxy, as servers tell it: of one at a socket in the file system it is empty."""
    if given != "":
        try:
            ipaddress.ip_address(str(given))
        except ValueError:
            raise SettingsError(f"{FILE}: proxies: {given!r} is not the address of a host") from None
    return str(given)


def _part(cls: type[Any], name: str, given: dict[str, Any]) -> Any:
    values = {}
    for each in dataclasses.fields(cls):
        if each.name in given:
            values[each.name] = _take(given, each.name, int, None, where=f"{name}.")
    if given:
        raise SettingsError(f"{FILE}: unknown: {', '.join(f'{name}.{key}' for key in sorted(given))}")
    return cls(**values)


def _take(given: dict[str, Any], name: str, kind: type, default: Any, *, where: str = "", most: int = 2**62) -> Any:
    """Take a setting out of ``given``."""
    value = given.pop(name, default)
    if value is not default and type(value) is not kind:
        raise SettingsError(f"{FILE}: {where}{name}: not {_KINDS[kind]}")
    if kind is int and value is not None and not 1 <= value <= most:
        raise SettingsError(f"{FILE}: {where}{name}: not between 1 and {most}")
    return value


_KINDS = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}
