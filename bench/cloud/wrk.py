"""Many small requests by wrk: its script, its run, and what it says."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from bench.cloud.client import Target
from bench.cloud.process import ServerError
from bench.stores import Unavailable

__all__ = ["Said", "content", "get_script", "kept", "made", "parse", "program", "put_script", "require", "wrk"]

_THREADS = 2

_GET = """\
{headers}
local turn = 0
function setup(thread)
  thread:set("start", turn)
  turn = turn + 1
end
function init(args)
  requests = {{}}
  for number = 0, {objects} - 1 do
    requests[number] = wrk.format("GET", "{prefix}small-" .. number)
  end
  count = start * math.floor({objects} / 2)
end
function request()
  count = (count + 1) % {objects}
  return requests[count]
end
"""

_PUT = """\
{headers}
local turn = 0
function setup(thread)
  thread:set("turn", turn)
  turn = turn + 1
end
function init(args)
  prefix = "{prefix}" .. args[1] .. "-" .. turn .. "-"
  count = 0
  body = string.rep("{pattern}", {size} / {length})
end
function request()
  count = count + 1
  return wrk.format("PUT", prefix .. count, nil, body)
end
"""

_PATTERN = "0123456789abcdef"  # what small objects consist of


@dataclass(frozen=True)
class Said:
    """What a run of wrk says."""

    rate: float  #: requests a second
    requests: int  #: that were answered
    refused: int = 0  #: answers with a status from 400 on
    broken: int = 0  #: connections that were refused or broke, and requests without an answer in time


def parse(text: str) -> Said:
    """Return what wrk said.

    :raises ValueError: it is not what wrk says.
    """
    rate = re.search(r"^Requests/sec:\s+([\d.]+)$", text, re.MULTILINE)
    count = re.search(r"^\s+(\d+) requests in ", text, re.MULTILINE)
    if rate is None or count is None:
        raise ValueError(f"not what wrk says: {text!r}")
    refused = re.search(r"^\s+Non-2xx or 3xx responses: (\d+)$", text, re.MULTILINE)
    broken = re.search(r"^\s+Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)$", text, re.MULTILINE)
    return Said(
        float(rate[1]),
        int(count[1]),
        int(refused[1]) if refused else 0,
        sum(map(int, broken.groups())) if broken else 0,
    )


def require(said: Said) -> float:
    """Return the rate, if all went well.

    :raises ServerError: it did not.
    """
    if said.refused or said.broken:
        raise ServerError(
            f"{said.refused} of {said.requests} requests were refused, {said.broken} broke off or came too late"
        )
    if not said.requests:
        raise ServerError("no request was answered")
    return said.rate


def get_script(target: Target, objects: int) -> str:
    """Return a script that GETs so many objects one after the other, each thread from another one on."""
    return _GET.format(headers=_headers(target), prefix=target.prefix, objects=objects)


def put_script(target: Target, size: int) -> str:
    """Return a script that PUTs objects of ``size`` bytes; no two have one name, if the runs' words differ."""
    return _PUT.format(
        headers=_headers(target), prefix=target.prefix, pattern=_PATTERN, size=size, length=len(_PATTERN)
    )


def _headers(target: Target) -> str:
    return "\n".join(f'wrk.headers["{name}"] = "{value}"' for name, value in target.headers.items())


def content(size: int) -> bytes:
    """Return the bytes of a small object."""
    return (_PATTERN * (size // len(_PATTERN))).encode()


def kept(target: Target, number: int) -> str:
    """Return the path of an object that the script to GET reads."""
    return f"{target.prefix}small-{number}"


def made(target: Target, word: str) -> str:
    """Return the path of an object that the script to PUT has made in the run with ``word``."""
    return f"{target.prefix}{word}-0-2"


def program() -> str:
    """Return the path of wrk.

    :raises Unavailable: it is not there.
    """
    path = shutil.which("wrk")
    if path is None:
        raise Unavailable("wrk is not installed (Debian: wrk)")
    return path


def wrk(target: Target, script: Path, connections: int, seconds: int, word: str) -> float:
    """Make the requests of ``script`` for so long, and return how many a second were answered.

    :param word: for the script.
    :raises ServerError: not all requests went well.
    :raises Unavailable: wrk is not there.
    """
    options = [f"-t{min(_THREADS, connections)}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s"]
    command = [program(), *options, "-s", str(script), f"http://127.0.0.1:{target.port}/", "--", word]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 60)  # noqa: S603 (of a package)
    if done.returncode:
        raise ServerError(f"wrk: exit status {done.returncode}: {done.stderr or done.stdout}")
    try:
        return require(parse(done.stdout))
    except (ServerError, ValueError) as error:
        raise ServerError(f"{target.name}: {error}") from error
