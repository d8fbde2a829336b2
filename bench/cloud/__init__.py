"""How fast the cloud (``vsm serve``) is, beside what its users would pick instead.

``python -m bench.cloud`` measures and prints a table; ``--write docs/performance-cloud.md`` keeps it.

As in :mod:`bench`, what is told are ratios: both sides do the same work in turn, round after round in one
run, and the ratio is the median of those of the rounds. All servers are started here, on ports of their own
choice of the loopback interface, and keep their data side by side in one directory.

================== ============================================================
``rows``           what is measured, and what is required of it
``run``            a run: one row after the other
``measures``       how each kind of row is measured
``listing``        a page of many names, beside a page of few
``memory``         a worker after many transfers, beside after few
``fill``           a container with so many names, not made over HTTP
``ground``         the servers of a run, started when a row first wants them
``process``        a server's process: started, waited for, stopped
``ours``, ``nginx`` the servers
``swift``
``swift_files``    what Swift is configured with: pure text
``client``         requests, and large bodies at little cost
``wrk``            many small requests: the script, the run, what it says
``results``        from figures to a table and a page
================== ============================================================
"""
