/**
 * Bundles: a process inside sees that config.json holds. runc runs the same containers where it is
 * installed and this user may run it, and has to print the same.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import { lacks, named, noContainers, PYTHON } from "../harness/machine.ts";
import { Bundle, type BundleConfig, RUNC, type RuntimeName, shellConfig } from "./bundle.ts";
import { runtimesOf, withEach } from "./lifecycle.ts";
import { type BundleCase, MOUNT_CASES, PROCESS_CASES } from "./bundle_cases.ts";
import { DEV_CASES } from "./device_cases.ts";
import { MORE_MOUNT_CASES, MORE_PROCESS_CASES, MORE_SECCOMP_CASES } from "./config_member_cases.ts";
import { SECCOMP_CASES } from "./seccomp_cases.ts";

const noRunc = RUNC === null ? "no runc on this machine" : null;
const noPython = PYTHON === null ? "no python3 on this machine" : null;

async function withBundle(fn: (bundle: Bundle) => Promise<void>): Promise<void> {
  const bundle = new Bundle();
  try {
    await fn(bundle);
  } finally {
    bundle.remove();
  }
}

async function check(runtime: RuntimeName, test: BundleCase): Promise<void> {
  await withBundle(async (bundle) => {
    const config = shellConfig(test.script);
    test.prepare?.(config, bundle);
    bundle.write(config);
    const result = await bundle.run(runtime);
    const seen = [result.code, result.stdout];
    assertEquals(seen, [test.code ?? 0, test.prints], describe(result));
    test.after?.(bundle);
  });
}

const CASES = [
  ...[...PROCESS_CASES, ...MOUNT_CASES, ...DEV_CASES, ...SECCOMP_CASES],
  ...[...MORE_PROCESS_CASES, ...MORE_MOUNT_CASES, ...MORE_SECCOMP_CASES],
];

for (const test of CASES) {
  Deno.test({
    ...named(`bundle: ${test.name}`, noContainers),
    fn: () => withEach(runtimesOf(test), (runtime) => check(runtime, test)),
  });
}

/** Changes of config.json that fail, and the message of each. */
const REFUSALS: Record<string, [change: (config: BundleConfig) => void, message: RegExp]> = {
  "a missing source": [
    (c) =>
      c.mounts.push({ destination: "/x", type: "bind", source: "/no/such", options: ["bind"] }),
    /mounts\[4\]\.source.*no such file or directory/,
  ],
  "a file on a directory": [
    (c) =>
      c.mounts.push({
        destination: "/bin",
        type: "bind",
        source: "config.json",
        options: ["bind"],
      }),
    /mounts\[4\].*\/bin.*not a directory/,
  ],
  "an option that a tmpfs does not have": [
    (c) => c.mounts.push({ destination: "/x", type: "tmpfs", source: "t", options: ["odd=1"] }),
    /mounts\[4\].*\/x.*invalid argument/,
  ],
  "an unknown kernel setting": [
    (c) => c.linux.sysctl = { "kernel.odd": "1" },
    /linux\.sysctl.*kernel\.odd.*no such file or directory/,
  ],
  "a kernel setting out of bounds": [
    (c) => c.linux.sysctl = { "net.ipv4.ip_forward": "x" },
    /linux\.sysctl.*ip_forward.*(invalid argument|EINVAL)/,
  ],
  "a missing root": [
    (c) => c.root.path = "nothing",
    /root\.path.*nothing.*no such file or directory/,
  ],
  "a mount in /proc": [
    (c) => c.mounts.push({ destination: "/proc/1", type: "tmpfs", source: "t" }),
    /mounts\[4\]\.destination/,
  ],
  "mount propagation to the host": [
    (c) => {
      const capabilities = ["CAP_SYS_ADMIN"];
      c.process["capabilities"] = { bounding: capabilities, permitted: capabilities };
      const options = ["rbind", "rshared"];
      c.mounts.push({ destination: "/x", type: "bind", source: "/srv", options });
    },
    /mounts\[4\]\.options\[1\].*rshared/,
  ],
};

for (const [name, [change, message]] of Object.entries(REFUSALS)) {
  Deno.test({
    ...named(`bundle: ${name} is an error that names the place`, noContainers),
    fn: () =>
      withBundle(async (bundle) => {
        const config = shellConfig("echo it runs");
        change(config);
        bundle.write(config);
        const result = await bundle.run("dvisor");
        assertEquals(result.stdout, "", describe(result));
        assertEquals(result.code === 0, false, describe(result));
        assertMatch(result.stderr, message);
      }),
  });
}

/** Waits for a file, prints it and ends. */
const AWAIT = (path: string) =>
  `i=0; until [ -e ${path} ] || [ $i = 200 ]; do i=$((i+1)); sleep 0.05; done; cat ${path}`;

for (const runtime of ["dvisor", "runc"] as const) {
  Deno.test({
    ...named(
      `bundle: changes by the host are seen while the container runs (${runtime})`,
      noContainers ?? (runtime === "runc" ? noRunc : null),
    ),
    fn: () =>
      withBundle(async (bundle) => {
        const { dir, root } = bundle;
        Deno.mkdirSync(`${dir}/src`);
        Deno.writeTextFileSync(`${dir}/src/old`, "one\n");
        const config = shellConfig(
          `ls /new; cat /b/old; echo >/b/ready; ${AWAIT("/b/new")}; cat /b/old; ${AWAIT("/new")}`,
        );
        config.mounts.push({
          ...{ destination: "/b", type: "bind", source: `${dir}/src` },
          options: ["rbind"],
        });
        bundle.write(config);
        const running = bundle.run(runtime);
        for (let i = 0; i < 200 && !isThere(`${dir}/src/ready`); i++) {
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
        Deno.writeTextFileSync(`${root}/.part`, "copied\n");
        Deno.renameSync(`${root}/.part`, `${root}/new`);
        Deno.writeTextFileSync(`${dir}/src/old`, "two and longer\n");
        Deno.writeTextFileSync(`${dir}/src/.part`, "came\n");
        Deno.renameSync(`${dir}/src/.part`, `${dir}/src/new`);
        const result = await running;
        const text = "one\ncame\ntwo and longer\ncopied\n";
        assertEquals(result.stdout, text, describe(result));
      }),
  });
}

function isThere(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

for (const runtime of ["dvisor", "runc"] as const) {
  Deno.test({
    ...named(
      `bundle: the terminal is /dev/console too (${runtime})`,
      noContainers ?? lacks(["script"]) ?? (runtime === "runc" ? noRunc : null),
    ),
    fn: () =>
      withBundle(async (bundle) => {
        const script = "stat -c '%F %a %g %t' /dev/console; echo hello >/dev/console; tty; " +
          "awk '$2==\"/dev/console\"{print $1,$3}' /proc/mounts";
        const config = shellConfig(script);
        config.process.terminal = true;
        config.root.readonly = true;
        bundle.write(config);
        const argv = bundle.commandLine(runtime).map((word) => `'${word}'`).join(" ");
        const result = await run(["script", "-qec", argv, "/dev/null"]);
        const text = "character special file 620 5 88\nhello\n/dev/pts/0\ndevpts devpts\n";
        assertEquals(result.stdout.replaceAll(/\^@|\r/g, ""), text, describe(result));
      }),
  });
}

Deno.test({
  ...named(
    "bundle: sockets of the host are connected to only with --host-uds=open",
    noContainers ?? noPython,
  ),
  fn: () =>
    withBundle(async (bundle) => {
      Deno.mkdirSync(`${bundle.dir}/src`);
      const server = Deno.listen({ transport: "unix", path: `${bundle.dir}/src/sock` });
      const config = shellConfig("");
      const mount = (path: string) => ({
        ...{ destination: path, source: path },
        options: ["rbind", "ro"],
      });
      for (const path of ["/usr", "/lib", "/lib64"]) config.mounts.push(mount(path));
      config.mounts.push({ ...mount("src"), destination: "/s" });
      config.process.args = [PYTHON, "-c", CLIENT];
      bundle.write(config);
      const served = serveOnce(server);
      const without = await bundle.run("dvisor");
      assertEquals([without.code, without.stdout], [0, "refused\n"], describe(without));
      const result = await bundle.run("dvisor", ["--host-uds=open"]);
      assertEquals([result.code, result.stdout], [0, "HELLO 1000000\n"], describe(result));
      assertEquals(await served, 1_000_005);
    }),
});

Deno.test({
  ...named(
    "bundle: a socket in a directory that is mounted twice is one socket",
    noContainers ?? noPython,
  ),
  fn: () =>
    withBundle(async (bundle) => {
      Deno.mkdirSync(`${bundle.dir}/src`);
      const config = shellConfig("");
      for (const path of ["/usr", "/lib", "/lib64"]) {
        config.mounts.push({ destination: path, source: path, options: ["rbind", "ro"] });
      }
      for (const destination of ["/one", "/two"]) {
        config.mounts.push({ destination, source: "src", options: ["bind"] });
      }
      config.process.args = [PYTHON, "-c", TWICE];
      bundle.write(config);
      for (const runtime of RUNC === null ? ["dvisor"] as const : ["dvisor", "runc"] as const) {
        const result = await bundle.run(runtime);
        assertEquals([result.code, result.stdout], [0, "hello\nrefused\n"], describe(result));
        Deno.removeSync(`${bundle.dir}/src/sock`);
      }
    }),
});

const TWICE = `
import socket
server = socket.socket(socket.AF_UNIX)
server.bind("/one/sock")
server.listen()
client = socket.socket(socket.AF_UNIX)
client.connect("/two/sock")
client.send(b"hello")
print(server.accept()[0].recv(9).decode())
server.close()
try:
    socket.socket(socket.AF_UNIX).connect("/two/sock")
except ConnectionRefusedError:
    print("refused")
`;

/**
 * Sends a greeting and many bytes, then its end; prints what comes back: the greeting, and how many
 * bytes.
 */
const CLIENT = `
import socket
s = socket.socket(socket.AF_UNIX)
try:
    s.connect("/s/sock")
except ConnectionRefusedError:
    print("refused")
    raise SystemExit
s.sendall(b"hello" + b"x" * 1000000)
s.shutdown(socket.SHUT_WR)
data = b""
while True:
    piece = s.recv(65536)
    if not piece: break
    data += piece
print(data[:5].decode(), len(data) - 5)
`;

/** Answers one connection with the bytes that it received, in capitals; prints their number. */
async function serveOnce(server: Deno.UnixListener): Promise<number> {
  const connection = await server.accept(), chunks: Uint8Array[] = [];
  const buffer = new Uint8Array(65536);
  for (let n = await connection.read(buffer); n !== null; n = await connection.read(buffer)) {
    chunks.push(buffer.slice(0, n));
  }
  let bytes = 0;
  for (const chunk of chunks) {
    const upper = new TextEncoder().encode(new TextDecoder().decode(chunk).toUpperCase());
    for (let at = 0; at < upper.length;) at += await connection.write(upper.subarray(at));
    bytes += chunk.length;
  }
  connection.close();
  server.close();
  return bytes;
}
