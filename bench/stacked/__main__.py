"""``python -m bench.stacked``."""

import sys

from bench.stacked.command import main

try:
    sys.exit(main())
except KeyboardInterrupt:
    print("\nbench.stacked: interrupted; what was stored is deleted", file=sys.stderr)
    sys.exit(130)
