/**
 * The packages after `npm install`: the library's suite in each runtime that they promise, as root
 * and as an ordinary user, the command `dvisor`, and the types.
 */

import { assert, assertEquals } from "@std/assert";
import { isFull, isRoot, named } from "../harness/machine.ts";
import { LIBRARY, writeLibrary } from "../../tools/package/library_tree.ts";
import { PLATFORM, ROOT, run } from "../harness/dvisor.ts";
import { inOwnHost, noOwnHost } from "../harness/own_host.ts";
import { ARCHIVES, installedApp } from "./installed_app.ts";
import { localRegistry } from "./local_registry.ts";
import { NODE_OLDEST, NODE_TYPES, provideRuntimes, RUNTIMES, TYPESCRIPT } from "./runtimes.ts";

/** LIMIT: seconds for a suite, beside others. */
const TIMEOUT_S = 900;
/** A user without a line in /etc/passwd, as containers have them. */
const UID = 4321;
/**
 * Without `deno task test:full`, these alone run all cases, and as root; sandbox_test.ts of
 * tests/library runs them all in Deno, from the sources.
 */
const WHOLE: readonly string[] = ["Node 20", "Bun"];
/** Cases that depend on the runtime: streams, child processes, sockets, ends of scripts. */
const SAMPLE = "^(exec: .*(input|output)|owners:|files: streams|spawn:)";

const why = await provideRuntimes() ?? (isRoot ? noOwnHost() : null);
/** Made once, by the first test that needs it. */
let app: Promise<string> | null = null;
const theApp = () => app ??= installedApp();

Deno.test.afterAll(async () => {
  if (app !== null) await Deno.remove(await app, { recursive: true });
});

interface Outcome {
  readonly status: "ok" | "FAIL" | "skip";
  readonly name: string;
  readonly detail: string;
}

function outcomesOf(output: string): Outcome[] {
  const found = output.matchAll(/^(ok|FAIL|skip) +(.*)\n((?:(?!(?:ok|FAIL|skip) ).*\n)*)/gm);
  return [...found].map(([, status = "", name = "", detail = ""]) => ({
    status: status === "FAIL" ? "FAIL" : status === "skip" ? "skip" : "ok",
    name,
    detail,
  }));
}

/** A command in a host of its own, so that suites run beside each other. */
function apart(command: readonly string[], asUser: boolean): string[] {
  if (!isRoot) return [...command];
  const user = ["setpriv", `--reuid=${UID}`, `--regid=${UID}`, "--clear-groups"];
  return inOwnHost([...asUser ? user : [], ...command], { isOpen: true });
}

/** Runs the suite; each case is a step. */
async function runSuite(
  t: Deno.TestContext,
  command: readonly string[],
  filter: string,
  asUser: boolean,
): Promise<void> {
  const cwd = await theApp(), create = JSON.stringify({ platform: PLATFORM });
  const args = ["runner.mjs", "dvisor", "./suite.mjs", "./script.mjs", create, filter];
  const { code, stdout, stderr } = await run(apart([...command, ...args], asUser), {
    cwd,
    timeoutS: TIMEOUT_S,
    ...asUser ? { clearEnv: true, env: { HOME: "/tmp", PATH: Deno.env.get("PATH") ?? "" } } : {},
  });
  const outcomes = outcomesOf(stdout);
  for (const { status, name, detail } of outcomes) {
    await t.step({
      name,
      ignore: status === "skip",
      fn: () => assert(status === "ok", detail),
    });
  }
  assert(outcomes.length > 0 && code === 0, `code ${code}\n${stdout.slice(-2000)}${stderr}`);
}

// The suites wait most of the time, so they run beside each other.
Deno.test({
  ...named("package: the library's suite in each runtime", why),
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (t) => {
    await Promise.all(RUNTIMES.map(({ name, command }) =>
      t.step({
        name,
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
        fn: (t) => runSuite(t, command, isFull || WHOLE.includes(name) ? "" : SAMPLE, false),
      })
    ));
  },
});

Deno.test({
  ...named("package: the suite as an ordinary user", why ?? (isRoot ? null : "root tests it")),
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async (t) => {
    const runtimes = RUNTIMES.filter(({ name }) => isFull || WHOLE.includes(name));
    await Promise.all(runtimes.map(({ name, command }) =>
      t.step({
        name,
        sanitizeOps: false,
        sanitizeResources: false,
        sanitizeExit: false,
        fn: (t) => runSuite(t, command, isFull ? "" : SAMPLE, true),
      })
    ));
  },
});

const LAUNCHER = "node_modules/.bin/dvisor";

Deno.test({
  ...named("package: npx runs dvisor, with its exit code and output", why),
  fn: async () => {
    const cwd = await theApp();
    const script = "cat; echo error >&2; exit 7";
    const argv = ["npx", "--offline", "dvisor", "do", "--", "sh", "-c", script];
    const { code, stdout, stderr } = await run(argv, { cwd, stdin: "input" });
    assertEquals([code, stdout, stderr], [7, "input", "error\n"]);
  },
});

Deno.test({
  ...named("package: the command passes signals on, in each runtime", why),
  fn: async () => {
    const cwd = await theApp();
    const guest = "trap 'echo got; exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    for (const { name, command } of RUNTIMES) {
      const [program = "", ...args] = [...command, LAUNCHER, "do", "--", "sh", "-c", guest];
      const child = new Deno.Command(program, { args, cwd, stdin: "null", stdout: "piped" })
        .spawn();
      let text = "";
      for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
        text += part;
        if (text === "ready\n") child.kill("SIGTERM");
      }
      assertEquals([(await child.status).code, text], [9, "ready\ngot\n"], name);
    }
  },
});

Deno.test({
  ...named("package: a missing executable is named", why),
  fn: async () => {
    const cwd = await theApp();
    const apartFrom = await Deno.makeTempDir({ dir: cwd, prefix: "alone-" });
    await Deno.mkdir(`${apartFrom}/bin`);
    const launcher = `${apartFrom}/bin/dvisor.mjs`;
    await Deno.copyFile(`${cwd}/node_modules/dvisor/bin/dvisor.mjs`, launcher);
    await Deno.rename(`${cwd}/node_modules/@dvisor`, `${apartFrom}/moved`);
    try {
      const { code, stderr } = await run([NODE_OLDEST, launcher, "--version"]);
      const wanted = "dvisor: the package @dvisor/linux-x64 is missing; " +
        "install it: npm leaves it out with --omit=optional\n";
      assertEquals([code, stderr], [1, wanted]);
    } finally {
      await Deno.rename(`${apartFrom}/moved`, `${cwd}/node_modules/@dvisor`);
    }
  },
});

const SCRIPT = `
const box = await Sandbox.create();
console.log((await box.exec(["echo", "from a sandbox"])).text.trim());
await box.kill();
`;

Deno.test({
  ...named("package: registries give the library, and the executable comes along", why),
  sanitizeOps: false,
  sanitizeResources: false,
  fn: async () => {
    const app = await theApp(), archives = [...Deno.readDirSync(`${app}/${ARCHIVES}`)];
    const cwd = `${app}/from-registries`, jsr = `${app}/jsr`;
    for (const directory of [cwd, jsr]) await Deno.mkdir(directory);
    await writeLibrary(ROOT, jsr, LIBRARY);
    const paths = archives.map(({ name }) => `${app}/${ARCHIVES}/${name}`);
    await using registry = await localRegistry(paths, jsr);
    const env = {
      DENO_DIR: `${cwd}/cache`,
      JSR_URL: registry.url,
      NPM_CONFIG_REGISTRY: registry.url,
      npm_config_cache: `${cwd}/npm`,
    };
    const output = async (...argv: string[]) => {
      const { code, stdout, stderr } = await run(argv, { cwd, env });
      assertEquals(code, 0, argv.join(" ") + stderr);
      return stdout;
    };
    const deno = [Deno.execPath(), "run", "-A", "--quiet", "--no-lock", "--no-config"];
    for (const specifier of [`jsr:${LIBRARY}`, "npm:dvisor"]) {
      const script = `import { Sandbox } from "${specifier}";${SCRIPT}`;
      await Deno.writeTextFile(`${cwd}/script.ts`, script);
      assertEquals(await output(...deno, "script.ts"), "from a sandbox\n", specifier);
    }
    const echo = ["do", "--", "echo", "by a command"];
    assertEquals(await output(...deno, "npm:dvisor", ...echo), "by a command\n");
    assertEquals(await output("npx", "--yes", "dvisor", ...echo), "by a command\n");
    await output("npm", "init", "--yes");
    await output("npm", "install", "dvisor");
    await Deno.writeTextFile(`${cwd}/script.mjs`, `import { Sandbox } from "dvisor";${SCRIPT}`);
    assertEquals(await output(NODE_OLDEST, "script.mjs"), "from a sandbox\n");
  },
});

const CONSUMER = `
import { type ExecResult, NotFoundError, Sandbox, type SandboxOptions } from "dvisor";

const options: SandboxOptions = { memoryBytes: 512e6, labels: { a: "b" } };

export async function main(): Promise<number | null> {
  await using box = await Sandbox.create(options);
  const result: ExecResult = await box.exec(["true"], { timeoutMs: 5 });
  const program = await box.spawn(["cat"], { pty: { cols: 80, rows: 24 } });
  await program.stdin.getWriter().write(new Uint8Array(1));
  for await (const event of box.events()) if (event.kind === "start") console.log(event.argv);
  const text: string = (await box.sh\`ls \${["a", "b"]}\`).text;
  try {
    await box.fs.readTextFile("/x");
  } catch (error) {
    if (error instanceof NotFoundError) console.log(error.code, error.path, text);
  }
  return result.code;
}
`;

Deno.test({
  ...named("package: the types hold in a strict project, with Node's types and without", why),
  fn: async () => {
    const cwd = await theApp();
    await Deno.writeTextFile(`${cwd}/right.ts`, CONSUMER);
    const wrong = CONSUMER.replace("timeoutMs: 5 ", 'timeoutMs: "5" ');
    await Deno.writeTextFile(`${cwd}/wrong.ts`, wrong);
    const strict = { strict: true, exactOptionalPropertyTypes: true, module: "nodenext" };
    const projects = [
      [{ types: ["node"], typeRoots: [NODE_TYPES], target: "es2022" }, "right.ts", ""],
      [{ types: [], lib: ["esnext", "dom"], target: "esnext", skipLibCheck: true }, "right.ts", ""],
      [{ types: ["node"], typeRoots: [NODE_TYPES], target: "es2022" }, "wrong.ts", "TS2322"],
    ] as const;
    for (const [options, file, fault] of projects) {
      const config = { compilerOptions: { ...strict, ...options, noEmit: true }, files: [file] };
      await Deno.writeTextFile(`${cwd}/tsconfig.json`, JSON.stringify(config));
      const { stdout } = await run([...TYPESCRIPT, "-p", cwd], { cwd });
      if (fault === "") assertEquals(stdout, "", file);
      else assert(stdout.includes(fault), stdout);
    }
  },
});
