# node: worker threads, child processes, files, streams, timers, HTTP over a UNIX socket, crypto.
# needs: node
cd "$WORK"
cat > t.js <<'HERE'
const { Worker, isMainThread, parentPort, workerData } = require("worker_threads");
const { spawn, execFileSync, fork } = require("child_process");
const fs = require("fs"), http = require("http"), zlib = require("zlib"), crypto = require("crypto");
if (!isMainThread) {
  let s = 0; for (let i = 0; i < workerData * 1e5; i++) s += i;
  parentPort.postMessage(s);
} else if (process.argv[2] === "child") {
  process.on("message", (m) => { process.send({ got: m }); process.disconnect(); });
}
const work = (n) => new Promise((ok, no) => {
  const w = new Worker(__filename, { workerData: n }); w.on("message", ok); w.on("error", no);
});
async function main() {
  console.log(await Promise.all([1, 2, 3, 4].map(work)));
  console.log(execFileSync("echo", ["from", "echo"]).toString().trim());
  const cat = spawn("cat"); let out = "";
  cat.stdout.on("data", (d) => out += d); cat.stdin.end("x".repeat(100000));
  console.log(await new Promise((ok) => cat.on("close", (c) => ok([c, out.length]))));
  const kid = fork(__filename, ["child"]); kid.send({ hi: 1 });
  console.log(await new Promise((ok) => kid.on("message", ok))); await new Promise((ok) => kid.on("exit", ok));
  fs.writeFileSync("f", "text".repeat(1000)); console.log(fs.statSync("f").size, fs.readFileSync("f", "utf8").length);
  await fs.promises.mkdir("a/b/c", { recursive: true }); console.log(fs.readdirSync("."));
  const server = http.createServer((q, s) => s.end("hello " + q.url)); await new Promise((ok) => server.listen("sock", ok));
  const get = (p) => new Promise((ok) => http.get({ socketPath: "sock", path: p }, (r) => {
    let b = ""; r.on("data", (d) => b += d); r.on("end", () => ok(b)); }));
  console.log(await Promise.all(["/a", "/b", "/c"].map(get))); server.close();
  const z = zlib.gzipSync("z".repeat(10000)); console.log(zlib.gunzipSync(z).length);
  console.log(crypto.createHash("sha256").update("x").digest("hex").slice(0, 16));
  const t0 = Date.now(); await new Promise((ok) => setTimeout(ok, 50)); console.log(Date.now() - t0 >= 49);
  process.on("SIGUSR2", () => console.log("signal")); process.kill(process.pid, "SIGUSR2");
  await new Promise((ok) => setTimeout(ok, 20));
  process.exitCode = 6;
}
if (isMainThread && process.argv[2] !== "child") main();
HERE
node t.js; echo "status $?"
node -e 'console.log([3,1,2].sort(), process.argv.length); throw new Error("boom")' 2>&1 | grep -c boom
