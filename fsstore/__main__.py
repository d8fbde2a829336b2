"""What an administrator does with a storage of FileStorage."""

import argparse
import math
import os
import re
import sys
from pathlib import Path

from fsstore import command, marker, quarantine
from fsstore.durable import Durability
from fsstore.mend import Mender
from fsstore.root import Root
from fsstore.show import printable
from fsstore.storage import make_root

__all__ = ["main"]

CANNOT_RUN = 2

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_SURVEY = """\
Looks at everything below ROOT, beside the servers that use it: reads each object through and compares
its checksum, and looks for what is left over and for what is somebody else's. Without --mend it
changes nothing.

with --mend:
  corrupt objects      are moved to ROOT/quarantine; python -m fsstore restore undoes it
  leftovers            temporary files, and checksums without an object, are removed once they are old
  empty directories    are removed
  counters             of objects and bytes, which statistics shows, are corrected
Foreign files are reported, and never touched. Objects that the disk does not give back stay where they
are, too: that may be a loose cable.

exit status: 0 all is well; 1 something is wrong: an object is corrupt or unreadable, or something is
left that looks wrong; 2 it cannot run; 3 it stopped since too much looks wrong; 130 a signal stopped it
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the command in ``arguments``, by default the process's, and return its exit status."""
    options = _parser().parse_args(arguments)
    root = os.path.abspath(options.root)
    try:
        return int(options.run(root, options))
    except OSError as error:
        named = f"{error.filename}: " if error.filename else ""
        text = f"{named}{error.strerror or error}"
    except ValueError as error:
        text = str(error)
    except KeyboardInterrupt:
        text = "interrupted"
    print(f"python -m fsstore {options.command}: {printable(text)}", file=sys.stderr)
    return command.INTERRUPTED if text == "interrupted" else CANNOT_RUN


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fsstore", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    raw = argparse.RawDescriptionHelpFormatter

    init = commands.add_parser("init", help="make an empty directory a storage")
    init.add_argument("root", metavar="ROOT", help="the directory; mount its disk first")
    init.set_defaults(run=_init)

    survey = commands.add_parser("survey", help="see whether all is well", description=_SURVEY, formatter_class=raw)
    survey.add_argument("root", metavar="ROOT", help="the directory of the storage")
    _add_survey_options(survey)
    survey.set_defaults(run=_survey)

    listing = commands.add_parser("quarantine", help="list the objects in quarantine: entry, time, path and reason")
    listing.add_argument("root", metavar="ROOT", help="the directory of the storage")
    listing.set_defaults(run=_quarantine)

    restore = commands.add_parser("restore", help="put an object in quarantine back where it was")
    restore.add_argument("root", metavar="ROOT", help="the directory of the storage")
    restore.add_argument("entry", metavar="ENTRY", help="as the command quarantine lists it")
    restore.set_defaults(run=_restore)
    return parser


def _add_survey_options(survey: argparse.ArgumentParser) -> None:
    survey.add_argument("--mend", action="store_true", help="mend what can be mended, see above")
    survey.add_argument("--no-scrub", action="store_true", help="read no object: compare names, sizes and times alone")
    survey.add_argument(
        "--rate", type=_rate, default=0.0, metavar="MB/s", help="read no faster, so that servers stay quick"
    )
    survey.add_argument(
        "--grace", type=_seconds, default=86400.0, metavar="AGE", help="of leftovers: 90s, 30m, 12h; default: 1d"
    )
    survey.add_argument(
        "--share", type=_percent, default=10.0, metavar="PERCENT", help="stop where more looks wrong; default: 10"
    )
    survey.add_argument("--yes", action="store_true", help="go on all the same")
    survey.add_argument(
        "--state", type=Path, metavar="FILE", help="keep there how far it came; after Ctrl-C the same command goes on"
    )
    survey.add_argument("--json", action="store_true", help="print the report as one JSON object")


def _init(root: str, options: argparse.Namespace) -> int:
    _require_owner(root, root)
    make_root(root)
    print(f"{root}: a storage, identity {Root(root, Durability('full')).marker.identity}")
    return 0


def _survey(root: str, options: argparse.Namespace) -> int:
    if options.mend:
        _require_owner(root, os.path.join(root, marker.NAME))
    return command.survey(root, options)


def _quarantine(root: str, options: argparse.Namespace) -> int:
    for entry in quarantine.entries(Root(root, Durability("full"))):
        print(entry.name, entry.time, entry.path, printable(entry.reason), sep="  ")
    return 0


def _restore(root: str, options: argparse.Namespace) -> int:
    _require_owner(root, os.path.join(root, marker.NAME))
    durability = Durability("full")
    entry = Mender(Root(root, durability), durability).restore(options.entry)
    print(f"{root}/{entry.path}: restored")
    return 0


def _require_owner(root: str, path: str) -> None:
    """Refuse to be root where the servers are not: they could not write to what is made now.

    :raises PermissionError: that is so.
    """
    try:
        owner = os.stat(path).st_uid
    except FileNotFoundError:  # what is missing is told by who needs it
        return
    if os.geteuid() == 0 and owner != 0:
        raise PermissionError(f"{root}: belongs to user {owner}: run this as that user: sudo -u '#{owner}' ...")


def _rate(text: str) -> float:
    return _number(text, 1e-6, 1e9, "a rate in MB/s, such as 20 or 0.5")


def _percent(text: str) -> float:
    return _number(text.removesuffix("%"), 0, 100, "a percentage, such as 10 or 0.1")


def _number(text: str, least: float, most: float, what: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not {what}")
    return number


def _seconds(text: str) -> float:
    match = re.fullmatch("([0-9]{1,9})([smhd]?)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age, such as 90s, 30m, 12h or 1d")
    return float(int(match[1]) * _UNITS[match[2]])


if __name__ == "__main__":
    sys.exit(main())
