# A database: initdb, pgbench with eight clients, a backend killed while it works, the whole server
# killed, recovery from the log each time; the books must balance.
# needs: pg_ctlcluster setpriv openssl
# apart
# slow
. "$SOURCES/lib/server.sh"
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
chmod 755 . && mkdir pg && chown postgres pg && cd pg || exit 1
as() {
  setpriv --reuid=postgres --regid=postgres --clear-groups \
    env HOME="$PWD" PATH="$bin:$PATH" PGHOST="$PWD" PGPORT=5999 "$@"
}
ask() { as psql -qAtX -d bank -c "$1"; }
options="-k $PWD -p 5999 -h 127.0.0.1 -c max_connections=40 -c shared_buffers=32MB"
start() { until_ok as pg_ctl -D data -l log -w -t 120 -o "$options" start; }
finish() { as pg_ctl -D data -m immediate stop > /dev/null 2>&1; }
books() {
  ask "select 'balance', (select sum(abalance) from pgbench_accounts) = (select sum(delta) from
    pgbench_history), (select sum(bbalance) from pgbench_branches) = (select sum(tbalance) from
    pgbench_tellers), (select count(*) from pgbench_accounts)"
}
as initdb -D data -A trust > /dev/null 2> initdb.log || tail initdb.log; echo "initdb"
start; as createdb bank; as pgbench -i -q -s "$(pick 1 10)" bank > /dev/null 2>&1; echo "filled $?"
as pgbench -n -c 8 -j 4 -t "$(pick 40 500)" bank 2>&1 | grep -E 'clients|processed|failed'
as pgbench -n -S -c 8 -j 2 -t "$(pick 100 2000)" bank 2>&1 | grep -E 'processed|failed'
books
echo "== a backend is killed"
as pgbench -n -c 8 -j 2 -T 60 bank > bench.log 2>&1 & load=$!
until_ok sh -c "[ \$(psql -h $PWD -p 5999 -U postgres -AtX -d bank -c 'select count(*)
  from pgbench_history') -gt $(($(ask 'select count(*) from pgbench_history') + 20)) ]"
kill -9 "$(ask "select pid from pg_stat_activity where application_name = 'pgbench' limit 1")"
wait "$load"; echo "pgbench $?"
until_ok ask "select 1"; books
grep -cE 'was terminated by signal 9' log; grep -c 'reinitializing' log
echo "== all are killed"
as pgbench -n -c 4 -T 60 bank > bench.log 2>&1 & load=$!
sleep 1
for p in $(head -n 1 data/postmaster.pid) $(pgrep -P "$(head -n 1 data/postmaster.pid)"); do
  kill -9 "$p"
done
wait "$load"; echo "pgbench $?"
start; books
grep -c 'was not properly shut down; automatic recovery in progress' log
ask "create extension amcheck"; ask "select bt_index_check('pgbench_accounts_pkey')"; echo "index $?"
ask "create table t as select g i, md5(g::text) m from generate_series(1, 20000) g"
ask "create index on t(m)"; ask "select count(*) from t a join t b on a.m = b.m where a.i % 7 = 0"
as pg_dump bank > dump.sql; as createdb copy; as psql -qX -d copy -f dump.sql > /dev/null
as psql -qAtX -d copy -c "select count(*), md5(string_agg(m, ',' order by i)) from t"
as pg_ctl -D data -m fast -w stop > /dev/null; echo "stopped $?"
