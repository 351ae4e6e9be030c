/**
 * The program as a process: its command line, its confinement, its two ways to serve, and its
 * exits.
 */

import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { AF_UNIX, SOCK_CLOEXEC, SOCK_STREAM, SockaddrUn } from "../ffi/abi/socket.ts";
import {
  SYS_connect,
  SYS_dup2,
  SYS_kill,
  SYS_socket,
  SYS_wait4,
} from "../ffi/abi/syscall_numbers.ts";
import { scratch } from "../ffi/sys/cstring.ts";
import { close } from "../ffi/sys/files.ts";
import { syscall } from "../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../ffi/sys/spawn.ts";
import { GoferClient, NOFID } from "./client/gofer_client.ts";
import { parseCommandLine, UsageError } from "./command_line.ts";
import { VERSION } from "./main.ts";
import { listenOn, parseListenAddress } from "./server/listen.ts";
import { socketPair } from "./server/testing.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
const ARGS = ["run", "-A", "--no-check", MAIN];
const isRoot = Deno.uid() === 0;

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const command = new Deno.Command(Deno.execPath(), { args: [...ARGS, ...args], stdin: "null" });
  const { code, stdout, stderr } = await command.output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

Deno.test("the version is the project's", async () => {
  const config = JSON.parse(Deno.readTextFileSync(new URL("../deno.json", import.meta.url)));
  assertEquals(VERSION, config.version);
  const r = await run("--version");
  assertEquals([r.code, r.out], [0, `dvisor-gofer ${VERSION}\n`]);
});

Deno.test("command lines are read, and refused with the reason", () => {
  const c = parseCommandLine(["serve", "--fd", "5", "--root", "/a:ro", "--root", "/b", "--squash"]);
  assertEquals([c.kind, c.fd, c.policy.squash, c.policy.devices], ["serve", 5, true, false]);
  assertEquals(c.roots, [
    {
      path: "/a",
      isReadOnly: true,
      isFlat: false,
      connects: false,
      binds: false,
      follows: false,
      copy: -1,
      isPublic: false,
      hidden: [],
      shown: [],
    },
    {
      path: "/b",
      isReadOnly: false,
      isFlat: false,
      connects: false,
      binds: false,
      follows: false,
      copy: -1,
      isPublic: false,
      hidden: [],
      shown: [],
    },
  ]);
  const odd = parseCommandLine(["serve", "--fd=3", "--root=/a:rw:flat", "--root=/b:flat"]).roots;
  assertEquals(odd.map((root) => [root.path, root.isFlat]), [["/a", true], ["/b:flat", false]]);
  const handed = parseCommandLine(["serve", "--fd=3", "--root=/a:ro:uds:fd=12", "--root=/b:fd=4"]);
  assertEquals(handed.roots.map((root) => [root.path, root.connects, root.copy]), [
    ["/a", true, 12],
    ["/b:fd=4", false, -1],
  ]);
  const part = parseCommandLine([
    "serve",
    "--fd=3",
    "--root=/:ro:public:fd=4",
    "--root=/b",
    ...["--hide=/root", "--hide=/h\u00e4", "--show=/root/x"],
  ]).roots;
  assertEquals(part.map((root) => [root.isPublic, root.hidden, root.shown]), [
    [true, ["/root", "/h\u00c3\u00a4"], ["/root/x"]],
    [false, [], []],
  ]);
  assertEquals(parseCommandLine(["--listen", "unix:/s", "--root", "/"]).kind, "listen");
  const bad: [string[], string][] = [
    [[], "--root"],
    [["serve", "--root", "/"], "--fd"],
    [["serve", "--fd", "x", "--root", "/"], "--fd"],
    [["serve", "--fd", "3", "--root", ":ro"], "names no directory"],
    [["serve", "--fd", "3", "--root", "/:rw:public"], "must be :ro"],
    [["serve", "--fd", "3", "--root", "/", "--show", "/etc"], "must be :ro"],
    [["sevre", "--fd", "3", "--root", "/"], '"sevre"'],
    [["--listen", "unix:/s", "--root", "/", "--frob"], "--frob"],
    [["--listen", "here", "--root", "/"], "unix:PATH"],
    [["--listen", "unix:/s", "--root", "/", "--msize", "1"], "--msize"],
    [["--root", "/"], "--listen"],
    [["--listen", "unix:/s", "--root", "/", "--squash=no"], "--squash takes no value"],
    [["serve", "--fd", "3", "--root", "/", "--fd=4"], "--fd is given twice"],
  ];
  for (const [args, part] of bad) {
    try {
      parseCommandLine(args);
      assert(false, `${args} was taken`);
    } catch (e) {
      assert(e instanceof UsageError, String(e));
      assertStringIncludes(e.message, part);
    }
  }
});

Deno.test("addresses to listen on", () => {
  assertEquals(parseListenAddress("tcp:localhost:564"), {
    kind: "tcp",
    host: [127, 0, 0, 1],
    port: 564,
  });
  for (
    const text of ["unix:", "unix:" + "x".repeat(108), "tcp:1.2.3:4", "tcp:h:1", "tcp:1.2.3.4:0"]
  ) {
    try {
      parseListenAddress(text);
      assert(false, `${text} was taken`);
    } catch (e) {
      assert(e instanceof Error);
      assertStringIncludes(e.message, text);
    }
  }
});

Deno.test("errors of the host end with one clear line", async () => {
  const missing = await run("--listen", "unix:/tmp/x", "--root", "/does/not/exist");
  assertEquals(missing.code, 1);
  assertEquals(missing.err, "dvisor-gofer: root /does/not/exist cannot be opened: ENOENT\n");
  const noSocket = await run("serve", "--fd", "0", "--root", "/");
  assertEquals(noSocket.code, 1);
  assertMatch(noSocket.err, /^dvisor-gofer: --fd 0 is no connected socket: E\w+\n$/);
  assertEquals((await run("--wrong")).code, 2);
});

Deno.test("a confined process can start nothing, connect nowhere and see no file", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  const here = (path: string) => new URL(path, import.meta.url).href;
  Deno.writeTextFileSync(
    `${dir}/confined.ts`,
    `import { confine } from ${JSON.stringify(here("./server/confine.ts"))};
    import { Service } from ${JSON.stringify(here("./server/service.ts"))};
    import { openRoot } from ${JSON.stringify(here("./backend/export_root.ts"))};
    import { syscall } from ${JSON.stringify(here("../ffi/sys/native.ts"))};
    import { scratch } from ${JSON.stringify(here("../ffi/sys/cstring.ts"))};
    const service = new Service({ roots: [openRoot(${JSON.stringify(dir)}, true)] });
    const { problems, replaced } = confine(service, { fds: [] });
    const results = [57, 41, 101, 165, 161, 62, 321].map((nr) => syscall(nr, 0, 0, 0, 0));
    const at = scratch.area(1);
    const stat = (path) => Math.min(syscall(332, -100, scratch.cstr(path), 0x900, 0x7ff, at), 0);
    results.push(...["/etc/passwd", "/proc/self/status", "/"].map(stat));
    for (const open of [Deno.openSync, Deno.readTextFileSync, Deno.readDirSync]) {
      try { open("/"); results.push(0); } catch { results.push(-1); }
    }
    console.error(JSON.stringify({ problems, replaced, results }));
    syscall(231, 0);`,
  );
  const command = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-A",
      "--no-check",
      "--config",
      new URL("../deno.json", import.meta.url).pathname,
      `${dir}/confined.ts`,
    ],
    stdin: "null",
  });
  const { stderr } = await command.output();
  Deno.removeSync(dir, { recursive: true });
  const { problems, replaced, results } = JSON.parse(new TextDecoder().decode(stderr));
  assertEquals(results.slice(0, 7), new Array(7).fill(-1), "fork to bpf are EPERM");
  assertEquals(results.slice(10), [-1, -1, -1], "nothing opens but by /proc/self/fd");
  if (!isRoot) return;
  assertEquals([problems, replaced], [[], []]);
  assertEquals(results.slice(7, 10), [-2, -2, 0], "an empty root");
});

function connect(path: string): number {
  const fd = syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const at = scratch.areaOffset(0);
  const bytes = new TextEncoder().encode(path);
  scratch.dv.setUint16(at + SockaddrUn.at.family, AF_UNIX, true);
  scratch.u8.set(bytes, at + 2);
  scratch.u8[at + 2 + bytes.length] = 0;
  const r = syscall(SYS_connect, fd, scratch.area(0), 3 + bytes.length);
  if (r < 0) close(fd);
  return r < 0 ? r : fd;
}

function field(status: string, name: string): string {
  return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
}

/** CHOWN, DAC_OVERRIDE, DAC_READ_SEARCH, FOWNER, FSETID, MKNOD, SETFCAP. */
const KEPT = 0x8800001f;

/** What a running Gofer shows to other processes. */
function checkConfinement(pid: number): void {
  for (const task of Deno.readDirSync(`/proc/${pid}/task`)) {
    const status = Deno.readTextFileSync(`/proc/${pid}/task/${task.name}/status`);
    assertEquals(field(status, "Seccomp"), "2", `thread ${task.name}`);
    assertEquals(field(status, "NoNewPrivs"), "1", `thread ${task.name}`);
    for (const set of isRoot ? ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] : []) {
      const kept = /Prm|Eff|Bnd/.test(set) ? KEPT : 0;
      const found = parseInt(field(status, set), 16);
      assertEquals(found & ~kept, 0, `${set} of thread ${task.name}`);
    }
  }
  if (!isRoot) return;
  assertEquals([...Deno.readDirSync(`/proc/${pid}/root`)].length, 0, "an empty root");
  for (const e of Deno.readDirSync(`/proc/${pid}/fd`)) {
    const target = Deno.readLinkSync(`/proc/${pid}/fd/${e.name}`);
    assert(!target.includes("cache"), `fd ${e.name} is ${target}`);
  }
}

Deno.test("stand-alone: several clients, confined, and no socket left behind", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  Deno.mkdirSync(`${dir}/root/sub`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/root/file`, "hello");
  const path = `${dir}/socket`;
  const listen = ["--listen", `unix:${path}`, "--root", `${dir}/root`];
  const child = new Deno.Command(Deno.execPath(), {
    args: [...ARGS, ...listen],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  try {
    const reader = child.stderr.getReader();
    const line = new TextDecoder().decode((await reader.read()).value);
    assertMatch(line, /^dvisor-gofer: (serving|running with less)/);
    reader.releaseLock();
    const clients = [true, false, true].map((offersExtension) => {
      const c = new GoferClient(connect(path), { offersExtension });
      assertEquals(c.start(), 0);
      assertEquals(c.attach(0, "0"), 0);
      return c;
    });
    checkConfinement(child.pid);
    for (const [i, c] of clients.entries()) {
      const fid = c.fids.take();
      assertEquals(c.walkGetattr(0, fid, ["file"]), 1);
      const fd = c.openFd(fid, 0);
      assertEquals(fd >= 0, c.canDonate);
      if (fd >= 0) close(fd);
      assertEquals(c.mkdir(0, NOFID, `made${i}`, 0o777, Deno.uid() ?? 0, Deno.gid() ?? 0), 0);
      assertEquals((Deno.statSync(`${dir}/root/made${i}`).mode ?? 0) & 0o777, 0o777);
      const x = c.setxattr(fid, "user.test", new Uint8Array([i]), 0);
      assert(x === 0 || x === -95, `setxattr: ${x}`);
      if (x === 0) assertEquals(c.getxattr(fid, "user.test"), new Uint8Array([i]));
      assertEquals(c.readdir(0, 0, 0, 4000) > 0, true);
    }
    clients[1]?.close();
    assertEquals(clients[0]?.getattr(0), 0);
    const again = await run(...listen);
    assertEquals([again.code, again.err.includes("EADDRINUSE")], [1, true]);
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
    assertEquals(clients[0]?.getattr(0), -5);
    for (const c of clients) c.close();
    assertEquals(connect(path), -2, "the socket's name is gone");
  } finally {
    await child.stderr.cancel();
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("a file in the way of a socket's name is not removed", () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  try {
    Deno.writeTextFileSync(`${dir}/file`, "text");
    Deno.symlinkSync("file", `${dir}/link`);
    for (const name of ["file", "link"]) {
      const path = `${dir}/${name}`;
      assertThrows(() => listenOn({ kind: "unix", path }, path), Error, "EADDRINUSE");
    }
    assertEquals(Deno.readTextFileSync(`${dir}/link`), "text");
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("the name of a socket without a listener is taken over", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  const path = `${dir}/socket`;
  close(listenOn({ kind: "unix", path }, path)); // the name stays, as after a kill
  assert(Deno.lstatSync(path).isSocket);
  const child = new Deno.Command(Deno.execPath(), {
    args: [...ARGS, "--listen", `unix:${path}`, "--root", dir],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  await reader.read();
  reader.releaseLock();
  const fd = connect(path);
  if (fd >= 0) close(fd);
  child.kill("SIGINT");
  const { code } = await child.status;
  await child.stderr.cancel();
  Deno.removeSync(dir, { recursive: true });
  assert(fd >= 0, `connect: ${fd}`);
  assertEquals(code, 0);
});

/** Starts `serve` with a socket at fd 3, as the sandbox's launcher does. */
function startServing(root: string): { client: GoferClient; pid: number } {
  const [ours, theirs] = socketPair();
  const argv = ["deno", ...ARGS, "serve", "--fd", "3", "--root", root];
  const env = Object.entries(Deno.env.toObject()).map(([k, v]) => `${k}=${v}`);
  const script = new SpawnScript().call(SYS_dup2, theirs, 3).exec(Deno.execPath(), argv, env);
  const { pid, pidfd } = spawn(script);
  close(pidfd);
  close(theirs);
  return { client: new GoferClient(ours), pid };
}

function reap(pid: number): number {
  const at = scratch.areaOffset(0);
  assertEquals(syscall(SYS_wait4, pid, scratch.area(0), 0, 0), pid);
  return scratch.dv.getInt32(at, true);
}

Deno.test("serve: one client on an inherited socket, and the end at its end", () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  Deno.writeTextFileSync(`${dir}/file`, "hello");
  const { client, pid } = startServing(`${dir}:ro`);
  try {
    assertEquals(client.start(), 0);
    assert(client.canDonate);
    assertEquals(client.attach(0, "0"), 0);
    checkConfinement(pid);
    assertEquals(client.walkGetattr(0, NOFID, ["file"], 0, 0), 1);
    const fd = client.takeFd();
    assert(fd >= 0);
    close(fd);
    assertEquals(client.unlink(0, "file", 0), -30);
  } finally {
    client.close();
    assertEquals(reap(pid), 0, "it ends by itself, without an error");
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("a killed Gofer is EIO and a dead client", () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  const { client, pid } = startServing(dir);
  try {
    assertEquals(client.start(), 0);
    assertEquals(client.attach(0, "0"), 0);
    syscall(SYS_kill, pid, 9);
    reap(pid);
    assertEquals(client.getattr(0), -5);
    assert(client.dead);
    assertEquals(client.walkGetattr(0, NOFID, ["x"]), -5);
  } finally {
    client.close();
    Deno.removeSync(dir, { recursive: true });
  }
});
