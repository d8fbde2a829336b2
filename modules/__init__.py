"""The contract between a cloud and the storage modules that keep its data.

A *storage module* is a class that extends :class:`StorageModule`. A *host*, the server that keeps
people's data, makes one instance of it per server process and calls its seven methods. Three more may
be left out: :meth:`StorageModule.copy_data`, :meth:`StorageModule.stands_on` and
:meth:`StorageModule.upkeep`. What holds for the seven holds for them as well.

What holds for all methods
    *Threads.* Many threads of a process use the one instance at the same time, for months. What a
    call opens it closes, also when it fails.

    *Processes.* Several processes, each with an instance of its own, work on the same storage at
    the same time. An instance may be made before a ``fork`` and used after it.

    *Streams.* Data goes through in pieces. No method holds an object whole in memory.

    *Errors.* They are built-in ones, and answer the host's one question: is it worth another try?

    ============================================ =====================================================
    ``FileNotFoundError``                        no such data here
    ``ValueError``                               ``module_data`` that this module never made
    ``PermissionError``                          the storage refuses access
    ``OSError`` with ``errno.ENOSPC``            the storage is full
    ``OSError`` with ``errno.EROFS``             the storage takes no writes
    ``OSError`` with ``errno.EIO``               broken or corrupt; never returned as if it were good
    ``TimeoutError``, ``ConnectionError``        worth another try
    ============================================ =====================================================

``context``
    The first argument of every method: a mapping of what the host offers to a module. Its entry
    ``func`` is a mapping of functions by name. Always there is ``getModule``: called with the name
    under which an administrator configured a module, it returns that module's instance in this
    process, or raises ``LookupError``. So a module can keep its data in another one::

        inner = context["func"]["getModule"]("local")

    A host may offer more; a module ignores what it does not know. A module needs nothing of it, and
    keeps nothing of it after the call.

``module_data``
    A string that the module made (see :meth:`StorageModule.new_data`) and the host keeps. It comes
    back through databases, backups and other people's hands: check it before you use it.

``capacity``
    The one value of :meth:`StorageModule.statistics` that every module gives: a mapping of
    ``total`` (all the storage), ``free`` (what may still be written) and ``used`` (what is taken, by
    whomsoever), each a whole number of bytes, or -1 where it cannot be known. ``free + used`` may
    be less than ``total``: some storage keeps a reserve.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

__all__ = ["MODULE_DATA_LIMIT", "Context", "ReadStream", "Source", "StorageModule"]

#: The longest ``module_data`` that a host keeps, in bytes of UTF-8.
MODULE_DATA_LIMIT = 4096

#: What a host offers to a module: ``{"func": {"getModule": callable}}``, open to more.
Context: TypeAlias = Mapping[str, Any]


class Source(Protocol):
    """Where :meth:`StorageModule.assign` gets an object from. Nothing but ``read`` is promised."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes: fewer do not mean the end, only ``b""`` does."""


class ReadStream(Protocol):
    """What :meth:`StorageModule.get_read_stream` returns. An open binary file is one."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to ``size`` bytes from here on, or all the rest if it is negative.

        Fewer bytes than asked for do not mean the end; ``b""`` does, unless ``size`` is 0.

        :raises OSError: with ``errno.EIO`` if the object is found corrupt.
        :raises ValueError: after :meth:`close`.
        """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to ``offset`` bytes from the start (0), from here (1) or from the end (2).

        Past the end is allowed, and reads ``b""`` there.

        :returns: the new place, in bytes from the start.
        :raises ValueError: or ``OSError``, for a place before the start, and after :meth:`close`.
        """

    def close(self) -> None:
        """Give back what the stream holds. Closing twice is no error."""


class StorageModule(ABC):
    """Base class of every storage module: extend it and write the seven methods.

    A class that lacks one of them cannot be instantiated, and the error names what is missing. Whoever
    likes overrides :meth:`prepare`, :meth:`copy_data`, :meth:`stands_on` and :meth:`upkeep` as well.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Make the instance of one server process.

        *Called when* the process first needs the module, and once by the process in which an
        administrator configures it, to try it.

        *The host guarantees* that ``kwargs`` are the administrator's arguments, of JSON types. A
        list of arguments is matched to the parameters that the constructor declares, in order.

        *The module must* refuse arguments that it does not know, that are missing or that cannot
        work, with an error that names the argument and says what to do; take nothing that a
        ``fork`` would break (a thread, a connection); leave stored data as it is.

        *The module may* look whether its storage is there. This constructor takes anything and does
        nothing, so that it may be called or not.

        :raises ValueError: an argument is missing, unknown or wrong.
        :raises OSError: the storage cannot be used.
        """

    @classmethod
    def prepare(cls, **kwargs: Any) -> None:
        """Make what must be made once, where the arguments name a storage that is new.

        *Called when* an administrator configures a module, or changes its arguments, before the
        constructor; never when a server only starts again, and never while the host knows of data in
        that module. So a module can make a mark in a new storage, and later tell an empty storage from
        one that is not there, such as a disk that is not mounted.

        *The module may* do nothing, as this method does. What is stored already stays as it is.

        :raises ValueError: an argument is missing or wrong.
        :raises OSError: the storage cannot be made.
        """

    @abstractmethod
    def new_data(self, context: Context) -> str:
        """Reserve an identity for an object whose data is still to come.

        *Called when* a user begins to store an object, before any of its data is assigned.

        *The host guarantees* that it keeps ``str()`` of the result and hands that to the other methods
        as ``module_data``; and that, once it has kept it, it calls :meth:`delete` with it some day, also
        when :meth:`assign` was never called.

        *The module must* return a value unlike any that it, in any process, has returned; whose
        ``str()`` has at most :data:`MODULE_DATA_LIMIT` bytes of UTF-8 and no NUL character; and be
        quick. By custom it is a JSON text that tells where the object lies.

        *The module may* create nothing: an identity that was never assigned should cost nothing.

        *Repeatable:* every call is a new object. *Durability:* none asked for.

        :returns: the new ``module_data``.
        :raises OSError: no identity can be had.
        """

    @abstractmethod
    def assign(self, context: Context, module_data: str, stream: Source) -> None:
        """Keep what ``stream`` gives as the data of an object.

        *Called when* a user's data arrives, or a copy from elsewhere does after :meth:`available`
        returned False.

        *The host guarantees* that ``stream.read(size)`` returns ``bytes`` until ``b""``, the end,
        and raises where the data ends before it should. It may return fewer bytes than asked for,
        and cannot seek. If it has a ``__length_hint__`` (PEP 424) that tells how many bytes are to
        come; it is a hint, and the data is what comes until ``b""``.

        *The module must* read with a size until ``b""``; make the data visible only once it is
        whole; raise if it is not, and then leave nothing new behind: no data, no temporary file.
        What ``stream`` raises goes out unchanged. The stream is not closed, and not touched after
        the return.

        *The module may* leave new data that is whole in the place of the old when all that failed was
        to make that durable: it raises, and cannot bring the old back.

        *Repeatable:* yes. The new data takes the place of the old in one step; a reader sees one or
        the other, and an ``assign`` that fails leaves the old as it was. *Concurrency:* of several
        at once for one object one wins, whole. *Durability:* on return the data survives a crash
        and a power cut, and :meth:`available` is True.

        :param module_data: of :meth:`new_data`.
        :param stream: the data.
        :raises ValueError: ``module_data`` that this module never made.
        :raises OSError: the data could not be kept; ``errno`` tells why.
        """

    @abstractmethod
    def available(self, context: Context, module_data: str) -> bool:
        """Tell whether the whole data of an object is kept here.

        *Called when* the host is about to bring an object to this storage and something else may
        have brought it already. After False the host calls :meth:`assign` at once; after True it
        never does.

        *The module must* return True only for data that is whole and durable, and False only for
        data that is known to be absent. When it cannot tell (the storage is unreachable, what lies
        there is no object) it raises.

        *Repeatable:* yes; it changes nothing.

        :param module_data: of :meth:`new_data`.
        :raises ValueError: ``module_data`` that this module never made.
        :raises OSError: it cannot be told.
        """

    @abstractmethod
    def get_read_stream(self, context: Context, module_data: str) -> ReadStream:
        """Open the data of an object for reading, at its first byte.

        *Called when* a user reads, whole or a range, and when the host copies.

        *The host guarantees* that it closes the stream, and that one thread at a time uses it.

        *The module must* let several streams of an object be open at the same time, each with a
        place of its own. A stream shows the object as it was when it was opened: an :meth:`assign`
        meanwhile does not show, and a :meth:`delete` does not end it where the storage can do so.

        *The module may* return a stream with a ``fileno()``, whose file then holds the object from
        its first byte to its last and nothing else: a host can send that without reading it.

        *Repeatable:* yes; it changes nothing.

        :param module_data: of :meth:`new_data`.
        :raises FileNotFoundError: there is no data.
        :raises ValueError: ``module_data`` that this module never made.
        :raises OSError: the data cannot be read.
        """

    @abstractmethod
    def delete(self, context: Context, module_data: str) -> None:
        """Destroy the data of an object.

        *Called when* nothing refers to the object any more, and once more when the host cannot be
        sure that it was done.

        *The host guarantees* that, once this has returned, it never uses that ``module_data`` again
        but for another ``delete``.

        *The module must* leave no data of the object, whole or partial, and return its space; it
        must not need space for that. Deleting what is absent is no error.

        *Repeatable:* yes. *Durability:* on return the deletion survives a crash and a power cut.

        :param module_data: of :meth:`new_data`.
        :raises ValueError: ``module_data`` that this module never made.
        :raises OSError: the data is still there, or may be.
        """

    @abstractmethod
    def get_size(self, context: Context, module_data: str) -> int:
        """Return the size of an object: as many bytes as :meth:`get_read_stream` gives.

        *Called when* a user reads, to see that the object is what was stored and that a range lies in
        it, when the host copies on the server, and after :meth:`assign` or :meth:`copy_data`, to see
        that every byte was kept.

        *The module must* answer for the data as it now is, and without reading it.

        *Repeatable:* yes; it changes nothing.

        :param module_data: of :meth:`new_data`.
        :returns: bytes.
        :raises FileNotFoundError: there is no data.
        :raises ValueError: ``module_data`` that this module never made.
        :raises OSError: it cannot be told.
        """

    @abstractmethod
    def statistics(self, context: Context) -> Mapping[str, Any]:
        """Tell an administrator about the storage behind this instance.

        *Called when* an administrator looks, or what watches the storage for one, as often as every
        few seconds.

        *The module must* return what ``json.dumps`` takes, with the value ``capacity`` (see the
        head of :mod:`modules`), in a time that does not grow with the number of objects.

        *The module may* add values of its own, and may say there what works less well than it
        should. It tells no secrets.

        *Repeatable:* yes; it changes nothing.

        :returns: for instance ``{"capacity": {"total": 1000, "free": 600, "used": 400}}``.
        :raises OSError: it cannot be told.
        """

    def copy_data(self, context: Context, module_data: str, source: str) -> bool:
        """Keep the data of an object as that of another one, better than by a stream.

        *Called when* a user copies an object on the server, and both are to lie in this module.

        *The host guarantees* that ``source`` is of an object that this module made, under the same
        configuration; that ``module_data`` is new: of :meth:`new_data`, and nothing was assigned to it;
        and that after False it reads ``source`` by :meth:`get_read_stream` and hands that to
        :meth:`assign`.

        *The module must*, where it returns True, have kept the whole data that ``source`` had at one
        moment during the call; keep it whatever becomes of ``source`` later, and ``source`` whatever
        becomes of it; leave nothing new behind, no data and no temporary file, where it returns False or
        raises. It never makes a good object of a corrupt one: what it kept to find a fault it keeps of the
        copy as well, or it raises.

        *The module may* return False for whatever reason, as this method always does: that it cannot
        do it better than a stream, for this object or for any. So it may lack the method.

        *Repeatable:* yes. A copy that is made again takes the place of the first in one step.
        *Concurrency:* ``source`` may be read, assigned and deleted meanwhile. *Durability:* on return of
        True the copy survives a crash and a power cut, and :meth:`available` is True.

        :param module_data: of :meth:`new_data`: the object that is to be made.
        :param source: the ``module_data`` of the object to be copied.
        :returns: whether it was done.
        :raises FileNotFoundError: ``source`` has no data.
        :raises ValueError: ``module_data`` or ``source`` that this module never made.
        :raises OSError: the data could not be kept, or ``source`` cannot be read; ``errno`` tells why.
        """
        return False

    def stands_on(self, context: Context) -> Sequence[str]:
        """Tell in which other modules this one keeps its data.

        *Called when* an administrator configures this module, after the constructor. The host keeps the answer.

        *The module must* return each name that it ever calls ``getModule`` with. A host refuses a module
        that stands on itself in the end, and does not remove one that another stands on.

        *The module may* look whether those modules go together with it, and refuse them.

        *Repeatable:* yes; it changes nothing.

        :returns: names; none, as this method returns, where it has a storage of its own.
        :raises LookupError: no module is configured under one of the names.
        :raises ValueError: it cannot stand on one of them; the text names the argument and says why.
        """
        return ()

    def upkeep(self, context: Context, kept: Iterable[str]) -> Mapping[str, Any]:
        """Do what the storage needs from time to time: collect what nothing needs, look after what is kept.

        *Called when* an administrator asks for it, such as every night, while servers use the storage.

        *The host guarantees* that ``kept`` gives the ``module_data`` of every object that it keeps in this
        module, each once, and can be read once. What is stored meanwhile may be missing there, and what is
        deleted meanwhile may be among it. A module that stands on this one gives its own objects instead.

        *The module must* treat what is not among ``kept`` as well as what is: it may be stored just now, or
        belong to another host. It takes nothing for garbage that it has not noted as such itself. After one
        object that is not well it goes on to the next.

        *The module may* do nothing, as this method does, and leave ``kept`` unread.

        *Repeatable:* yes. *Concurrency:* it may be called by several processes at once.

        :param kept: ``module_data`` of :meth:`new_data`, whose objects were assigned.
        :returns: what was done, for an administrator to see: what ``json.dumps`` takes. Its value ``wrong``,
            if it has one, is the number of objects that are not well now.
        :raises OSError: it cannot be done; what was done remains.
        """
        return {}
