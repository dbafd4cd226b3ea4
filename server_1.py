"""Starts the chat server: `python server_1.py --help`."""

import sys
from pathlib import Path

# With -I or -P, Python does not look beside the script by itself.
sys.path.insert(0, str(Path(__file__).resolve().parent))

from chatcore.server import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
