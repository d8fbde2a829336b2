"""``python -m bench``."""

import sys

from bench.command import main

try:
    sys.exit(main())
except KeyboardInterrupt:
    print("\nbench: interrupted; what was stored is deleted", file=sys.stderr)
    sys.exit(130)
