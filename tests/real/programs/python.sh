# python3: subprocesses, threads, multiprocessing, asyncio, sqlite3, sockets, temporary files.
# needs: python3
cd "$WORK"
PY=/usr/bin/python3; [ -x "$PY" ] || PY=python3
cat > t.py <<'HERE'
import asyncio, collections, concurrent.futures, hashlib, json, multiprocessing, os, queue, socket
import sqlite3, subprocess, sys, tempfile, threading, zlib

def square(x):
    return x * x
def child(q, n):
    q.put((n, os.getppid() == int(os.environ["PARENT"])))
def basics():
    print(sum(range(10**6)), hashlib.sha256(b"x" * 10**6).hexdigest()[:16])
    print(subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True))
    p = subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print(p.communicate(b"z" * 200_000)[0] == b"z" * 200_000, p.returncode)
    print([subprocess.call(["true"]) for _ in range(20)].count(0))

    total, lock = 0, threading.Lock()
    def add():
        nonlocal total
        for _ in range(1000):
            with lock:
                total += 1
    threads = [threading.Thread(target=add) for _ in range(8)]
    [t.start() for t in threads]; [t.join() for t in threads]
    print("threads", total)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(lambda x: x * x, range(200))))
if __name__ == "__main__":
    basics()
    os.environ["PARENT"] = str(os.getpid())
    for method in ("fork", "spawn", "forkserver"):
        ctx = multiprocessing.get_context(method)
        with ctx.Pool(2) as pool:
            print(method, pool.map(square, range(10)))
    ctx = multiprocessing.get_context("fork")
    q = ctx.Queue()
    ps = [ctx.Process(target=child, args=(q, n)) for n in range(3)]
    [p.start() for p in ps]
    print(sorted(q.get() for _ in ps)); [p.join() for p in ps]
    v = ctx.Value("i", 0)
    def inc(v):
        for _ in range(100):
            with v.get_lock():
                v.value += 1
    ps = [ctx.Process(target=inc, args=(v,)) for _ in range(3)]
    [p.start() for p in ps]; [p.join() for p in ps]
    print("shared", v.value)

    async def echo(reader, writer):
        writer.write((await reader.readline()).upper()); await writer.drain(); writer.close()
    async def ask(path, text):
        r, w = await asyncio.open_unix_connection(path)
        w.write(text); answer = await r.readline(); w.close()
        return answer
    async def main():
        server = await asyncio.start_unix_server(echo, "sock")
        answers = await asyncio.gather(*(ask("sock", b"n%d\n" % i) for i in range(20)))
        proc = await asyncio.create_subprocess_exec("echo", "async", stdout=asyncio.subprocess.PIPE)
        out, _ = await proc.communicate()
        try:
            await asyncio.wait_for(asyncio.sleep(5), 0.02)
        except asyncio.TimeoutError:
            print("timed out")
        server.close()
        return answers, out, proc.returncode
    print(asyncio.run(main()))

    db = sqlite3.connect("t.db")
    db.execute("create table t(a integer primary key, b text)")
    with db:
        db.executemany("insert into t(b) values (?)", ((str(i) * 3,) for i in range(1000)))
    print(db.execute("select count(*), max(b), sum(a) from t").fetchone())
    db.execute("pragma journal_mode=wal"); print(db.execute("pragma integrity_check").fetchone())
    a, b = socket.socketpair()
    a.sendall(b"x" * 50000); a.close()
    print(len(b"".join(iter(lambda: b.recv(4096), b""))))
    with tempfile.NamedTemporaryFile(dir=".") as f:
        f.write(b"temp"); f.flush(); print(os.stat(f.name).st_size)
    print(json.dumps({"a": [1, 2.5, None]}), zlib.crc32(b"crc"), sys.byteorder)
    try:
        os.open("/nonexistent/file", os.O_RDONLY)
    except OSError as e:
        print(e)
HERE
"$PY" -u -B t.py
"$PY" -c 'import sys; sys.exit(9)'; echo "exit $?"
"$PY" -c 'import os, signal; os.kill(os.getpid(), signal.SIGSEGV)'; echo "signal $?"
