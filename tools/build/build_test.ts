/**
 * Tests of the build on a small sample program: the binary it makes is started in every way that a
 * user may. What needs another user is ignored where the test is not root.
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { hostProblem } from "../host_check.ts";
import { makeBase } from "./base_binary.ts";
import { chooseBase, compileProgram } from "./compile.ts";
import { findOnly } from "./embed.ts";
import { isRoot, named } from "../../tests/harness/machine.ts";
import { programUrl } from "./entry_stub.ts";
import { bundleProgram, toScript } from "./program.ts";

const SAMPLE = `
import { size } from "./part.ts";
export const exported = 1;
const [verb = "", ...rest] = Deno.args;
const verbs: Record<string, () => unknown> = {
  args: () => rest,
  count: () => [rest.length, rest.at(-1)],
  env: () => Object.keys(Deno.env.toObject()).sort(),
  main: () => [import.meta.main, size],
  pid: () => {
    const libc = Deno.dlopen("libc.so.6", { getpid: { parameters: [], result: "i32" } });
    return libc.symbols.getpid() === Deno.pid;
  },
  fds: () => [...Deno.readDirSync("/proc/self/fd")].flatMap((e) => {
    try {
      return [Deno.readLinkSync("/proc/self/fd/" + e.name)];
    } catch {
      return [];
    }
  }),
  heap: async () => {
    const name = "node:v8";
    return (await import(name)).getHeapStatistics().heap_size_limit / 2 ** 20;
  },
  fail: () => { throw new Error("boom"); },
};
if (verb === "exit") Deno.exit(Number(rest[0]));
else if (verb === "die") Deno.kill(Deno.pid, "SIGKILL");
else if (verb === "stdin") console.log((await new Response(Deno.stdin.readable).text()).length);
else if (verb === "again") {
  const { code } = await new Deno.Command("/proc/self/exe", { args: ["exit", "7"] }).output();
  console.log(code);
} else console.log(JSON.stringify(await verbs[verb]!()));
`;

interface Result {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

async function start(command: string[], stdin = ""): Promise<Result> {
  const [program = "", ...args] = command;
  const child = new Deno.Command(program, {
    args,
    env: { NO_COLOR: "1" },
    cwd: "/",
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  // A program may end without reading its input: the pipe breaks then.
  await writer.write(new TextEncoder().encode(stdin)).catch(() => {});
  await writer.close().catch(() => {});
  const { code, signal, stdout, stderr } = await child.output();
  const text = new TextDecoder();
  return { code, signal, stdout: text.decode(stdout).trim(), stderr: text.decode(stderr).trim() };
}

/** What a start of the sample prints, as a value. Fails if it prints to stderr or fails. */
async function output(...command: string[]): Promise<unknown> {
  const { code, stdout, stderr } = await start(command);
  assertEquals([code, stderr], [0, ""]);
  return JSON.parse(stdout);
}

Deno.test("a binary runs in every way that a user may start it", async (t) => {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-build-" });
  try {
    await Deno.chmod(dir, 0o755);
    await Deno.writeTextFile(`${dir}/deno.json`, `{ "lock": false }`);
    await Deno.writeTextFile(`${dir}/main.ts`, SAMPLE);
    await Deno.writeTextFile(`${dir}/part.ts`, `export const size = "§".length;\n`);
    const base = await chooseBase(dir);
    const sample = `${dir}/sample`;
    const script = await bundleProgram(dir, "main.ts", "sample", dir);
    await compileProgram(script, sample, "sample", base, dir);
    await startInEveryWay(t, dir, sample, base.kind === "home-made");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

async function startInEveryWay(
  t: Deno.TestContext,
  dir: string,
  sample: string,
  isHomeMade: boolean,
): Promise<void> {
  await t.step("arguments arrive as they are", async () => {
    assertEquals(await output(sample, "args"), []);
    const odd = ["--", "--help", "", "-A", "--version", "a b", "ü", "--", "%41"];
    assertEquals(await output(sample, "args", ...odd), odd);
    const many = Array.from({ length: 20_000 }, (_, i) => String(i));
    assertEquals(await output(sample, "count", ...many), [20_000, "19999"]);
  });
  await t.step("import.meta.main holds and imported text is intact", async () => {
    assertEquals(await output(sample, "main"), [true, 1]);
  });
  await t.step("exit codes, signals and errors come out", async () => {
    assertEquals((await start([sample, "exit", "0"])).code, 0);
    assertEquals((await start([sample, "exit", "137"])).code, 137);
    assertEquals((await start([sample, "die"])).signal, "SIGKILL");
    const failed = await start([sample, "fail"]);
    assertEquals(failed.code, 1);
    assertStringIncludes(failed.stderr, "boom");
    assertStringIncludes(failed.stderr, "sample.js");
  });
  await t.step("stdin arrives", async () => {
    assertEquals((await start([sample, "stdin"], "x".repeat(100_000))).stdout, "100000");
  });
  await t.step("it runs again by /proc/self/exe, and native code loads", async () => {
    assertEquals((await start([sample, "again"])).stdout, "7");
    assertEquals(await output(sample, "pid"), true);
  });
  await t.step("it needs no environment, and keeps no cache open", async () => {
    assertEquals(await output("/usr/bin/env", "-i", sample, "args", "x"), ["x"]);
    const fds = await output("/usr/bin/env", "-i", sample, "fds");
    assert(Array.isArray(fds));
    assertEquals(fds.filter((path) => /cache|memfd/.test(String(path))), []);
  });
  await t.step({
    ...named(
      "variables of Deno and Node do not steer it",
      isHomeMade ? null : "Deno's own base reads them",
    ),
    fn: async () => {
      const foreign = [
        "NODE_OPTIONS=--require /nope.js",
        "DENO_V8_FLAGS=--nope",
        "NODE_CHANNEL_FD=3",
      ];
      const own = ["A=1", "NODE=2", "DENOX_=3", "D=", "Z"];
      assertEquals(
        await output("/usr/bin/env", "-i", ...foreign, ...own.slice(0, 4), sample, "env"),
        [
          "A",
          "D",
          "DENOX_",
          "DENO_DIR",
          "DENO_DISABLE_NODE_SHIM",
          "DENO_LOG",
          "DENO_NO_UPDATE_CHECK",
          "NODE",
        ],
      );
    },
  });
  await t.step("the launcher's variables give V8's heap its size", async () => {
    const flags = (mib: number): string => `DENO_V8_FLAGS=--max-old-space-size=${mib}`;
    const heap = async (mib: number): Promise<number> =>
      Number(
        await output("/usr/bin/env", "-i", flags(mib), "DVISOR__" + flags(mib), sample, "heap"),
      );
    assertEquals(await heap(700) - await heap(300), 400);
  });
  await t.step("few open files are enough", async () => {
    assertEquals(await output("/bin/sh", "-c", `ulimit -n 64; exec ${sample} args y`), ["y"]);
  });
  await t.step({
    ...named(
      "without a working directory, or address space for V8, it says so",
      isHomeMade ? null : "Deno's own base has Deno's messages",
    ),
    fn: async () => {
      const gone = `mkdir ${dir}/gone; cd ${dir}/gone; rmdir ../gone; exec ${sample} args`;
      const path = `${Deno.realPathSync(dir)}/gone (deleted)`;
      assertEquals(await start(["/bin/sh", "-c", gone]), {
        code: 1,
        signal: null,
        stdout: "",
        stderr: `dvisor: the working directory is gone, cd to another one: ${path}`,
      });
      const little = await start(["/bin/sh", "-c", `ulimit -v 1000000; exec ${sample} args`]);
      assertEquals([little.code, little.stdout], [1, ""]);
      assertStringIncludes(little.stderr, "dvisor: ulimit -v leaves too little address space");
    },
  });
  await t.step("it leaves nothing in a home, and a read-only one will do", async () => {
    const home = `${dir}/home`;
    await Deno.mkdir(home);
    assertEquals(await output("/usr/bin/env", "-i", `HOME=${home}`, sample, "args"), []);
    assertEquals([...Deno.readDirSync(home)], []);
    await Deno.chmod(home, 0o555);
    assertEquals(await output("/usr/bin/env", `HOME=${home}`, sample, "args"), []);
    assertEquals([...Deno.readDirSync(home)], []);
  });
  await t.step({
    ...named("another user runs it", isRoot ? null : "needs root"),
    fn: async () => {
      const as = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"];
      assertEquals(await output(...as, "env", "-i", sample, "args", "z"), ["z"]);
      assertEquals(await output(...as, "env", "HOME=/root", sample, "args", "z"), ["z"]);
    },
  });
}

Deno.test("the home-made base is refused for a file that is not the official deno", () => {
  assertThrows(() => makeBase(new Uint8Array(10), []), Error, "not an x86-64 ELF file");
  const other = Deno.readFileSync("/bin/sh");
  assertThrows(() => makeBase(other, []), Error);
});

Deno.test("toScript removes exports, keeps await and refuses unbundled imports", () => {
  const script = toScript("var a=await 1;export{a as b};\n", "x");
  assertStringIncludes(script, "var a=await 1;");
  assert(!script.includes("export"));
  assertThrows(() => toScript(`import a from"node:fs";a()`, "x"), Error, "no plain script");
});

Deno.test("bundleProgram reports errors of the source", async () => {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-build-" });
  try {
    await Deno.writeTextFile(`${dir}/deno.json`, "{}");
    await Deno.writeTextFile(`${dir}/main.ts`, `import "./absent.ts";`);
    await assertRejects(() => bundleProgram(dir, "main.ts", "main", dir), Error, "absent.ts");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("findOnly wants exactly one occurrence", () => {
  const bytes = new TextEncoder().encode("abcabd");
  const find = (text: string): number => findOnly(bytes, new TextEncoder().encode(text), "it");
  assertEquals(find("abd"), 3);
  assertThrows(() => find("ab"), Error, "2 times");
  assertThrows(() => find("abx"), Error, "0 times");
});

Deno.test("the program's URL has one length and needs no escapes", () => {
  assertEquals(programUrl(0, 0).length, programUrl(98_765_432, 1_000_000).length);
  assert(!/[%#\s]/.test(programUrl(1, 2)));
});

Deno.test("hostProblem names the machine or the version, and a remedy", () => {
  assertEquals(hostProblem("linux", "x86_64", "2.9.6"), null);
  assertStringIncludes(hostProblem("darwin", "aarch64", "2.9.6") ?? "", "darwin on aarch64");
  assertStringIncludes(hostProblem("linux", "x86_64", "2.8.0") ?? "", "npx --yes deno@2.9.6");
});
