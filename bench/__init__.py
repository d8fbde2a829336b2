"""Measurements behind the decisions. Nothing here is part of a package, and nothing imports it."""
