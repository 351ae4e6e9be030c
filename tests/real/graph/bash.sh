# bash at a terminal: pipelines that are full, jobs that wait for a fifo, a lock and the terminal,
# one that is stopped, a coprocess, traps, here-documents, timers, changed files of the host.
. "$SOURCES/graph/walk.sh"
set -m
cd "$WORK"
trap : USR1
exec 7<<< "a here-document"
cat "$SOURCES/graph/bash.sh" > copy; ln copy link; ln -s copy symbolic; mkdir -p d/e; echo x >> copy
yes | sleep 1000 &
mkfifo p; cat p &
timeout 1000 sleep 1000 & until_state $! S
tail -f copy > /dev/null & until_state $! S
flock locked sh -c 'echo > held; exec sleep 1000' & until [ -e held ]; do sleep 0.01; done
flock locked true & until_state $! S
sleep 1000 & kill -STOP $!; until_state $! T
cat & until_state $! T
coproc cat
sleep 1000 | (read -r x; cat) | cat &
(ulimit -n 50; nice -n 5 sleep 1000) &
exec 8< "$WORK" 9>> deleted; echo gone >&9; rm deleted
kill -USR1 $$
walk bash
for group in $(jobs -p); do kill -KILL -- "-$group"; done
wait
walk "bash end"
