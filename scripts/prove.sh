#!/usr/bin/env bash
# The promise, tried: kills a server, cuts a network, stalls readers, fills a disk, while people talk.
#   scripts/prove.sh           one line a round; exit code 0 when nothing was lost, doubled or reordered
#   scripts/prove.sh --help    other sizes
# Needs Python 3.11 or newer (another one: PYTHON=…) and nothing else; the full disk needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "scripts/prove.sh: needs Python 3.11 or newer; name one with PYTHON=…" >&2
  exit 1
}
exec "$PYTHON" -m scripts.prove "$@"
