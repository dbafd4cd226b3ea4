"""A chat client with the alias Carol: `python clients/client_3.py [HOST[:PORT]]`; `--help` tells the rest."""

import sys
from pathlib import Path

# from any folder, with nothing installed
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from chatcore.client import main

if __name__ == "__main__":
    raise SystemExit(main(alias="Carol"))
