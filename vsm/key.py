"""``vsm key new|list|retire``: the keyrings that ``stacked.EncryptedStorage`` encrypts with.

It never prints a key. A server takes notice of a changed keyring within a second.
"""

import argparse

from stacked import keyfile
from stacked.keyring import ID
from vsm.errors import CommandError

__all__ = ["add_arguments", "run"]

_ACTIONS = """\
vsm key new PATH        add a key, the newest: it protects new objects; make the file if there is none
vsm key list PATH       tell the keys: id, when it was made, state
vsm key retire PATH ID  use a key for no new object; what it protects can still be read

Without its keyring no encrypted object can be read. Back it up, where the objects are not.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = _ACTIONS
    parser.add_argument("action", choices=("new", "list", "retire"), help="what to do")
    parser.add_argument("path", metavar="PATH", help="the file of the keyring")
    parser.add_argument("id", nargs="?", metavar="ID", help="the key that is to be retired")


def run(options: argparse.Namespace) -> int:
    """Run the command and return its exit status."""
    if (options.action == "retire") != (options.id is not None):
        raise CommandError("retire wants the ID of a key, and nothing else does")
    if options.id is not None and not ID.fullmatch(options.id):
        raise CommandError("that is no id of a key: vsm key list tells them")
    try:
        told = {"new": _new, "list": _list, "retire": _retire}[options.action](options)
    except (LookupError, ValueError) as error:
        raise CommandError(f"{options.path}: {error}") from error
    except OSError as error:
        raise CommandError(f"{options.path}: {error.strerror or error}") from error
    print(told)
    return 0


def _new(options: argparse.Namespace) -> str:
    key, count = keyfile.add(options.path)
    return f"{options.path}: made key {key.id}, the newest of {count}: back the file up before anything is stored"


def _list(options: argparse.Namespace) -> str:
    ring = keyfile.load(options.path)
    newest = ring.newest
    lines = [f"{key.id}  {key.created}  {key.state}{', newest' if key is newest else ''}" for key in ring.keys]
    return "\n".join(lines)


def _retire(options: argparse.Namespace) -> str:
    newest = keyfile.retire(options.path, options.id)
    return f"{options.path}: retired key {options.id}; new objects get key {newest.id}"
