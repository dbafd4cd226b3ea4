#!/usr/bin/env bash
# Sets up what the tests need in .venv, then runs all of them: style, types, tests.
#   scripts/test.sh                   everything that a change must pass
#   scripts/test.sh -m slow           the long fault rounds at full size
#   scripts/test.sh tests/hub -k nick any pytest arguments
set -euo pipefail
cd "$(dirname "$0")/.."
PYTHON=${PYTHON:-python3}
"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "scripts/test.sh: needs Python 3.11 or newer; name one with PYTHON=…" >&2
  exit 1
}
stamp=.venv/.installed
if [ ! -e "$stamp" ] || [ pyproject.toml -nt "$stamp" ]; then
  echo "setting up .venv …"
  "$PYTHON" -m venv .venv
  .venv/bin/python -m pip install --quiet --upgrade 'pip>=25.1'
  .venv/bin/python -m pip install --quiet --group dev
  touch "$stamp"
fi
export PATH="$PWD/.venv/bin:$PATH"
ruff check .
ruff format --check .
mypy
if [ $# -eq 0 ]; then
  # Two at a time: most tests wait for processes of their own. What measures, measures in the server's own time.
  set -- -m "not slow" -n 2 --dist worksteal
fi
exec pytest -q "$@"
