"""Tests of the room fsstore."""
