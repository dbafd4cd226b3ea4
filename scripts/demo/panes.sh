#!/usr/bin/env bash
# The server and the four clients in panes of a tmux of their own: `scripts/demo.sh` at a terminal.
# usage, from the folder of the checkout: bash scripts/demo/panes.sh PYTHON
set -euo pipefail
export DEMO_PYTHON=$1
DEMO_FOLDER=$(mktemp -d)
export DEMO_FOLDER

# A tmux server of its own: nothing here touches the sessions or the configuration of the person who runs it.
demo() { env -u TMUX tmux -S "$DEMO_FOLDER/tmux" -f /dev/null "$@"; }

finish() {
  demo kill-server 2>/dev/null || true
  # To the chat server the hang-up of its pane is a wish to reload, so it is told to stop.
  if [ -s "$DEMO_FOLDER/pid" ]; then
    kill "$(cat "$DEMO_FOLDER/pid")" 2>/dev/null || true
  fi
  rm -rf "$DEMO_FOLDER"
}
trap finish EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

say_and_end() {
  echo "scripts/demo.sh: $1" >&2
  exit 1
}

read -r rows columns < <(stty size)
# shellcheck disable=SC2016 # the shells in the panes expand these
{
  serve='echo $$ >"$DEMO_FOLDER/pid"
    exec "$DEMO_PYTHON" server_1.py --ephemeral --port 0 > >(tee "$DEMO_FOLDER/banner")'
  chat='"$DEMO_PYTHON" "clients/client_$0.py" "$1" || { echo; echo "Enter closes this pane."; read -r; }'
}
server_pane=$(demo new-session -d -P -F '#{pane_id}' -s chat -x "$columns" -y "$rows" bash -c "$serve")

address=
for _ in $(seq 100); do
  address=$(sed -n 's/.*listening on \([^ ,]*\).*/\1/p' "$DEMO_FOLDER/banner" 2>/dev/null || true)
  [ -n "$address" ] && break
  sleep 0.1
done
[ -n "$address" ] || say_and_end "the server did not start; see what python server_1.py says"

person() { # the number of the script, then how to split: which way, how much, which pane
  demo split-window -P -F '#{pane_id}' "${@:2}" bash -c "$chat" "$1" "$address" ||
    say_and_end "this terminal is too small for four people; make it larger, or add --scripted"
}
alice=$(person 1 -v -l 75% -t "$server_pane")
carol=$(person 3 -v -l 50% -t "$alice")
bob=$(person 2 -h -l 50% -t "$alice")
dave=$(person 4 -h -l 50% -t "$carol")

name() { demo set-option -p -t "$1" @name "$2"; }
name "$server_pane" "the server's console"
name "$alice" Alice
name "$bob" Bob
name "$carol" Carol
name "$dave" Dave

demo set-option -g pane-border-status top
demo set-option -g pane-border-format ' #{@name} '
demo set-option -g mouse on
demo set-option -g escape-time 0
demo set-option -g status-left ' F1–F4 or a click: choose a person · type, /help lists the commands · Ctrl-Q ends the demo'
demo set-option -g status-left-length 200
demo set-option -g status-right ''
demo set-option -g window-status-format ''
demo set-option -g window-status-current-format ''
demo set-option -g update-environment ''
demo bind-key -n F1 select-pane -t "$alice"
demo bind-key -n F2 select-pane -t "$bob"
demo bind-key -n F3 select-pane -t "$carol"
demo bind-key -n F4 select-pane -t "$dave"
demo bind-key -n C-q kill-server
# When the last person has left, only the server's console is there.
demo set-hook -g pane-exited "if-shell -F '#{==:#{window_panes},1}' kill-server"
demo select-pane -t "$alice"
exec 3<&0
demo attach-session -t chat <&3 >/dev/tty & # in the background, so that a signal to this script ends it at once
wait $! || true
echo "The demo has ended: its server and its tmux session are gone."
