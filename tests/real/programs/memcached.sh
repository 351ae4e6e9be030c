# memcached with four threads and eight client processes: each reads what it wrote, large values
# push others out, the counts of the server are those of the clients.
# needs: memcached python3
# slow
# apart
. "$SOURCES/lib/server.sh"
bg memcached -u root -l 127.0.0.1 -p 11299 -m 64 -t 4 -c 256
cat > client.py <<'HERE'
import multiprocessing, socket, sys, time
def dial():
    for _ in range(300):
        try: return socket.create_connection(("127.0.0.1", 11299)).makefile("rwb", 0)
        except OSError: time.sleep(0.1)
    sys.exit("no server")
def put(f, key, value):
    f.write(b"set %s 0 0 %d\r\n%s\r\n" % (key, len(value), value))
    return f.readline() == b"STORED\r\n"
def get(f, key):
    f.write(b"get %s\r\n" % key)
    head = f.readline()
    if head == b"END\r\n": return None
    left = int(head.split()[3]) + 2
    data = b""
    while len(data) < left: data += f.read(left - len(data))
    f.readline()
    return data[:-2]
def work(k):
    f, good = dial(), 0
    for i in range(int(sys.argv[1])):
        value = b"%d-%d" % (k, i) * (1 + i % 200)
        good += put(f, b"k%d-%d" % (k, i), value) and get(f, b"k%d-%d" % (k, i)) == value
        f.write(b"incr all 1\r\n"); f.readline()
    return good
f = dial()
put(f, b"all", b"0")
with multiprocessing.Pool(8) as pool: print("good", pool.map(work, range(8), 1))
print("counted", get(f, b"all"))
big = b"x" * 900000
print("stored", sum(put(f, b"b%d" % i, big) for i in range(120)), "first is gone", get(f, b"b0") is None)
f.write(b"stats\r\n")
stats = dict(l.split()[1:3] for l in iter(f.readline, b"END\r\n"))
print("threads", stats[b"threads"], "evicted", int(stats[b"evictions"]) > 0, stats[b"cmd_set"])
f.write(b"flush_all\r\n"); print(f.readline(), get(f, b"b119"))
HERE
python3 client.py "$(pick 100 5000)"
