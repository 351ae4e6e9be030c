/** Containers with sockets of the host's network are saved, and go on. */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { SIGKILL } from "../../ffi/abi/signal.ts";
import { describe } from "../harness/dvisor.ts";
import { type Lifecycle, testCases } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const NOT_RUNC = "it needs CRIU";
const KILLED = 128 + SIGKILL;
const SOON_MS = 10_000;

/** A port of the loopback that nothing has, and that no connection gets by itself. */
function freePort(): number {
  const [least = 32768] = Deno.readTextFileSync("/proc/sys/net/ipv4/ip_local_port_range")
    .trim().split(/\s+/).map(Number);
  for (;;) {
    const port = 1024 + Math.floor(Math.random() * (Math.max(least, 2048) - 1024));
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function fetched(port: number): Promise<string> {
  let text = "";
  const isThere = async () => {
    try {
      text = await (await fetch(`http://127.0.0.1:${port}/page`)).text();
      return true;
    } catch {
      return false;
    }
  };
  for (let i = 0; i < 100 && !await isThere(); i++) await new Promise((r) => setTimeout(r, 100));
  return text;
}

/** The next connection; an error, if none comes soon. */
async function accepted(listener: Deno.TcpListener): Promise<Deno.TcpConn> {
  const end = setTimeout(() => listener.close(), SOON_MS);
  try {
    return await listener.accept();
  } finally {
    clearTimeout(end);
  }
}

/** Waits until the server's processes for connections have ended. */
async function servesNone(t: Lifecycle): Promise<void> {
  for (let i = 0; i < 100; i++) {
    const [, ...processes] = (await t.must("ps", t.id)).trim().split("\n");
    if (processes.length === 1) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error("a connection does not end");
}

function checkpoint(t: Lifecycle, ...options: string[]) {
  return t.call("checkpoint", "--image-path", t.file("image"), ...options, t.id);
}

async function restored(t: Lifecycle, ...options: string[]): Promise<void> {
  t.bundle.write(t.config);
  const args = ["restore", "--detach", "--bundle", t.bundle.dir, "--pid-file", t.file("pid")];
  const result = await t.detached([...args, "--image-path", t.file("image"), ...options, t.id]);
  assertEquals(result.code, 0, t.text("err"));
}

async function taken(t: Lifecycle, ...options: string[]): Promise<void> {
  const { pid } = t, result = await checkpoint(t, ...options);
  assertEquals(result.code, 0, describe(result));
  assertEquals(await t.reap(pid), KILLED);
}

const CASES: readonly LifecycleCase[] = [
  {
    name: "a server listens again on its port",
    notRunc: NOT_RUNC,
    async run(t) {
      const port = freePort();
      await Deno.writeTextFile(`${t.bundle.root}/page`, "hello");
      await t.running(`exec /bin/busybox httpd -f -p 127.0.0.1:${port} -h /`);
      assertEquals(await fetched(port), "hello");
      await servesNone(t);
      await taken(t);
      await restored(t);
      assertEquals(await fetched(port), "hello");
    },
  },
  {
    name: "a connection fails the checkpoint by its addresses, or is reset",
    notRunc: NOT_RUNC,
    async run(t) {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      await t.running(`/bin/busybox nc 127.0.0.1 ${port}; echo ended; sleep 1000`);
      using connection = await accepted(listener);
      await connection.write(new TextEncoder().encode("first\n"));
      await t.until("first");
      const refused = await checkpoint(t);
      assert(refused.code !== 0);
      assertMatch(refused.stderr, new RegExp(`TCP socket on .* to 127.0.0.1:${port} is connected`));
      await connection.write(new TextEncoder().encode("second\n"));
      await t.until("second");
      await taken(t, "--tcp", "reset");
      await restored(t, "--tcp", "reset");
      await t.until("ended");
    },
  },
];

testCases(
  "checkpoint with the host's network",
  CASES.map((test) => ({
    ...test,
    run(t) {
      const types = ["pid", "ipc", "uts", "mount"];
      t.config.linux["namespaces"] = types.map((type) => ({ type }));
      return test.run(t);
    },
  })),
);
