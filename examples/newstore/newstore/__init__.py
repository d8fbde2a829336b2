"""A new storage module."""
