"""The tests mirror the rooms. nosetests, pytest and unittest all run them."""
