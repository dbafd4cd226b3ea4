"""Starts the chat server: `python server_1.py --help`."""

import sys

from chatcore.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
