"""How fast ``fsstore.FileStorage`` is, beside the same system calls by hand and beside its peers.

``python -m bench`` measures and prints tables; ``--write docs/performance.md`` keeps them, with a plot.
How fast the whole cloud is, :mod:`bench.cloud` tells.

What is told are ratios. Each line of the tables does the same work with every contender in turn, round
after round in one run, with the order turned by one each round, and the ratio is the median of those of
the rounds. All objects are made before the clock starts, garbage is deleted after it has stopped, and the
garbage collector rests meanwhile.

========================== ====================================================
``figures``                ratios, medians, bounds: pure functions
``lines``                  what is measured, and what is required of it
``rounds``                 how it is measured
``hand``, ``ours``,        who does the work
``peers``, ``peer_swift``
``contenders``             the one place that puts them together
``memory``, ``scale``      the two measurements that need a way of their own
``machine``, ``report``,   what is told of it
``plot``
========================== ====================================================
"""
