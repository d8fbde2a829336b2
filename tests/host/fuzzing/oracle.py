"""What has to hold of every answer, whatever was asked."""

import json
import re
from collections.abc import Sequence

from tests.host.fuzzing.request import Answer, Request

__all__ = ["faults_of"]

_SLOW = 30.0  # seconds after which it would be held to hang, also on a busy machine
#: What a 503 may say: something that the fuzzer itself does was in the way.
_LATER = ("the body stalled: send it again", "the storage was configured anew: send it again")
_TOO_MUCH = re.compile(rb"Traceback|File \"/|sqlalchemy|sqlite3|psycopg|fsstore\.json", re.IGNORECASE)


def faults_of(request: Request, answer: Answer, secrets: Sequence[str], *, has_quota: bool) -> list[str]:
    """Return what is wrong with an answer.

    :param secrets: what no answer may hold.
    :param has_quota: whether the account may be full.
    """
    faults = list(answer.faults)
    if answer.status >= 598:  # there was none
        return faults
    if answer.status >= 500 and not _is_justified(request, answer, has_quota=has_quota):
        faults.append(f"status {answer.status}: {answer.body[:200]!r}")
    if answer.seconds > _SLOW:
        faults.append(f"it took {answer.seconds:.1f} seconds")
    for secret in secrets:
        if secret.encode() in answer.body or any(secret in value for _, value in answer.headers):
            faults.append(f"the secret {secret!r} is in the answer")
    faults += _framing(request, answer)
    if answer.status >= 400:
        faults += _refusal(request, answer)
    return faults


def _is_justified(request: Request, answer: Answer, *, has_quota: bool) -> bool:
    if request.method == "HEAD" and answer.status == 507:  # it says no more
        return has_quota
    try:
        said = json.loads(answer.body)["error"]
    except (ValueError, KeyError, TypeError):
        return False
    if answer.status == 507:
        return has_quota and "quota" in said
    return answer.status == 503 and said in _LATER and answer.header("Retry-After") is not None


def _framing(request: Request, answer: Answer) -> list[str]:
    """Return what is wrong with the length, and with an answer that has no body."""
    faults = []
    length = answer.header("Content-Length")
    is_empty = request.method == "HEAD" or answer.status in (204, 304)
    if is_empty and answer.body:
        faults.append(f"{request.method} {answer.status} has a body of {len(answer.body)} bytes")
    if not is_empty and length is not None and length != str(len(answer.body)):
        faults.append(f"Content-Length {length}, and {len(answer.body)} bytes")
    if answer.status == 204 and length is not None:
        faults.append("204 has a Content-Length")
    if answer.status == 201 and request.method == "POST" and answer.header("Location") is None:
        faults.append("201 of a POST has no Location")
    if answer.status == 405 and answer.header("Allow") is None:
        faults.append("405 has no Allow")
    if answer.status == 401 and answer.header("WWW-Authenticate") is None:
        faults.append("401 has no WWW-Authenticate")
    if answer.header("X-Request-ID") is None:
        faults.append("no X-Request-ID")
    return faults


def _refusal(request: Request, answer: Answer) -> list[str]:
    """Return what is wrong with the body of an error."""
    if answer.header("Content-Type") != "application/json":
        return [f"an error of type {answer.header('Content-Type')}"]
    if request.method == "HEAD":
        return []
    if b"\n" in answer.body or _TOO_MUCH.search(answer.body):
        return [f"an error of several lines, or one that tells too much: {answer.body[:300]!r}"]
    try:
        said = json.loads(answer.body)
    except ValueError:
        return [f"an error that is no JSON: {answer.body[:300]!r}"]
    if (
        not isinstance(said, dict)
        or said.keys() != {"error", "id"}
        or not all(isinstance(v, str) for v in said.values())
    ):
        return [f"an error of another form: {answer.body[:300]!r}"]
    if not said["error"] or "\n" in said["error"]:
        return [f"an error without a text, or of several lines: {answer.body[:300]!r}"]
    if answer.header("X-Request-ID") not in (None, said["id"]):
        return ["the id is not that of X-Request-ID"]
    return []
