"""``vsm COMMAND …``: one file a command."""

import argparse
import importlib
import sys

from vsm.errors import CommandError

__all__ = ["main"]

#: A command is the module of its name in this package: ``add_arguments(parser)`` and ``run(options)``.
#: It is imported when it is asked for, so that none needs what another one needs.
_COMMANDS = {
    "new": "write the project of a new storage module",
    "check": "see whether a storage module keeps the contract",
    "bench": "measure a storage module beside the same system calls by hand",
    "key": "make, list and retire the keys that objects are encrypted with",
    "serve": "run a cloud, making it first where there is none",
    "upkeep": "delete the data that no name points to any more, and bring copies to their places",
    "move": "rewrite objects from one module to another while the cloud serves them",
    "upgrade": "bring the catalogue of an older version to this one's",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command in ``arguments`` (by default the process's) and return its exit status.

    0 is success, 1 that it could not be done, 2 that it was asked wrongly; check has its own.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    summaries = "\n".join(f"  {name:8}{summary}" for name, summary in _COMMANDS.items())
    parser = argparse.ArgumentParser(
        prog="vsm",
        description="Storage modules behind a cloud.",
        epilog=f"commands:\n{summaries}\n\nvsm COMMAND --help tells more.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("command", choices=_COMMANDS, metavar="COMMAND")
    name = parser.parse_args(arguments[:1]).command
    try:
        command = importlib.import_module(f"vsm.{name}")
    except ModuleNotFoundError as error:
        print(f"vsm {name}: {error.name} is missing: in the kit's directory: pip install '.[host]'", file=sys.stderr)
        return 1
    parser = argparse.ArgumentParser(prog=f"vsm {name}", description=_COMMANDS[name])
    command.add_arguments(parser)
    try:
        return int(command.run(parser.parse_intermixed_args(arguments[1:])))
    except CommandError as error:
        print(f"vsm {name}: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
