"""``python -m bench.cloud``."""

import sys

from bench.cloud.command import main

try:
    sys.exit(main())
except KeyboardInterrupt:
    print("\nbench.cloud: interrupted; the servers are stopped, what was stored is deleted", file=sys.stderr)
    sys.exit(130)
