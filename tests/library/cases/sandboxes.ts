/** Cases about sandboxes as a whole: their making, owners, ends, ports, events. */

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import type * as Module from "../../../mod.ts";
import {
  AREA,
  bytesOf,
  type Case,
  failure,
  familyOf,
  inSandbox,
  type SuiteOptions,
  until,
  untilEnded,
  withDirectory,
  withSandbox,
} from "../support.ts";

type ErrorClass = new (message: string) => Module.SandboxError;
type SandboxOptions = Module.SandboxOptions;

interface Made {
  readonly id: string;
  readonly pid: number;
}

/** Names of this run's sandboxes begin so. */
const OWN = `dvisor-suite-${process.pid}`;

/** A script that runs elsewhere. */
interface Script {
  readonly child: ChildProcess;
  /** The first line that it prints. */
  readonly first: Promise<string>;
  /** All that it prints, and its code, after its end. */
  readonly end: Promise<{ readonly text: string; readonly code: number | null }>;
}

/** Runs script.ts in another process, in another folder. */
function startScript(options: SuiteOptions, create: object, how: string): Script {
  const [program = "", ...args] = options.command;
  const all = [...args, options.script, options.library, JSON.stringify(create), how];
  const child = spawn(program, all, { cwd: tmpdir(), stdio: ["ignore", "pipe", "pipe"] });
  let text = "", errors = "", found: (line: string) => void = () => {};
  const first = new Promise<string>((resolve) => found = resolve);
  child.stdout.on("data", (bytes: Uint8Array) => {
    text += new TextDecoder().decode(bytes);
    if (text.includes("\n")) found(text.slice(0, text.indexOf("\n")));
  });
  child.stderr.on("data", (bytes: Uint8Array) => errors += new TextDecoder().decode(bytes));
  const end = new Promise<{ text: string; code: number | null }>((resolve) => {
    child.once("close", (code) => {
      found(`the script ended with code ${code}: ${errors}`);
      resolve({ text, code });
    });
  });
  return { child, first, end };
}

/** A script makes a sandbox and then ends in some way: nothing of it is left. */
function leavesNothing(how: string, end: (child: ChildProcess) => void): Case {
  return {
    name: `owners: a script that ends by ${how} leaves nothing`,
    async run(library, options) {
      const script = startScript(options, options.create, how.startsWith("SIG") ? "wait" : how);
      const { id, pid }: Made = JSON.parse(await script.first);
      const family = [...await familyOf(pid), ...await familyOf(script.child.pid ?? 0)];
      end(script.child);
      await script.end;
      await untilEnded(family);
      const running = await library.Sandbox.list();
      assert(!running.some((info) => info.id === id));
      await failure(library.NotFoundError, library.Sandbox.connect(id));
    },
  };
}

export const sandboxCases: readonly Case[] = [
  leavesNothing("SIGKILL", (child) => child.kill("SIGKILL")),
  leavesNothing("SIGINT", (child) => child.kill("SIGINT")),
  leavesNothing("exit", () => {}),
  leavesNothing("throw", () => {}),
  leavesNothing("end", () => {}),
  leavesNothing("dispose", () => {}),

  {
    name: "owners: a script that has nothing to do ends by itself",
    async run(_, options) {
      const script = startScript(options, options.create, "end");
      const { text, code } = await script.end;
      assert.deepEqual(
        [text.trim().split("\n").at(-1), code],
        ["the last line", 0],
        await script.first,
      );
    },
  },

  {
    name: "attach: keys reach the program, and the script's terminal is as before",
    needs: ["script", "stty"],
    async run(_, options) {
      const args = [options.script, options.library, JSON.stringify(options.create), "attach"];
      const words = [...options.command, ...args].map((word) => `'${word}'`).join(" ");
      const command = `stty rows 31 cols 101; ${words}; stty -a`;
      const child = spawn("script", ["-qec", command, "/dev/null"], { cwd: tmpdir() });
      const decoder = new TextDecoder();
      let text = "";
      child.stdout.on("data", (bytes: Uint8Array) => text += decoder.decode(bytes));
      const ended = new Promise((resolve) => child.once("close", resolve));
      await until("the program is ready", () => Promise.resolve(text.includes("ready")));
      // A terminal that is not raw would make a line's end of a return, and a signal of ^C.
      child.stdin.write("word\r");
      await until("the program has the word", () => Promise.resolve(text.includes("got word")));
      child.stdin.write("\x03");
      await ended;
      assert(text.includes('{"code":null,"signal":"SIGINT"}'), text);
      assert(/ icanon /.test(text) && / echo /.test(text), text);
      assert(text.includes("31 101"), text);
    },
  },

  {
    name: "owners: a persistent sandbox goes on without its script, until it is killed",
    async run(library, options) {
      const create = { ...options.create, persistent: true };
      const script = startScript(options, create, "exit");
      const { id, pid }: Made = JSON.parse(await script.first);
      await script.end;
      const family = await familyOf(pid);
      try {
        const box = await library.Sandbox.connect(id);
        assert.equal(box.info.persistent, true);
        assert.equal((await box.exec(["echo", "still"])).text, "still\n");
        await box.close();
        const again = await library.Sandbox.connect(id);
        await again.kill();
      } catch (error) {
        process.kill(pid);
        throw error;
      }
      await untilEnded(family);
      await failure(library.NotFoundError, library.Sandbox.connect(id));
    },
  },

  inSandbox("owners: other processes list a sandbox and connect to it", async (box, _, options) => {
    const listed = startScript(options, { labels: { suite: box.id } }, "list");
    const infos = JSON.parse(await listed.first);
    assert.deepEqual(infos.map((info: Made) => info.id), [box.id], JSON.stringify(infos));
    const other = startScript(options, {}, `exec ${box.id}`);
    assert.equal(await other.first, '"from another process\\n"');
    await other.end;
    assert.equal((await box.exec(["echo", "and here"])).text, "and here\n");
  }, {
    create: { id: `${OWN}-listed`, labels: { suite: `${OWN}-listed`, more: "x" } },
  }),

  {
    name: "list: labels select, and an end removes",
    async run(library, { create }) {
      const { Sandbox } = library, tag = `t${Math.random()}`;
      const ids = async (labels: Record<string, string>) =>
        (await Sandbox.list({ labels })).map(({ id }) => id).sort();
      await withSandbox(
        library,
        { ...create, labels: { tag, kind: "a" } },
        (a) =>
          withSandbox(library, { ...create, labels: { tag, kind: "b" } }, async (b) => {
            assert.deepEqual(await ids({ tag }), [a.id, b.id].sort());
            assert.deepEqual(await ids({ tag, kind: "b" }), [b.id]);
            assert.deepEqual(await ids({ tag, kind: "c" }), []);
            const other = await Sandbox.connect(b.id);
            await b.kill();
            await failure(library.SandboxGoneError, other.exec(["true"]));
            assert.deepEqual(await ids({ tag }), [a.id]);
          }),
      );
    },
  },

  {
    name: "create: an id that is taken, and one that is unknown, are named",
    run: (library, { create }) =>
      withSandbox(library, { ...create, id: `${OWN}-taken` }, async (box) => {
        assert.equal(box.id, `${OWN}-taken`);
        const second = library.Sandbox.create({ ...create, id: `${OWN}-taken` });
        const error = await failure(library.AlreadyExistsError, second);
        assert(error.message.includes(`${OWN}-taken`), error.message);
        const missing = await failure(
          library.NotFoundError,
          library.Sandbox.connect(`${OWN}-none`),
        );
        assert(missing.message.includes(`${OWN}-none`), missing.message);
        await failure(library.InvalidArgumentError, library.Sandbox.connect("../x"));
      }),
  },

  {
    name: "create: a wrong option and a missing executable are named",
    async run({ Sandbox, NotFoundError, InvalidArgumentError }, { create }) {
      const wrong = JSON.parse('{ "memoryBytes": "64M" }');
      const typed = await failure(InvalidArgumentError, Sandbox.create(wrong));
      assert.equal(
        typed.message,
        'memoryBytes must be a whole number of at least 4 MiB, got "64M"',
      );
      const unknown = Sandbox.create(JSON.parse('{ "memory": 1 }'));
      const { message } = await failure(InvalidArgumentError, unknown);
      assert(message.includes("no option memory"), message);
      const binary = Sandbox.create({ ...create, binary: "/no/such/dvisor" });
      assert((await failure(NotFoundError, binary)).message.includes("/no/such/dvisor"));
    },
  },

  {
    name: "create: what cannot be used is an error of its kind, and named",
    async run(library, { create }) {
      const { Sandbox, NotFoundError, NotADirectoryError, InvalidArgumentError } = library;
      const gone = "/no/such/thing", file = "/etc/passwd";
      const cases: [ErrorClass, string, SandboxOptions][] = [
        [NotFoundError, gone, { rootfs: gone }],
        [NotFoundError, gone, { mounts: [{ source: gone, destination: "/mnt" }] }],
        [NotFoundError, gone, { show: [gone] }],
        [NotFoundError, gone, { hide: [gone] }],
        [NotFoundError, "no-such-user", { user: "no-such-user" }],
        [NotADirectoryError, file, { rootfs: file }],
        [NotADirectoryError, "/etc", { mounts: [{ source: file, destination: "/etc" }] }],
        [InvalidArgumentError, "/etc", { show: ["/etc"], hide: ["/etc"] }],
        [InvalidArgumentError, "show", { overlay: "none", rootfs: "/tmp", show: ["/etc"] }],
        [InvalidArgumentError, "hostname", { hostname: "x".repeat(65) }],
        [library.LimitError, "the options have", { env: { A: "x".repeat(300_000) } }],
      ];
      for (const [wanted, name, options] of cases) {
        const error = await failure(wanted, Sandbox.create({ ...create, ...options }));
        assert(error.message.includes(name), error.message);
      }
      const { path, errno } = await failure(
        NotFoundError,
        Sandbox.create({ ...create, rootfs: gone }),
      );
      assert.deepEqual([path, errno], [gone, "ENOENT"]);
    },
  },

  {
    name: "create: a directory that the user may not enter is an error of permissions",
    isForUsers: true,
    run: (library, { create }) =>
      withDirectory(async (directory) => {
        const source = join(directory, "closed/data");
        await mkdir(source, { recursive: true });
        await chmod(join(directory, "closed"), 0);
        const mounts = [{ source, destination: "/mnt" }];
        const made = library.Sandbox.create({ ...create, mounts });
        const error = await failure(library.PermissionError, made);
        assert(error.message.includes(source), error.message);
        await chmod(join(directory, "closed"), 0o700);
      }),
  },

  {
    name: "kill: open requests fail, processes end, and it may be called again",
    async run(library, { create }) {
      const box = await library.Sandbox.create(create), family = await familyOf(box.info.pid);
      const program = await box.spawn(["sleep", "1021"]);
      const open = [
        box.exec(["sleep", "1021"]),
        program.status,
        box.events().next(),
        program.stdout.getReader().read(),
      ].map((work) => failure(library.SandboxGoneError, work));
      await box.kill();
      await Promise.all(open);
      await box.kill();
      await failure(library.SandboxGoneError, box.exec(["true"]));
      await untilEnded(family);
    },
  },

  {
    name: "create: an own root, and directories of the host",
    needs: ["busybox"],
    run: (library, { create }) =>
      withDirectory(async (directory) => {
        const root = join(directory, "root"), data = join(directory, "data");
        await mkdir(join(root, "bin"), { recursive: true });
        await mkdir(data);
        await writeFile(join(data, "in"), "from the host");
        const mounts = [
          { source: data, destination: "/rw" },
          { source: data, destination: "/ro", readonly: true },
        ];
        await withSandbox(library, { ...create, mounts }, async (box) => {
          const script = "cat /rw/in; echo out > /rw/out; echo x > /ro/x";
          const { text, errorText } = await box.exec(["sh", "-c", script]);
          assert.equal(text, "from the host");
          assert(errorText.includes("Read-only file system"), errorText);
          assert.equal(await readFile(join(data, "out"), "utf8"), "out\n");
        });
        await withSandbox(library, { ...create, rootfs: root }, async (box) => {
          const busybox = await findOnHost("busybox");
          await box.fs.upload(busybox, "/bin/busybox");
          const { text } = await box.exec(["/bin/busybox", "ls", "/bin"]);
          assert.equal(text, "busybox\n");
        });
      }),
  },

  inSandbox("pause: a paused sandbox does nothing, and goes on", async (box) => {
    const program = await box.spawn(["sh", "-c", "while read -r x; do echo $x; done"]);
    const writer = program.stdin.getWriter(), reader = program.stdout.getReader();
    await box.pause();
    await writer.write(new Uint8Array([120, 10]));
    await new Promise((done) => setTimeout(done, 200));
    const { cpuMs } = await box.stats();
    await new Promise((done) => setTimeout(done, 200));
    assert.equal((await box.stats()).cpuMs, cpuMs);
    await box.resume();
    assert.equal(new TextDecoder().decode((await reader.read()).value), "x\n");
    program.kill();
  }),

  inSandbox("stats: what runs is counted", async (box) => {
    const program = await box.spawn(["sleep", "1022"]);
    const stats = await box.stats();
    assert(
      stats.processes >= 1 && stats.threads >= 1 && stats.programs >= 1,
      JSON.stringify(stats),
    );
    assert(stats.memoryBytes > 0 && stats.uptimeMs >= 0 && stats.cpuMs >= 0);
    const before = stats.diskBytes;
    await box.fs.writeFile(`${AREA}/big`, new Uint8Array(1 << 20));
    assert((await box.stats()).diskBytes >= before + (1 << 20));
    program.kill();
  }),

  inSandbox("events: starts and ends of programs", async (box) => {
    const events = box.events();
    await box.exec(["sh", "-c", "exit 4"]);
    await box.exec(["sleep", "1023"], { timeoutMs: 100 });
    const seen: unknown[] = [];
    for await (const event of events) {
      if (event.kind === "start") seen.push(["start", event.argv[0]]);
      if (event.kind === "end") seen.push(["end", event.code, event.signal, event.reason]);
      if (seen.length === 4) break;
    }
    assert.deepEqual(seen, [
      ["start", "sh"],
      ["end", 4, null, "exit"],
      ["start", "sleep"],
      ["end", null, "SIGKILL", "timeout"],
    ]);
  }),

  inSandbox("ports: a server without a network is reached from the host", async (box) => {
    const server = await box.spawn(["python3", "-c", ECHO_SERVER]);
    const exposed = await box.ports.expose(8080);
    assert.equal(exposed.url, `http://127.0.0.1:${exposed.port}`);
    await until("the server listens", async () => {
      return await exchange(exposed.port, "x").catch(() => "") === "x";
    });
    const texts = ["a", "", "ü".repeat(500_000)];
    const echoed = await Promise.all(texts.map((text) => exchange(exposed.port, text)));
    assert.deepEqual(echoed, texts);
    await exposed.close();
    await assert.rejects(exchange(exposed.port, "x"));
    server.kill();
  }, { needs: ["python3"], create: { network: "none" } }),

  inSandbox("ports: a port that is exposed with a wait is served", async (box) => {
    for (const [address, port] of [["127.0.0.1", 8081], ["::1", 8082]] as const) {
      const argv = ["python3", "-c", LATE_SERVER, address, String(port)];
      const server = await box.spawn(argv);
      const waiting = box.ports.expose(port, { waitMs: 60_000 });
      await server.stdin.getWriter().write(bytesOf("listen\n"));
      const exposed = await waiting;
      assert.equal(await exchange(exposed.port, ""), "served\n");
      const again = await box.ports.expose(port, { waitMs: 0 });
      assert.equal(await exchange(again.port, ""), "served\n");
      await Promise.all([exposed.close(), again.close()]);
      server.kill();
    }
  }, { needs: ["python3"] }),

  inSandbox("ports: a wait for a program that does not listen ends", async (box, library) => {
    const expose = box.ports.expose(8083, { waitMs: 50 });
    const { message, code } = await failure(library.TimeoutError, expose);
    assert.equal(code, "Timeout");
    assert(message.includes("8083") && message.includes("50 ms"), message);
    await failure(library.InvalidArgumentError, box.ports.expose(8083, { waitMs: -1 }));
  }),
];

const ECHO_SERVER = `
import socketserver
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        while data := self.request.recv(65536):
            self.request.sendall(data)
class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
Server(("127.0.0.1", 8080), Echo).serve_forever()
`;

/** It listens when a line comes, and answers each connection. */
const LATE_SERVER = `
import socket, sys
input()
address, port = sys.argv[1], int(sys.argv[2])
family = socket.AF_INET6 if ":" in address else socket.AF_INET
server = socket.create_server((address, port), family=family)
while True:
    connection = server.accept()[0]
    try:
        connection.sendall(b"served\\n")
    except OSError:
        pass
    connection.close()
`;

/** Sends a text to a port of the host's loopback, and gives what comes until the end. */
function exchange(port: number, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: "127.0.0.1" }), decoder = new TextDecoder();
    let answer = "";
    socket.on("data", (bytes: Uint8Array) => answer += decoder.decode(bytes, { stream: true }));
    socket.once("error", reject);
    socket.once("close", () => resolve(answer));
    socket.end(text);
  });
}

async function findOnHost(program: string): Promise<string> {
  for (const directory of (process.env["PATH"] ?? "").split(":")) {
    const path = join(directory, program);
    const isThere = await readFile(path).then(() => true, () => false);
    if (isThere) return path;
  }
  assert.fail(`no ${program}`);
}
