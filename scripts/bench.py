#!/usr/bin/env python3
"""The benchmark: our server beside a C ceiling, a thread-per-client server and what else is installed.

`scripts/bench.py --help` lists the options; the parts are in the folder `bench` beside this file, which
as a package comes before this module of the same name when `bench` is imported.
"""

import sys

from bench.cli import main

if __name__ == "__main__":
    sys.exit(main())
