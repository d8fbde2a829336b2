"""Requests at random for the host's HTTP surface, and what has to hold of every answer: see tests/host/fuzz.py."""
