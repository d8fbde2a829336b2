"""Tests of what the host says and reads on the wire."""
