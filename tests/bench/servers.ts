/**
 * Rows of servers and of whole jobs: a script starts what it needs in the sandbox and prints how
 * long one unit of work took there. What a machine has not got is "-".
 */

import { run, type Runner } from "./runners.ts";

interface Script {
  readonly name: string;
  readonly unit: "us" | "ms";
  /** Works in an empty directory of its own, $PORT is free; prints thousandths of the unit. */
  readonly script: string;
}

/** Retries `$@` until it works. */
const UNTIL = 'until_up() { for i in $(seq 200); do "$@" >/dev/null 2>&1 && return; ' +
  "sleep 0.05; done; exit 1; }";
/** Prints the microseconds that `$@` takes. */
const TIMED = 'timed() { s=${EPOCHREALTIME/./}; "$@" >/dev/null 2>&1 || exit 1; ' +
  "echo $(( ${EPOCHREALTIME/./} - s )); }";
/** One unit of work of so many a second. */
const INVERSE = "awk '{ if ($1 > 0) printf \"%.0f\\n\", 1e9 / $1 }'";

const PAGE_BYTES = 1024;
const NGINX = `daemon off; user root; worker_processes 1; pid $D/pid; error_log /dev/null;
events { worker_connections 256; }
http { access_log off; sendfile on;
client_body_temp_path $D/1; proxy_temp_path $D/2; fastcgi_temp_path $D/3;
uwsgi_temp_path $D/4; scgi_temp_path $D/5;
server { listen 127.0.0.1:$PORT; root $D; } }`;

const SCRIPTS: readonly Script[] = [
  {
    name: "redis GET",
    unit: "us",
    script: `redis-server --port $PORT --bind 127.0.0.1 --save '' --dir . >/dev/null & k=$!
until_up redis-cli -p $PORT ping
redis-benchmark -p $PORT -t get -n 30000 -c 20 --csv 2>/dev/null |
  awk -F'"' '/GET/ { print $4 }' | ${INVERSE}; kill $k`,
  },
  {
    name: "nginx request",
    unit: "us",
    script: `D=$PWD; chmod 755 .; head -c ${PAGE_BYTES} /dev/zero >page
echo "${NGINX}" >conf; nginx -c $D/conf & k=$!
until_up curl -sf 127.0.0.1:$PORT/page
wrk -t1 -c16 -d2 http://127.0.0.1:$PORT/page | awk '/Requests\\/sec/ { print $2 }' |
  ${INVERSE}; kill $k`,
  },
  {
    name: "node request",
    unit: "us",
    script: `echo "require('http').createServer((q, r) => r.end('x')).listen($PORT)" >s.js
node s.js & k=$!
until_up curl -sf 127.0.0.1:$PORT/
wrk -t1 -c16 -d2 http://127.0.0.1:$PORT/ | awk '/Requests\\/sec/ { print $2 }' |
  ${INVERSE}; kill $k`,
  },
  {
    name: "pgbench transaction",
    unit: "us",
    script: `B=$(echo /usr/lib/postgresql/*/bin); export PATH=$B:$PATH
chown postgres . && as() { setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
as initdb -D d -A trust >/dev/null 2>&1 || exit 1
as pg_ctl -D d -l log -o "-p $PORT -k $PWD -c listen_addresses=" -w start >/dev/null || exit 1
as pgbench -h $PWD -p $PORT -i -q postgres >/dev/null 2>&1
as pgbench -h $PWD -p $PORT -c 8 -T 3 postgres 2>/dev/null |
  awk '/^tps/ { print $3 }' | ${INVERSE}
as pg_ctl -D d -m fast -w stop >/dev/null`,
  },
  {
    name: "untar 2,000 files",
    unit: "ms",
    script: `mkdir in out; for i in $(seq 50); do mkdir in/$i; for j in $(seq 40); do
echo $i $j >in/$i/$j; done; done; tar cf t.tar in; timed tar xf t.tar -C out`,
  },
  {
    name: "cargo build",
    unit: "ms",
    script: `export USER=x CARGO_NET_OFFLINE=true CARGO_HOME=$PWD/home
cargo new --vcs none -q p && cd p && timed cargo build -q`,
  },
];

interface ServerBenchmark {
  readonly name: string;
  readonly unit: string;
  measure(runner: Runner): Promise<number>;
}

/** One row a script. */
export function serverBenchmarks(): ServerBenchmark[] {
  return SCRIPTS.map(({ name, unit, script }) => ({
    name,
    unit,
    async measure(runner: Runner) {
      const port = 20000 + Math.floor(Math.random() * 20000);
      const work = 'W=$(mktemp -d) && cd "$W" || exit 1; trap "rm -rf $W" EXIT';
      const lines = ["set +m", work, `PORT=${port}`, UNTIL, TIMED, `{ ${script}`, "}"];
      const command = ["bash", "-c", lines.join("\n")];
      const { code, stdout } = await run(runner, command);
      const value = Number(new TextDecoder().decode(stdout).trim());
      return code === 0 && value > 0 ? value / 1000 : NaN;
    },
  }));
}
