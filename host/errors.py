"""What the host refuses, and the HTTP status of each refusal (RFC 9110, section 15).

The text of an error goes to the client: it says in one line what failed, on what and what to do, and
holds nothing of a module's own text, no path of the server and no secret.
"""

__all__ = [
    "Conflict",
    "Failed",
    "Forbidden",
    "Full",
    "HeadersTooLarge",
    "HostError",
    "Invalid",
    "LengthRequired",
    "NotAcceptable",
    "NotAllowed",
    "NotFound",
    "PreconditionFailed",
    "TooLarge",
    "TooLong",
    "TooMany",
    "TryAgain",
    "Unauthorized",
    "UnknownType",
    "Unsatisfiable",
]


class HostError(Exception):
    """An answer that is no success. ``headers`` go out with it."""

    status = 500

    def __init__(self, text: str, **headers: str) -> None:
        super().__init__(text)
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Invalid(HostError):
    """The request is wrong, and will be wrong again."""

    status = 400


class Unauthorized(HostError):
    """No credentials, or wrong ones."""

    status = 401


class Forbidden(HostError):
    """Not for this account."""

    status = 403


class NotFound(HostError):
    """There is no such thing, or none that this account may know of."""

    status = 404


class NotAllowed(HostError):
    """The thing is there, but this method is not for it; the header ``Allow`` tells which are."""

    status = 405


class NotAcceptable(HostError):
    """The header ``Accept`` excludes what the thing is."""

    status = 406


class Conflict(HostError):
    """What is there stands in the way."""

    status = 409


class LengthRequired(HostError):
    """A body without ``Content-Length`` and not chunked."""

    status = 411


class PreconditionFailed(HostError):
    """A header such as ``If-Match`` says that the object must be another one than it is."""

    status = 412


class TooLarge(HostError):
    """A body over its limit."""

    status = 413


class TooLong(HostError):
    """A path, or a name in it, over its limit."""

    status = 414


class UnknownType(HostError):
    """An ``application/cdmi-*`` type that is not served."""

    status = 415


class Unsatisfiable(HostError):
    """A range that lies outside the object."""

    status = 416


class TooMany(HostError):
    """Too many wrong passwords (RFC 6585, section 4)."""

    status = 429


class HeadersTooLarge(HostError):
    """Header fields over their limit (RFC 6585, section 5)."""

    status = 431


class Failed(HostError):
    """A storage module is broken, or is not there."""

    status = 500


class TryAgain(HostError):
    """It did not work now, but may in a while."""

    status = 503

    def __init__(self, text: str) -> None:
        super().__init__(text, Retry_After="5")


class Full(HostError):
    """The storage, or what the account may use of it, is full."""

    status = 507
