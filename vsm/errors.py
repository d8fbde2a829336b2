"""What makes a command end with one line and exit status 1."""

__all__ = ["CommandError"]


class CommandError(Exception):
    """The command cannot be carried out; the text says why and what to do."""
