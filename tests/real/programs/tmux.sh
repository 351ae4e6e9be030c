# tmux: panes, windows, what a program in one prints, a client that is attached and resized.
# needs: tmux script
# slow
cd "$WORK"; export TERM=xterm SHELL=/bin/bash PS1='$ '
t() { tmux -S "$WORK/sock" -f /dev/null "$@"; }
until_seen() { local i; for i in $(seq 300); do t capture-pane -p -t "$1" | grep -q "$2" && return; sleep 0.1; done; echo "not seen: $2"; }
t new-session -d -s main -x 80 -y 24 'bash --norc --noprofile'
mkfifo keys; script -qec "stty rows 24 cols 80; tmux -S $WORK/sock -f /dev/null attach -t main" /dev/null > attached < keys &
exec 9> keys
for _ in $(seq 300); do t list-clients -F '#{client_width}x#{client_height}' > clients 2> /dev/null; [ -s clients ] && break; sleep 0.1; done
cat clients
t send-keys -t main 'echo one-$((40 + 2))' Enter; until_seen main 'one-42'
t set -g status off; t split-window -h -t main 'bash --norc --noprofile'; t split-window -v -t main 'cat'
t list-panes -t main -F '#{pane_index} #{pane_width}x#{pane_height}'
t send-keys -t main.2 'typed into cat' Enter; until_seen main.2 'typed into cat'
sized() { # WANTED: a program in the pane is told the size, sooner or later
  t send-keys -t main.1 "while [ \"\$(stty size)\" != '$1' ]; do sleep 0.1; done; clear; echo \$(stty size)-seen" Enter
  until_seen main.1 "^$1-seen"
}
until_seen main.1 '[$#]'; sized '12 39'; t resize-pane -t main.1 -x 50; sized '12 50'; t resize-pane -t main.1 -y 5; sized '5 50'
t send-keys -t main.1 'tty | cut -c 1-9' Enter; until_seen main.1 '^/dev/pts/'
t new-window -t main -n second 'vi -u NONE -N file'; until_seen main:second 'file'
t send-keys -t main:second 'ihello from vi' Escape 'yyp:wq' Enter
for _ in $(seq 100); do [ -s file ] && break; sleep 0.1; done; cat file
t new-window -t main -n top 'top -d 1'; until_seen main:top 'load average'; t send-keys -t main:top q
t set-buffer 'pasted text'; t new-window -t main -n paste 'cat > pasted'; sleep 0.3
t paste-buffer -t main:paste; t send-keys -t main:paste Enter C-d
for _ in $(seq 100); do [ -s pasted ] && break; sleep 0.1; done; cat pasted
t send-keys -t main.1 'sleep 100' Enter; sleep 0.3; t send-keys -t main.1 C-c; t send-keys -t main.1 'echo code-$?' Enter; until_seen main.1 'code-130'
t list-windows -t main -F '#{window_name}' | head -n 2 | sed 1d; printf '\002d' >&9; exec 9>&-; wait; grep -c detached attached; t kill-server; echo "killed $?"
