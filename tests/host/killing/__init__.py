"""A server that is killed again and again under load, and what has to be there afterwards: tests/host/test_kill.py."""
