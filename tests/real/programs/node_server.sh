# An HTTP server in node: a cluster of two, clients that keep their connections, streams of bodies,
# upgrades, a worker that dies under load and is replaced.
# needs: node
# apart
# slow
. "$SOURCES/lib/server.sh"
cat > s.js <<'HERE'
const cluster = require("cluster"), http = require("http"), crypto = require("crypto");
if (cluster.isPrimary) {
  for (let i = 0; i < 2; i++) cluster.fork();
  cluster.on("exit", (w, code, signal) => { console.log("worker", code, signal); cluster.fork(); });
} else http.createServer((q, s) => {
  if (q.url === "/die") { s.on("finish", () => process.kill(process.pid, "SIGKILL")); return s.end("dying"); }
  const h = crypto.createHash("sha256"); let n = 0;
  q.on("data", (d) => { h.update(d); n += d.length; });
  q.on("end", () => { s.setHeader("x-size", n); s.end(h.digest("hex")); });
}).listen(8090, "127.0.0.1");
HERE
cat > c.js <<'HERE'
const http = require("http"), crypto = require("crypto");
const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
const ask = (path, body) => new Promise((ok, no) => {
  const q = http.request({ port: 8090, host: "127.0.0.1", path, agent, method: "POST" }, (r) => {
    let b = ""; r.setEncoding("utf8"); r.on("data", (d) => b += d); r.on("end", () => ok(b)); r.on("error", no);
  });
  q.on("error", no); q.end(body);
});
async function main() {
  let good = 0; const n = +process.argv[2];
  await Promise.all(Array.from({ length: n }, async (_, i) => {
    const body = Buffer.alloc((i * 7919) % 200000, i & 255);
    const answer = await ask("/" + i, body);
    if (answer === crypto.createHash("sha256").update(body).digest("hex")) good++;
  }));
  console.log("good", good);
  if (process.argv[3]) console.log(await ask("/die", ""));
  agent.destroy();
}
main();
HERE
bg node s.js > s.log; until_ok node -e 'require("http").get("http://127.0.0.1:8090/")'
until_ok node -e 'require("net").connect(8090, "127.0.0.1").on("error", () => process.exit(1)).on("connect", () => process.exit(0))'
node c.js "$(pick 300 5000)" die; until_ok grep -q worker s.log; cat s.log; sleep 1
node c.js "$(pick 300 5000)"
