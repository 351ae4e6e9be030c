/**
 * The contents of the images of these tests, made as the projects make their own images. Not a
 * test.
 */

import type { Recipe } from "../lib/images.ts";

const POSTGRES_ENTRY = `#!/bin/sh -e
if [ "$(id -u)" = 0 ]; then
  mkdir -p "$PGDATA" && chown postgres:postgres "$PGDATA" && chmod 700 "$PGDATA"
  exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U postgres --auth=trust >/dev/null
  echo 'host all all all trust' >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
fi
exec "$@"
`;

const MARIADB_ENTRY = `#!/bin/sh -e
if [ ! -d /var/lib/mysql/mysql ]; then
  mariadb-install-db --user=mysql --datadir=/var/lib/mysql --auth-root-authentication-method=normal
fi
exec "$@"
`;

/** Counts in redis what it writes to postgres; waits for neither. */
const APP = `
import http.server, os, socket
import psycopg2, redis

store = redis.Redis(host=os.environ["REDIS_HOST"])

class App(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        count = store.incr("visits")
        with psycopg2.connect(host=os.environ["PG_HOST"], user="postgres") as db, db.cursor() as c:
            c.execute("create table if not exists visit (n bigint, who text)")
            c.execute("insert into visit values (%s, %s)", (count, self.client_address[0]))
            c.execute("select count(*) from visit")
            rows = c.fetchone()[0]
        with open("/shared/visits", "a") as f:
            f.write(f"{count}\\n")
        body = f"{count} {rows} {socket.gethostname()}\\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

http.server.ThreadingHTTPServer(("", 8000), App).serve_forever()
`;

const NODE_APP = `
const http = require("http"), fs = require("fs"), { Worker } = require("worker_threads");
const { execFileSync } = require("child_process");
http.createServer((request, reply) => {
  if (request.url === "/child") return reply.end(execFileSync("uname", ["-s"]));
  if (request.url === "/file") return fs.createReadStream("/etc/passwd").pipe(reply);
  const code = "const t=require('worker_threads');t.parentPort.postMessage(6*7)";
  new Worker(code, { eval: true }).on("message", (m) => reply.end("worker " + m + "\\n"));
}).listen(3000);
process.on("SIGTERM", () => { console.log("going"); process.exit(0); });
`;

export const RECIPES: Record<string, Recipe> = {
  nginx: {
    packages: ["nginx-light", "curl"],
    lines: [
      "RUN ln -sf /dev/stdout /var/log/nginx/access.log",
      "RUN ln -sf /dev/stderr /var/log/nginx/error.log",
      "STOPSIGNAL SIGQUIT",
      'CMD ["nginx", "-g", "daemon off;"]',
    ],
  },
  postgres: {
    packages: ["postgresql"],
    lines: [
      "RUN ln -s /usr/lib/postgresql/*/bin /pg",
      "ENV PATH=/pg:$PATH PGDATA=/var/lib/postgresql/data",
      "COPY entry.sh /entry.sh",
      "RUN chmod 755 /entry.sh",
      "VOLUME /var/lib/postgresql/data",
      "STOPSIGNAL SIGINT",
      'ENTRYPOINT ["/entry.sh"]',
      'CMD ["postgres"]',
    ],
    files: { "entry.sh": POSTGRES_ENTRY },
  },
  redis: {
    packages: ["redis-server"],
    lines: [
      "RUN mkdir /data && chown redis:redis /data",
      "WORKDIR /data",
      "USER redis",
      'CMD ["redis-server", "--protected-mode", "no", "--save", "", "--dir", "/data"]',
    ],
  },
  app: {
    packages: ["python3", "python3-psycopg2", "python3-redis", "curl"],
    lines: [
      "COPY app.py /app.py",
      'CMD ["python3", "-u", "/app.py"]',
    ],
    files: { "app.py": APP },
  },
  mariadb: {
    packages: ["mariadb-server"],
    lines: [
      "COPY entry.sh /entry.sh",
      "RUN chmod 755 /entry.sh && install -d -o mysql -g mysql /run/mysqld",
      "RUN rm -rf /var/lib/mysql/*",
      "VOLUME /var/lib/mysql",
      'ENTRYPOINT ["/entry.sh"]',
      'CMD ["mariadbd", "--user=mysql", "--bind-address=0.0.0.0"]',
    ],
    files: { "entry.sh": MARIADB_ENTRY },
  },
  node: {
    packages: ["nodejs", "curl"],
    lines: ["COPY app.js /app.js", "USER nobody", 'CMD ["node", "/app.js"]'],
    files: { "app.js": NODE_APP },
  },
  memcached: {
    packages: ["memcached", "python3-minimal"],
    lines: ["USER nobody", 'CMD ["memcached", "-l", "0.0.0.0"]'],
  },
  tools: {
    packages: ["gcc", "libc6-dev", "make", "python3", "procps", "iproute2"],
    lines: [],
  },
};
