# A redis server on a socket in a directory, with its clients, its log of commands and its dump.
# needs: redis-server redis-cli redis-benchmark
cd "$WORK"
start() {
  redis-server --port 0 --unixsocket "$WORK/s" --dir "$WORK" --appendonly yes --save '' \
    --daemonize no > log 2>&1 &
  for _ in $(seq 200); do [ "$(redis-cli -s s ping 2> /dev/null)" = PONG ] && return; sleep 0.05; done
  tail -5 log
}
c() { redis-cli -s s "$@"; }
start
c set greeting hello; c append greeting ' world'; c get greeting
seq 1 300 | sed 's/.*/rpush list &/' | redis-cli -s s > replies; tail -n 1 replies
c lrange list 10 14; c llen list
c eval 'local s = 0 for i = 1, 300 do s = s + redis.call("lindex", KEYS[1], i - 1) end return s' 1 list
redis-benchmark -s s -q -n 2000 -c 20 -P 4 -t set,get,incr,lpush > bench 2>&1; echo "benchmark $?"
c get counter:__rand_int__
c bgsave > /dev/null
until [ "$(c info persistence | tr -d '\r' | sed -n 's/^rdb_bgsave_in_progress://p')" = 0 ]; do sleep 0.05; done
[ -s dump.rdb ] && echo dumped
c shutdown nosave 2> /dev/null; wait; echo "server $?"
start
c get greeting; c llen list; c dbsize
c shutdown nosave 2> /dev/null; wait; echo "server $?"
