"""Tests of the room vsm."""
