/**
 * The scripts of docs/examples, as users run them: their lines, exit codes, and that nothing of
 * them is left. One after the other, as some of them use all processors.
 */

import { existsSync } from "node:fs";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { examples } from "../../tools/example.ts";
import { describe, type Finished, ROOT, run } from "../harness/dvisor.ts";
import { runClean } from "../harness/leftovers.ts";
import { isRoot, lacks, named, noUsers } from "../harness/machine.ts";
import { inOwnHost, noOwnHost } from "../harness/own_host.ts";
import { Terminal } from "../harness/tmux.ts";

const TIMEOUT_S = 300, PATIENCE_MS = 60_000, NOBODY = 65534;
/** Where a sandbox looks for programs. */
const PATH = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];
const why = isRoot ? null : noUsers;
/** Other shells edit lines, and so write more to a terminal than they are sent. */
const noDash = Deno.realPathSync("/bin/sh").endsWith("/dash") ? why : "/bin/sh is not dash";

/** Why a script cannot run that needs this program in the sandbox; null when it can. */
function without(program: string): string | null {
  if (PATH.some((directory) => existsSync(`${directory}/${program}`))) return why;
  return `no ${program} in ${PATH.join(", ")}`;
}

function commandOf(name: string, args: readonly string[]): string[] {
  const deno = [Deno.execPath(), "run", "-A", "--no-check", "-q"];
  return [...deno, `${ROOT}/docs/examples/${name}.ts`, ...args];
}

/** Runs a script; fails if something of it is left. */
function runExample(name: string, ...args: readonly string[]): Promise<Finished> {
  return runClean(commandOf(name, args), { timeoutS: TIMEOUT_S });
}

function assertOutput(result: Finished, lines: readonly string[], code = 0): void {
  assertEquals(
    [result.stdout.trimEnd().split("\n"), result.code],
    [[...lines], code],
    result.stderr,
  );
}

/** What a script prints, whatever the machine has besides. */
const OUTPUT = {
  agent: [
    "> write words.py",
    "116 characters",
    "> write test.py",
    "197 characters",
    "> run python3 test.py",
    "A a: both are the same word",
    "exit code 1",
    "> write words.py",
    "124 characters",
    "> run python3 test.py",
    "all tests pass",
    "exit code 0",
    "> read missing.txt",
    "cannot read /tmp/project/missing.txt: it does not exist (ENOENT)",
    "> write server.py",
    "612 characters",
    "> serve python3 server.py",
    "it listens",
    "> fetch /?text=The+cat+and+the+dog",
    '{"the": 2, "cat": 1, "and": 1, "dog": 1}',
    "> read server.log",
    "listening",
    "GET /?text=",
    "GET /?text=The+cat+and+the+dog",
    "> done The server counts words.",
  ],
  fan_out: [
    "168 135 127 120 119 114 117 107 110 112 106 103 109 105 102 108 98 104 94 104",
    "2262 primes below 20000, counted in 20 sandboxes",
  ],
  judge: [
    "ada: accepted, 3 of 3 tests passed",
    "bob: wrong answer, 0 of 3 tests passed",
    "cat: run-time error, 1 of 3 tests passed",
    "dan: output limit, 0 of 3 tests passed",
    "eve: time limit, 0 of 3 tests passed",
    "fay: time limit, 0 of 3 tests passed",
    "gus: memory limit, 0 of 3 tests passed",
    "hal: time limit, 0 of 3 tests passed",
  ],
  nightly: [
    "start: 0",
    "start again: 75",
    "done",
    "the checksum has 18 characters",
    "/var/tmp/job.code (added)",
    "/var/tmp/job.log (added)",
    "/var/tmp/report (added)",
    "/var/tmp/report/checksum (added)",
    "/var/tmp/report/size (added)",
    "report: 0",
    "size: 18",
    "report again: 1",
  ],
  npm_package: [
    "add: ok",
    "change its own code: EROFS",
    "read the password file: 0 bytes",
    "list the home: 0 names",
    "read the environment: no token",
    "leave a file: done",
    "call home: no network",
    "added in the sandbox: /var/tmp/left",
    "the test ended with code 0",
  ],
  repl: [
    "$ test -t 0 && echo this is a terminal",
    "this is a terminal",
    "$ stty size",
    "24 80",
    "$ stty size",
    "40 120",
    "$ x=21; echo $((x * 2))",
    "42",
    "$ sh -c 'echo asleep; while sleep 0.1; do :; done'",
    "asleep",
    "^C",
    "$ echo $((x * 3))",
    "63",
    "$ exit 7",
  ],
} as const;

Deno.test("examples: each is one file with a first sentence, and the page lists it", async () => {
  const page = await Deno.readTextFile(`${ROOT}/docs/examples/README.md`);
  const all = examples();
  assert(all.length >= 8);
  for (const { name, summary } of all) {
    assert(summary.length > 20 && summary.length <= 90 && summary.endsWith("."), summary);
    assertStringIncludes(page, `[${name}](${name}.ts)`);
  }
});

Deno.test("examples: the task lists them, and names them when there is no such one", async () => {
  const task = [Deno.execPath(), "run", "-A", "--no-check", `${ROOT}/tools/example.ts`];
  const listed = await run(task), wrong = await run([...task, "no-such"]);
  assertEquals([listed.code, wrong.code], [0, 2]);
  for (const { name, summary } of examples()) {
    assertStringIncludes(listed.stdout, summary);
    assertStringIncludes(wrong.stderr, name);
  }
});

Deno.test({
  ...named("examples: the agent repairs what it wrote, and serves it", without("python3")),
  fn: async () => assertOutput(await runExample("agent"), OUTPUT.agent),
});

Deno.test({
  ...named("examples: the build farm builds what it has compilers for", without("gcc")),
  fn: async () => {
    const result = await runExample("builds"), lines = result.stdout.trimEnd().split("\n");
    assertEquals(result.code, 0, describe(result));
    assertEquals(lines[0], 'c: built, says "hello from C"');
    assertMatch(lines[2] ?? "", /^broken: failed: error: .*no_such_name/);
    for (const line of lines) {
      assertMatch(
        line,
        /^[\w-]+: (built, says "hello from |failed: error: |left out, there is no )/,
      );
    }
    assertEquals(lines.length, 6);
  },
});

Deno.test({
  ...named("examples: 20 sandboxes count primes", without("awk")),
  fn: async () => assertOutput(await runExample("fan_out"), OUTPUT.fan_out),
});

Deno.test({
  ...named("examples: the judge judges, and nothing of a submission is left", without("python3")),
  fn: async () => assertOutput(await runExample("judge"), OUTPUT.judge),
});

Deno.test({
  ...named("examples: the nightly job is found again, and says how it went", why),
  fn: async () => {
    const result = await runExample("nightly");
    assertOutput(result, OUTPUT.nightly);
    assertMatch(
      result.stderr,
      /^nightly .* is still there\nnightly .*: it was not started, or .*\n$/,
    );
    const usage = await runExample("nightly", "strat");
    assertEquals([usage.stdout, usage.code], ["", 2]);
  },
});

Deno.test({
  ...named("examples: cells of the notebook share their variables", without("python3")),
  fn: async () => {
    const result = await runExample("notebook");
    const lines = result.stdout.trimEnd().split("\n").filter((line) => !/^(\[| {4})/.test(line));
    assertOutput({ ...result, stdout: lines.join("\n") }, [
      "the area:",
      "12.566",
      "ZeroDivisionError: division by zero",
      "KeyboardInterrupt",
      "True",
      "True",
      "The session was ended. A new one begins without variables.",
      "NameError: name 'radius' is not defined",
      "squares.svg: 329 bytes",
    ]);
  },
});

Deno.test({
  ...named("examples: the tests of a package run offline", without("node")),
  fn: async () => assertOutput(await runExample("npm_package"), OUTPUT.npm_package),
});

Deno.test({
  ...named("examples: a shell has a terminal", noDash),
  fn: async () => {
    assertOutput(await runExample("repl"), OUTPUT.repl, 7);
    const missing = await runExample("repl", "no-such-program");
    assertEquals([missing.stdout, missing.code], ["", 2]);
    assertStringIncludes(missing.stderr, "cannot run no-such-program");
  },
});

Deno.test({
  ...named("examples: the terminal of the caller is forwarded", noDash ?? lacks(["tmux"])),
  fn: async () => {
    const terminal = await Terminal.open(commandOf("repl", []));
    try {
      await terminal.expect(/[#$] *$/m, PATIENCE_MS);
      await terminal.line("stty size");
      await terminal.expect(/^30 100\n[#$] *$/m, PATIENCE_MS);
      await terminal.resize(70, 20);
      await terminal.line("while ! stty size | grep '20 70'; do sleep 0.1; done");
      await terminal.expect(/^20 70\n[#$] *$/m, PATIENCE_MS);
      await terminal.line("sh -c 'echo asleep; while sleep 0.1; do :; done'");
      await terminal.expect(/^asleep$/m, PATIENCE_MS);
      await terminal.press("C-c");
      await terminal.expect(/\^C\n[#$] *$/m, PATIENCE_MS);
      await terminal.line("exit 5");
      await terminal.expect(/^\[ended 5\]$/m, PATIENCE_MS);
    } finally {
      await terminal.close();
    }
  },
});

Deno.test({
  ...named(
    "examples: an ordinary user runs them",
    isRoot ? noUsers ?? noOwnHost() : "needs root; the other tests are of an ordinary user",
  ),
  fn: async () => {
    const user = ["setpriv", `--reuid=${NOBODY}`, `--regid=${NOBODY}`, "--clear-groups"];
    const asNobody = (name: string) => {
      const command = [...user, "env", "HOME=/tmp", ...commandOf(name, [])];
      return runClean(inOwnHost(command, { isOpen: true }), { timeoutS: TIMEOUT_S });
    };
    if (noDash === null) assertOutput(await asNobody("repl"), OUTPUT.repl, 7);
    assertOutput(await asNobody("nightly"), OUTPUT.nightly);
    if (without("awk") === null) assertOutput(await asNobody("fan_out"), OUTPUT.fan_out);
    if (without("python3") === null) assertOutput(await asNobody("judge"), OUTPUT.judge);
  },
});
