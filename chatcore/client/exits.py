"""What the exit code of a client says: documented in `--help`, and the same in every mode."""

from __future__ import annotations

EXIT_OK = 0
EXIT_UNSENT = 1
"""Lines were refused, or not acknowledged."""
EXIT_USAGE = 64
EXIT_UNAVAILABLE = 69
EXIT_IO = 74
EXIT_PROTOCOL = 76
"""Whoever is at that address is no chat server of ours, or cannot be trusted to be the one that was meant."""
EXIT_REFUSED = 77
EXIT_CHANGED = 79
"""Of its own: the server is not the one that it was, which a script must not take for anything else."""
EXIT_INTERRUPT = 130
SIGNAL_EXIT = 128
"""What shells report of a program ended by signal n: 128 + n."""
EXIT_SIGPIPE = 141
