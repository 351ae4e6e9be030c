# The sqlite3 shell: transactions, indexes, two writers, integrity.
# needs: sqlite3
cd "$WORK"
sqlite3 t.db <<'HERE'
create table t(id integer primary key, name text, n real);
begin; with recursive c(x) as (select 1 union all select x + 1 from c where x < 20000)
insert into t select x, 'name' || (x % 100), x * 1.5 from c; commit;
create index i on t(name);
select count(*), sum(n), min(name), max(name) from t;
select name, count(*) from t group by name order by 2 desc, 1 limit 5;
pragma integrity_check;
HERE
for i in 1 2 3 4; do
  (for j in $(seq 10); do sqlite3 -cmd '.timeout 20000' t.db "insert into t(name, n) values ('w$i', $j)"; done) &
done; wait
sqlite3 t.db "select name, count(*) from t where name like 'w%' group by name; pragma integrity_check"
sqlite3 t.db 'pragma journal_mode=wal; update t set n = n + 1; pragma wal_checkpoint; select sum(n) from t'
sqlite3 t.db 'select name, n from t order by 1, 2' | sha256sum; sqlite3 t.db 'vacuum; pragma page_count' ; sqlite3 no/such.db 'select 1' 2>&1; echo "status $?"
