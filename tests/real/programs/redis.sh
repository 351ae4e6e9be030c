# A key-value store: its benchmark, a log of changes read back after kill -9, a snapshot by fork
# while clients write, a replica.
# needs: redis-server redis-cli redis-benchmark
# apart
# slow
. "$SOURCES/lib/server.sh"
serve() {
  redis-server --port "$1" --bind 127.0.0.1 --save '' --dir "$WORK/$1" --logfile log "${@:2}" &
  server=$!; pids="$pids $server"
  until_ok redis-cli -e -p "$1" ping # which is an error while the data are read
}
ask() { redis-cli -p 6400 "$@"; }
info() { ask info persistence | tr -d '\r' | grep "^$1:"; }
mkdir 6400 6401
serve 6400 --appendonly yes --appendfsync everysec
redis-benchmark -p 6400 -q -n "$(pick 500 50000)" -c 50 -r 10000 -d 100 \
  -t ping,set,get,incr,lpush,rpop,sadd,hset,zadd,lrange_100,mset --csv |
  tr -d '"' | cut -d , -f 1
redis-benchmark -p 6400 -q -n "$(pick 2000 100000)" -c 20 -P 16 -t set,get --csv |
  tr -d '"' | cut -d , -f 1
ask flushall; seq "$(pick 5000 100000)" | sed 's/.*/set key:& value:&/' | ask --pipe | tail -n 1
ask incrby counter 41; ask incr counter
ask config set appendfsync always; ask set last one
echo "== a snapshot while clients write"
redis-benchmark -p 6400 -q -n "$(pick 1000 50000)" -c 10 -r 100 -t set > /dev/null & load=$!
ask bgsave; until_ok sh -c "redis-cli -p 6400 info persistence | grep -q bgsave_in_progress:0"
wait "$load"; info rdb_last_bgsave_status; redis-check-rdb 6400/dump.rdb | grep -c 'RDB looks OK'
ask bgrewriteaof; until_ok sh -c "redis-cli -p 6400 info persistence | grep -q rewrite_in_progress:0"
info aof_last_bgrewrite_status
echo "== killed, and the log is read back"
before=$(ask dbsize); kill -9 "$server"; wait "$server" 2> /dev/null; echo "server $?"
serve 6400 --appendonly yes; first=$server
[ "$(ask dbsize)" = "$before" ] && echo "all keys are back"; ask get last; ask get counter
echo "== a replica"
serve 6401 --replicaof 127.0.0.1 6400
until_ok sh -c "redis-cli -p 6401 info replication | grep -q master_link_status:up"
ask set fresh yes > /dev/null; ask wait 1 10000; redis-cli -p 6401 get fresh
(redis-cli -p 6401 subscribe news & echo $! > sub; wait) | sed -n '/message/,$p' & reader=$!
until_ok sh -c "[ \$(redis-cli -p 6401 pubsub numsub news | tail -n 1) = 1 ]"
ask publish news hello > /dev/null; sleep 0.5; kill "$(cat sub)"; wait "$reader" 2> /dev/null
ask eval "local n = 0 for i = 1, 1000 do n = n + i end return n" 0
ask shutdown nosave; wait "$first" 2> /dev/null; ask ping 2>&1 | cut -c 1-40
