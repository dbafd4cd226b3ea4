#!/usr/bin/env bash
# A chat room to look at: a server on a free port, in memory, and the four clients of clients/.
#   scripts/demo.sh              at a terminal with tmux: all of them in panes, alive for typing
#   scripts/demo.sh --scripted   a short conversation, printed with who read what; ends by itself (0: all read all)
# Without a terminal or tmux it is scripted, too. It needs Python 3.11 or newer (another one: PYTHON=…).
set -euo pipefail

usage() {
  cat <<'END'
usage: scripts/demo.sh [--scripted]

A chat room to look at: a server on a free port, in memory, and the four bundled clients.
At a terminal with tmux they run in panes: F1 to F4 or a click choose a person, Ctrl-Q ends everything.
With --scripted, or without a terminal or tmux, the four hold a short conversation that is printed with who
read what. Exit code: 0 when everybody read every line meant for them, 1 when not.
PYTHON=… names another Python than python3; it must be 3.11 or newer.
END
}

scripted=
case "$#:${1-}" in
  0:) ;;
  1:--scripted) scripted=yes ;;
  1:-h | 1:--help)
    usage
    exit 0
    ;;
  *)
    usage >&2
    exit 64
    ;;
esac

cd "$(dirname "$0")/.."
unset "${!CHATCORE_@}" # settings of a server that somebody runs here
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "scripts/demo.sh: needs Python 3.11 or newer; name one with PYTHON=…" >&2
  exit 1
}

if [ -z "$scripted" ] && [ -t 0 ] && [ -t 1 ] && [ "${TERM:-dumb}" != dumb ]; then
  if command -v tmux >/dev/null; then
    exec bash scripts/demo/panes.sh "$PYTHON"
  fi
  echo "There is no tmux here to type in; this is the scripted conversation."
fi
exec "$PYTHON" scripts/demo/scripted.py
