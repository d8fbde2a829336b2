"""What the stacked modules cost and save, as ratios to FileStorage alone, or to zstd itself.

``python -m bench.stacked`` measures and prints a table; ``--write docs/performance-stacked.md`` keeps it.
As in :mod:`bench`, both sides do the same work in turn, round after round in one run, and the ratio is the
median of those of the rounds.

=========== ==================================================
``stacks``  FileStorage, and each module on one
``data``    what is stored: random, text, and shifted copies
``rows``    what is measured, and what is required of it
``memory``  what an object takes, in a process of its own
``command`` the command line, the table and the page
=========== ==================================================
"""
