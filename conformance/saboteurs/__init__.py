"""Saboteurs: modules with one fault each, nearly all of which a real store had.

They prove that the kit bites: :data:`SABOTEURS` says which tests each must fail, and every test of
the kit has one. Whoever writes a test writes the saboteur first.
"""

from conformance.saboteurs import (
    construction,
    copying,
    deleting,
    identity,
    leaking,
    reading,
    sharing,
    statistics,
    upkeep,
    writing,
)
from conformance.saboteurs.registry import SABOTEURS

__all__ = [
    "SABOTEURS",
    "construction",
    "copying",
    "deleting",
    "identity",
    "leaking",
    "reading",
    "sharing",
    "statistics",
    "upkeep",
    "writing",
]
