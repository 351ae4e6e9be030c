/** `--host-uds`: sockets and FIFOs that a container has in common with the host. Not a test. */

import { assert, assertEquals } from "@std/assert";
import { eventually } from "../harness/processes.ts";
import { PYTHON } from "../harness/machine.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const OWN = "an option of dvisor";
const SOON_MS = 10_000;

/** A server that answers two clients in capitals; the first may connect before it listens. */
const SERVER = `
import os, socket, sys, time
s = socket.socket(socket.AF_UNIX)
os.umask(0o27)
s.bind("/s/sock")
print("bound", flush=True)
while not os.path.exists("/s/listen"): time.sleep(0.02)
s.listen(1)
print("listens", flush=True)
for i in range(2):
    c, peer = s.accept()
    data = b""
    while True:
        piece = c.recv(65536)
        if not piece: break
        data += piece
    c.sendall(data.upper())
    c.close()
    print("served", len(data), repr(peer), c.family.name, flush=True)
c = socket.socket(socket.AF_UNIX)
c.connect("/s/sock")
pair = s.accept()[0].getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
print("inside", len(pair), flush=True)
s.close()
try:
    socket.socket(socket.AF_UNIX).connect("/s/sock")
except ConnectionRefusedError:
    print("refused", flush=True)
time.sleep(20)
`;

function addShared(t: Lifecycle): string {
  const dir = t.file("shared");
  Deno.mkdirSync(dir);
  t.config.mounts.push({ destination: "/s", source: dir, options: ["bind"] });
  return dir;
}

function addPython(t: Lifecycle, script: string): void {
  for (const path of ["/usr", "/lib", "/lib64"]) {
    t.config.mounts.push({ destination: path, source: path, options: ["rbind", "ro"] });
  }
  t.config.process["args"] = [PYTHON, "-c", script];
}

/** Sends the bytes and the end, and reads to the end. */
async function ask(connection: Deno.UnixConn, text: string): Promise<string> {
  const bytes = new TextEncoder().encode(text);
  const writing = (async () => {
    for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
    await connection.closeWrite();
  })();
  const answer = await new Response(connection.readable).text();
  await writing;
  return answer;
}

async function refuses(path: string): Promise<boolean> {
  try {
    (await Deno.connect({ transport: "unix", path })).close();
    return false;
  } catch (error) {
    return error instanceof Deno.errors.ConnectionRefused;
  }
}

const SOCKET_CASES: readonly LifecycleCase[] = [
  {
    name: "with --host-uds=create programs of the host connect to a container's socket",
    notRunc: OWN,
    async run(t) {
      t.globals.push("--host-uds=create");
      const path = `${addShared(t)}/sock`;
      addPython(t, SERVER);
      await t.created();
      await t.must("start", t.id);
      await t.until("bound");
      const { isSocket, mode, uid } = Deno.lstatSync(path);
      assertEquals([isSocket, (mode ?? 0) & 0o777, uid], [true, 0o750, 0]);
      const early = await Deno.connect({ transport: "unix", path });
      Deno.writeTextFileSync(t.file("shared/listen"), "");
      await t.until("listens");
      assertEquals(await ask(early, "first"), "FIRST");
      const late = await Deno.connect({ transport: "unix", path });
      const long = "second".repeat(200_000);
      assertEquals(await ask(late, long), long.toUpperCase());
      await t.until("refused");
      assertEquals(
        t.text("out"),
        "bound\nlistens\nserved 5 '' AF_UNIX\nserved 1200000 '' AF_UNIX\ninside 12\nrefused\n",
      );
      assert(await refuses(path));
    },
  },
  {
    name: "without --host-uds=create a socket is known in the sandbox alone",
    notRunc: OWN,
    async run(t) {
      t.globals.push("--host-uds=open");
      const path = `${addShared(t)}/sock`;
      addPython(t, SERVER);
      Deno.writeTextFileSync(t.file("shared/listen"), "");
      await t.created();
      await t.must("start", t.id);
      await t.until("listens");
      assert(await refuses(path));
    },
  },
];

export const UDS_CASES: readonly LifecycleCase[] = [
  ...(PYTHON === null ? [] : SOCKET_CASES),
  {
    name: "FIFOs of the host connect with the host, with --host-uds=open",
    notRunc: OWN,
    async run(t) {
      t.globals.push("--host-uds=open");
      const dir = addShared(t);
      for (const name of ["in", "out"]) {
        new Deno.Command("mkfifo", { args: [`${dir}/${name}`] }).outputSync();
      }
      await t.running(
        "cat /s/in; echo end; echo to-the-host >/s/out; echo written; stat -c %F /s/in; " +
          "dd if=/dev/zero of=/s/out bs=64k count=16 2>/dev/null; echo all",
      );
      const sent = Deno.open(`${dir}/in`, { write: true });
      const file = await sent;
      await file.write(new TextEncoder().encode("from the host\n"));
      file.close();
      await t.until("end\n");
      // An open for writing waits for a reader.
      assertEquals(t.text("out"), "from the host\nend\n");
      assertEquals(await Deno.readTextFile(`${dir}/out`), "to-the-host\n");
      await t.until("fifo");
      assertEquals((await Deno.readFile(`${dir}/out`)).length, 1 << 20);
      await t.until("all");
      assertEquals(await t.reap(), 0);
    },
  },
  {
    name: "FIFOs of the host connect processes of the sandbox, without --host-uds",
    notRunc: OWN,
    async run(t) {
      const dir = addShared(t);
      new Deno.Command("mkfifo", { args: [`${dir}/f`] }).outputSync();
      await t.running("cat /s/f & echo inside >/s/f; wait; echo end; sleep 20");
      await t.until("inside\nend\n");
      const args = ["-c", `exec 3<>${dir}/f; timeout 0.2 head -c 1 <&3`];
      assertEquals((await new Deno.Command("sh", { args }).output()).stdout.length, 0);
    },
  },
  {
    name: "a read-only mount, and a taken name, take no socket",
    notRunc: OWN,
    async run(t) {
      t.globals.push("--host-uds=all");
      const dir = addShared(t);
      t.config.mounts.push({ destination: "/r", source: dir, options: ["bind", "ro"] });
      Deno.symlinkSync("/etc/elsewhere", `${dir}/link`);
      const script = [
        "import socket, errno",
        "def bind(path):",
        "    try: socket.socket(socket.AF_UNIX).bind(path); print('bound')",
        "    except OSError as e: print(errno.errorcode[e.errno])",
        "bind('/r/x'); bind('/s/link'); bind('/s/' + 'n' * 100); bind('/s/x'); bind('/s/x')",
      ];
      if (PYTHON === null) return;
      addPython(t, script.join("\n"));
      await t.created();
      await t.must("start", t.id);
      assertEquals(await t.reap(), 0, t.text("err"));
      assertEquals(t.text("out"), "EROFS\nEADDRINUSE\nbound\nbound\nEADDRINUSE\n");
      assert(await eventually(() => Deno.lstatSync(`${dir}/x`).isSocket ?? false, SOON_MS));
    },
  },
];
