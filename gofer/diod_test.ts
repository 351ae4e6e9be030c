/**
 * Interoperation with foreign 9P2000.L programs, if installed (Debian's package diod): our client
 * with the server diod, and the clients diodls and diodcat with our server.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { O_CREAT, O_DIRECTORY, O_RDWR } from "../ffi/abi/fcntl.ts";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, SockaddrUn } from "../ffi/abi/socket.ts";
import { SYS_connect, SYS_socket } from "../ffi/abi/syscall_numbers.ts";
import { scratch } from "../ffi/sys/cstring.ts";
import { close } from "../ffi/sys/files.ts";
import { syscall } from "../ffi/sys/native.ts";
import { ClientExerciser } from "./client/exerciser_testing.ts";
import { GoferClient, NOFID, STOP_SYMLINK, Tsetattr } from "./client/gofer_client.ts";
import { randomFrom } from "./server/requests_testing.ts";
import { SETATTR_MODE, UNLINK_REMOVEDIR } from "./protocol/constants.ts";
import { isFull, isRoot, lacks, named } from "../tests/harness/machine.ts";

/** Each of 1000 calls. */
const SEEDS = isFull ? 5 : 1;
const SBIN = "/usr/sbin";

const lacking = !isRoot ? "needs root" : lacks(["diod"]);

/** Connects to a UNIX socket as soon as a server listens there. */
async function connectWhenUp(path: string): Promise<number> {
  for (let i = 0; i < 200; i++) {
    const fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const at = scratch.areaOffset(0);
    const bytes = new TextEncoder().encode(path + "\0");
    scratch.dv.setUint16(at + SockaddrUn.at.family, AF_UNIX, true);
    scratch.u8.set(bytes, at + SockaddrUn.at.path);
    if (syscall(SYS_connect, fd, scratch.area(0), 2 + bytes.length) >= 0) return fd;
    close(fd);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`there is no listener on ${path}`);
}

async function inTree(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  try {
    Deno.mkdirSync(`${dir}/root/a/b`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/root/a/b/file`, "content\n");
    Deno.symlinkSync("b/file", `${dir}/root/a/link`);
    await body(dir);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

function exercise(c: GoferClient): void {
  assertEquals(c.walkGetattr(0, NOFID, ["a", "b", "file"]), 3);
  assertEquals(c.walk.at(2).size, 8);
  assertEquals(c.walkGetattr(0, NOFID, ["a", "link", "x"]), 2);
  assertEquals([c.walk.stop, c.walk.target.toByteString()], [STOP_SYMLINK, "b/file"]);
  assertEquals(c.mkdir(0, NOFID, "made", 0o750, 0, 0), 0);
  assertEquals(c.rename(0, "made", 0, "moved"), 0);
  assertEquals(c.unlink(0, "moved", 0), -21);
  assertEquals(c.unlink(0, "moved", UNLINK_REMOVEDIR), 0);
  assertEquals(c.symlink(0, NOFID, "s", "target", 0, 0), 0);
  assertEquals(c.unlink(0, "s", 0), 0);
  const file = c.fids.take();
  assertEquals(c.create(0, file, "new", O_RDWR | O_CREAT, 0o640, 0, 0), 0);
  assertEquals(c.write(file, 0, new TextEncoder().encode("hello"), 0, 5), 5);
  assertEquals(c.read(file, 1, 10), 4);
  assertEquals(c.data.toByteString(), "ello");
  assertEquals(c.fsync(file, false), 0);
  const change = Object.assign(new Tsetattr(), { fid: file, valid: SETATTR_MODE, mode: 0o600 });
  assertEquals(c.setattr(change), 0);
  const dir = c.fids.take();
  assertEquals(c.walkGetattr(0, dir, []), 1);
  assertEquals(c.lopen(dir, O_DIRECTORY), 0);
  assert(c.readdir(dir, 0, 0, 4000) > 0);
  const names: string[] = [];
  while (c.entries.next()) names.push(c.entries.name.toByteString());
  assertEquals(names.sort(), [".", "..", "a", "new"]);
  assertEquals(c.statfs(0), 0);
}

/** Runs `body` with a client of a diod that serves `root`, attached as fid 0. */
async function withDiod(
  dir: string,
  root: string,
  body: (c: GoferClient) => void,
): Promise<void> {
  const path = `${dir}/socket`;
  const diod = new Deno.Command(`${SBIN}/diod`, {
    args: ["-f", "-n", "-l", path, "-e", root, "-L", "/dev/null"],
    cwd: dir, // it may crash when its client closes; its core file is removed with the directory
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  try {
    const c = new GoferClient(await connectWhenUp(path));
    assertEquals(c.start(), 0);
    assertEquals(c.canDonate, false);
    assertEquals(c.attach(0, root, 0), 0);
    body(c);
    c.close();
  } finally {
    try {
      diod.kill("SIGTERM");
    } catch { /* it went with its client */ }
    await diod.status;
  }
}

Deno.test(named("our client works with the server diod", lacking), async () => {
  await inTree((dir) => withDiod(dir, `${dir}/root`, exercise));
});

Deno.test(
  named("random calls of our client at diod give what a model gives", lacking),
  async () => {
    const first = Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 2 ** 31));
    for (let seed = first; seed < first + SEEDS; seed++) {
      await inTree(async (dir) => {
        Deno.mkdirSync(`${dir}/empty`);
        try {
          await withDiod(dir, `${dir}/empty`, (c) => {
            const e = new ClientExerciser(c, randomFrom(seed), { hasXattrs: true });
            e.run(1000);
            assert(e.seen.size === 12);
          });
        } catch (error) {
          throw new Error(`seed ${seed}`, { cause: error });
        } finally {
          await new Deno.Command("rm", { args: ["-rf", `${dir}/empty`] }).output();
        }
      });
    }
  },
);

Deno.test(named("the clients diodls and diodcat work with our server", lacking), async () => {
  await inTree(async (dir) => {
    const path = `${dir}/socket`;
    const main = new URL("./main.ts", import.meta.url).pathname;
    const server = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", main, "--listen", `unix:${path}`, "--root", `${dir}/root`],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    const run = async (name: string, ...args: string[]): Promise<string> => {
      const command = new Deno.Command(`${SBIN}/${name}`, {
        args: ["-s", path, "-a", "/", ...args],
      });
      const { code, stdout, stderr } = await command.output();
      assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
      return new TextDecoder().decode(stdout);
    };
    try {
      close(await connectWhenUp(path));
      assertEquals(await run("diodcat", "a/b/file"), "content\n");
      const listed = await run("diodls", "-l", "a");
      assertStringIncludes(listed, "link");
      assertStringIncludes(listed, "drwx");
    } finally {
      server.kill("SIGTERM");
      assertEquals((await server.status).code, 0);
    }
  });
});
