"""The tests mirror the rooms. nosetests, pytest and unittest all run them."""

from hypothesis import settings

# No test measures time, and hypothesis would measure that of each example.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")
