"""``python -m conformance``: what ``vsm check`` does."""

import argparse
import sys

from conformance.command import add_arguments, run

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m conformance", description=__doc__)
    add_arguments(parser)
    sys.exit(run(parser.parse_intermixed_args()))
