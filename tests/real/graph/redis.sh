# Redis with its log of changes and a snapshot, a replica, and clients that wait: for a message, for
# an element, for nothing.
. "$SOURCES/graph/walk.sh"
cd "$WORK"
mkdir 6400 6401
serve() {
  redis-server --port "$1" --bind 127.0.0.1 --unixsocket "$WORK/$1/socket" --save '' \
    --dir "$WORK/$1" --logfile log "${@:2}" &
  until redis-cli -e -p "$1" ping > /dev/null 2>&1; do sleep 0.05; done
}
ask() { redis-cli -p 6400 "$@"; }
shows() { until ask "${@:2}" | grep -q "$1"; do sleep 0.05; done; }
serve 6400 --appendonly yes --appendfsync everysec
seq 2000 | sed 's/.*/set key:& value:&/' | ask --pipe > /dev/null
ask subscribe news > /dev/null & shows '^1$' pubsub numsub news
redis-cli -s 6400/socket blpop list 0 > /dev/null & shows blocked_clients:1 info clients
serve 6401 --replicaof 127.0.0.1 6400
until redis-cli -p 6401 info replication | grep -q master_link_status:up; do sleep 0.05; done
ask bgsave > /dev/null
ask set last one > /dev/null
walk redis
shows rdb_bgsave_in_progress:0 info persistence
ask rpush list element > /dev/null
ask publish news hello > /dev/null
kill -KILL $(jobs -p)
wait
walk "redis end"
