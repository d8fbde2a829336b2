"""The suite: all promises in one mixin. It needs the standard library alone.

Adopt it as :mod:`conformance` shows; :class:`conformance.harness.Harness` has what may be overridden.
"""

from conformance.promises.construction import Construction, Offered
from conformance.promises.copying import Copying
from conformance.promises.failing import Failing
from conformance.promises.hostile import Hostile
from conformance.promises.identity import Identity
from conformance.promises.leaks import Leaks
from conformance.promises.presence import Deleting, Presence, Size, Statistics
from conformance.promises.processes import Crashes, Processes
from conformance.promises.reading import Reading
from conformance.promises.storing import Storing
from conformance.promises.together import Together
from conformance.promises.upkeep import Standing, Upkeep

__all__ = ["Promises"]


class Promises(
    Construction,
    Offered,
    Identity,
    Storing,
    Failing,
    Presence,
    Reading,
    Deleting,
    Size,
    Statistics,
    Copying,
    Standing,
    Upkeep,
    Hostile,
    Together,
    Processes,
    Crashes,
    Leaks,
):
    """Every promise of the contract, as a mixin for :class:`unittest.TestCase`."""
