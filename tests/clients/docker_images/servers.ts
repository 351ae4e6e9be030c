/**
 * More servers in containers: MariaDB, node, memcached; and systemd as the first process. Not a
 * test.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import type { ImageCase } from "../lib/images.ts";
import { untilWorks } from "./until.ts";

const NAME = "server", NET = "servers";

/** Speaks memcached's text protocol to the host `server`. */
const CACHE_CLIENT = `
import socket
s = socket.create_connection(("server", 11211))
f = s.makefile("rwb")
value = b"v" * 100000
for i in range(50):
    f.write(b"set k%d 0 0 %d\\r\\n%s\\r\\n" % (i, len(value), value)); f.flush()
    assert f.readline() == b"STORED\\r\\n"
f.write(b"get k0 k49\\r\\n"); f.flush()
for _ in range(2):
    assert f.readline().startswith(b"VALUE k")
    assert f.read(len(value) + 2) == value + b"\\r\\n"
assert f.readline() == b"END\\r\\n"
print("fine")
`;

export const CASES: readonly ImageCase[] = [
  {
    name: "MariaDB is killed while it writes; InnoDB recovers what was committed",
    run: async (x) => {
      const { docker } = x, volume = `maria-${crypto.randomUUID().slice(0, 8)}`;
      const sql = (text: string) => ["exec", NAME, "mariadb", "-N", "-B", "-e", text];
      try {
        const image = await x.of("mariadb");
        await docker.must("run", "-d", "--name", NAME, "-v", `${volume}:/var/lib/mysql`, image);
        await untilWorks(docker, ...sql("select 1"));
        await docker.must(
          ...sql("create table test.t (n int primary key, pad varchar(600)) engine=innodb"),
        );
        const writer = "i=0; while i=$((i + 1)); do " +
          "echo \"insert into test.t values ($i, repeat('x', 500)); select $i;\"; done | mariadb -N -B -n";
        const writing = docker.run(["exec", NAME, "sh", "-c", writer]);
        await new Promise((done) => setTimeout(done, 4000));
        await docker.must("kill", NAME);
        const acknowledged = Number((await writing).stdout.trimEnd().split("\n").at(-1));
        await docker.must("start", NAME);
        await untilWorks(docker, ...sql("select 1"));
        const there = Number(await docker.must(...sql("select count(*) from test.t")));
        assert(acknowledged > 0, "nothing was written");
        assert(there === acknowledged || there === acknowledged + 1, `${acknowledged}, ${there}`);
        assertMatch(await docker.must(...sql("check table test.t")), /OK$/);
        await docker.must("stop", "-t", "30", NAME);
        assertEquals(await docker.inspect(NAME, ".State.ExitCode"), "0");
      } finally {
        await docker.clear();
        await docker.run(["volume", "rm", volume]);
      }
    },
  },
  {
    name: "node: an HTTP server with workers, children and streams, as nobody",
    run: async (x) => {
      const { docker } = x;
      await docker.must("run", "-d", "--name", NAME, await x.of("node"));
      const get = (path: string) => ["exec", NAME, "curl", "-sf", `http://127.0.0.1:3000/${path}`];
      assertEquals(await untilWorks(docker, ...get("worker")), "worker 42\n");
      assertEquals(await docker.must(...get("child")), "Linux");
      assertMatch(await docker.must(...get("file")), /^root:x:0:0:/);
      await docker.must("stop", "-t", "20", NAME);
      assertEquals(await docker.inspect(NAME, ".State.ExitCode"), "0");
      assertMatch(await docker.must("logs", NAME), /^going$/m);
    },
  },
  {
    name: "memcached answers a client on another address",
    run: async (x) => {
      const { docker } = x, image = await x.of("memcached");
      await docker.must("network", "create", "--ipv6", "--subnet", "fd00:77::/64", NET);
      try {
        await docker.must("run", "-d", "--name", NAME, "--network", NET, image);
        const client = ["run", "--rm", "--network", NET, image, "python3", "-c", CACHE_CLIENT];
        assertEquals((await untilWorks(docker, ...client)).trimEnd(), "fine");
      } finally {
        await docker.clear();
        await docker.run(["network", "rm", NET]);
      }
    },
  },
];
