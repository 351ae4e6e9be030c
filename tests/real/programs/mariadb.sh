# MariaDB: a bootstrap, clients under load, the server killed and its log replayed, a dump and a copy.
# needs: mariadbd mariadb-install-db mariadb-slap
# apart
# slow
. "$SOURCES/lib/server.sh"
chmod 777 . && mkdir data && chown mysql data
mariadb-install-db --user=mysql --datadir="$WORK/data" --auth-root-authentication-method=normal > inst.log 2>&1
echo "installed $?"
start() {
  bg mariadbd --no-defaults --user=mysql --datadir="$WORK/data" --socket="$WORK/s" --port=3399 \
    --bind-address=127.0.0.1 --pid-file="$WORK/pid" --log-error="$WORK/err" --innodb-buffer-pool-size=64M
  until_ok mariadb-admin -S "$WORK/s" ping
}
q() { mariadb -S "$WORK/s" -N -B "$@"; }
start; q -e 'create database b'
mariadb-slap -S "$WORK/s" --concurrency=8 --auto-generate-sql --auto-generate-sql-load-type=mixed \
  --number-of-queries="$(pick 400 8000)" --create-schema=slap 2>&1 | grep -c clients
q b -e 'create table t(i int primary key auto_increment, s varchar(40), key(s)) engine=innodb;
  insert into t(s) select md5(seq) from seq_1_to_20000; select count(*), sum(i), max(s) from t;
  create table m engine=aria select * from t; checksum table m; alter table t add column z int default 3;
  select sum(z) from t'
echo "== killed"
kill -9 "$(cat pid)"; wait; start
q b -e 'select count(*) from t; check table t, m; insert into m select i+100000, s from t; repair table m'
mariadb-dump -S "$WORK/s" b > d.sql; q -e 'create database c'; q c < d.sql
q c -e 'select count(*), md5(group_concat(s order by i)) from t'
q -e "show variables like 'innodb_use_native_aio'"
mariadb --skip-ssl -h 127.0.0.1 -P 3399 -N -B -e 'select user()'
mariadb-admin -S "$WORK/s" shutdown; echo "stopped $?"; wait
