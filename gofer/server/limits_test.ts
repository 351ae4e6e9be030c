/** Limits on what a client can make the server hold: paths, descriptors, connections. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ENAMETOOLONG } from "../../ffi/abi/errno.ts";
import { type GoferClient, NOFID } from "../client/gofer_client.ts";
import { FidTable, PATH_BYTES_MAX } from "./fid.ts";
import { Fid } from "./fid.ts";
import { inTree } from "./tree_testing.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const root = {
  fd: -1,
  isClone: false,
  isReadOnly: false,
  connects: false,
  binds: false,
  follows: false,
  label: "none",
  visible: null,
};

function fidAt(path: string): Fid {
  return new Fid(-1, root, 0, path, 0);
}

Deno.test("the paths of all fids have a limit, and those that go make room", () => {
  const table = new FidTable(1 << 20);
  const long = "d".repeat(65535);
  let n = 0;
  for (; !table.isFull; n++) table.bind(n, fidAt(long));
  assertEquals(n, 1025);
  table.bind(0, fidAt("short"));
  assert(!table.isFull);
  table.rename(root, "short", long);
  assert(table.isFull);
  table.drop(5);
  assert(!table.isFull);
  table.rename(root, long, "x");
  for (let i = 0; i < 2 * n; i++) table.bind(i, fidAt("y"));
  assert(!table.isFull);
  table.clear();
  assertEquals([table.size, table.isFull], [0, false]);
});

/** Makes nested directories until the server refuses; the depth and the last result. */
function dig(c: GoferClient, name: string): [number, number] {
  let dir = 0, r = 0, depth = 0;
  for (; r >= 0 && depth < 400; depth++) {
    r = c.mkdir(dir, NOFID, name, 0o755, Deno.uid() ?? 0, Deno.gid() ?? 0);
    if (r < 0) break;
    const next = c.fids.take();
    r = c.walkGetattr(dir, next, [name]);
    if (r >= 0 && c.walk.stop !== 0) r = -c.walk.ecode;
    if (dir !== 0) c.clunk(dir);
    dir = next;
  }
  return [depth, r];
}

Deno.test("a path is as long as its limit and no longer", async () => {
  await inTree({}, true, (c) => {
    const [depth, r] = dig(c, "n".repeat(250));
    assertEquals(r, -ENAMETOOLONG);
    // the last one exists, but cannot be entered
    assertEquals(depth, Math.floor(PATH_BYTES_MAX / 251) + 1);
  });
});

Deno.test("clients that find no descriptor left are sent away, and the others served", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  const path = `${dir}/socket`;
  const command =
    `ulimit -n 60; exec "$0" run -A --no-check "$1" --listen unix:${path} --root ${dir}`;
  const child = new Deno.Command("sh", {
    args: ["-c", command, Deno.execPath(), MAIN],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  lines.push((await reader.read()).value ?? "");
  const connections: Deno.UnixConn[] = [];
  try {
    let isRefused = false;
    for (let i = 0; i < 80 && !isRefused; i++) {
      const c = await Deno.connect({ transport: "unix", path });
      connections.push(c);
      // a whole frame whose answer is an error
      const sent = await c.write(new Uint8Array([7, 0, 0, 0, 120, 1, 0])).catch(() => 0);
      const buffer = new Uint8Array(100);
      const got = sent === 0 ? null : await c.read(buffer).catch(() => null);
      isRefused = got === null;
    }
    assert(isRefused && connections.length > 10, `${connections.length} connections`);
    const [first] = connections;
    await first?.write(new Uint8Array([7, 0, 0, 0, 120, 1, 0]));
    assertEquals(await first?.read(new Uint8Array(100)), 11);
    lines.push((await reader.read()).value ?? "");
    assertStringIncludes(lines.join(""), "no descriptor left");
  } finally {
    for (const c of connections) c.close();
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    await reader.cancel();
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("a client that never reads its replies delays no other", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  const path = `${dir}/socket`;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", MAIN, "--listen", `unix:${path}`, "--root", dir],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  const connections: Deno.UnixConn[] = [];
  try {
    await reader.read();
    const frame = [7, 0, 0, 0, 120, 1, 0];
    const many = new Uint8Array(Array.from({ length: 10_000 }, () => frame).flat());
    const deaf = await Deno.connect({ transport: "unix", path });
    connections.push(deaf);
    // The answer to each frame is larger than it: the server stops reading while the client does
    // not read.
    let isFull = false, sent = 0;
    const flood = (async () => {
      for (; sent < 200; sent++) await deaf.write(many);
    })().catch(() => {});
    for (let last = -1; !isFull; last = sent) {
      await new Promise((resolve) => setTimeout(resolve, 300));
      isFull = sent > 0 && sent === last;
    }
    assert(sent < 200, "the server keeps all replies");
    const polite = await Deno.connect({ transport: "unix", path });
    connections.push(polite);
    for (let i = 0; i < 100; i++) {
      await polite.write(new Uint8Array(frame));
      assertEquals(await polite.read(new Uint8Array(100)), 11);
    }
    deaf.close();
    connections.shift();
    await flood;
  } finally {
    for (const c of connections) c.close();
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    await reader.cancel();
    Deno.removeSync(dir, { recursive: true });
  }
});
