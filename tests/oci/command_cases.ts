/**
 * Command lines of a runtime that need no container: exit codes and output are those of runc. Not a
 * test: command_test.ts runs them.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { shellConfig } from "./bundle.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

/** The arguments of each verb that names a container. */
const VERBS: Readonly<Record<string, readonly string[]>> = {
  start: [],
  state: [],
  kill: ["TERM"],
  delete: [],
  exec: ["true"],
  ps: [],
  pause: [],
  resume: [],
  events: [],
  update: [],
};
/** Verbs that take an id and nothing behind it. */
const ONE_WORD = "create run start state delete pause resume events update".split(" ");

/** The exit code of a verb that fails. */
function codeOf(verb: string): number {
  return verb === "exec" ? 255 : 1;
}

async function refuses(
  t: Lifecycle,
  code: number,
  message: RegExp,
  ...args: string[]
): Promise<void> {
  const result = await t.call(...args);
  assertEquals(result.code, code, describe(result));
  assertMatch(result.stderr, message);
}

const MISSING: readonly LifecycleCase[] = Object.entries(VERBS).map(([verb, more]) => ({
  name: `${verb} of what does not exist fails`,
  run: (t) => refuses(t, codeOf(verb), /does not exist/, verb, "nobody", ...more),
}));

const WITHOUT_ID: readonly LifecycleCase[] = [...Object.keys(VERBS), "create", "run"].map((
  verb,
) => ({
  name: `${verb} without an id fails`,
  // A command line that makes no sense is 1 for runc's exec too.
  run: (t) => refuses(t, t.runtime === "runc" ? 1 : codeOf(verb), /argument|needs an ID/, verb),
}));

const TOO_MUCH: readonly LifecycleCase[] = ONE_WORD.map((verb) => ({
  name: `${verb} of two ids fails`,
  run: (t) => refuses(t, 1, /argument/, verb, "one", "two"),
}));

const UNKNOWN: readonly LifecycleCase[] = [...Object.keys(VERBS), "create", "run", "list", "spec"]
  .map((verb) => ({
    name: `${verb} with an unknown option fails`,
    run: (t) =>
      refuses(t, t.runtime === "runc" ? 1 : codeOf(verb), /-odd/, verb, "--odd=1", "nobody"),
  }));

const HELP: readonly LifecycleCase[] = [
  {
    name: "--help of each verb is shown",
    async run(t) {
      for (const verb of [...Object.keys(VERBS), "create", "run", "list", "spec", "features"]) {
        const result = await t.call(verb, "--help");
        assertEquals(result.code, 0, describe(result));
        assertMatch(result.stdout, new RegExp(`^ *(Usage: )?(dvisor|runc) ${verb}\\b`, "m"));
      }
    },
  },
  {
    name: "--version is name, commit and specification",
    async run(t) {
      const lines = (await t.must("--version")).split("\n");
      assertMatch(lines[0] ?? "", new RegExp(`^${t.runtime} version \\d+\\.\\d+\\.\\d+`));
      assertMatch(lines[1] ?? "", /^commit: \S+$/);
      assertMatch(lines[2] ?? "", /^spec: 1\.\d+\.\d+/);
    },
  },
  {
    name: "-v is --version, and -h is --help",
    async run(t) {
      assertEquals(await t.must("-v"), await t.must("--version"));
      assertEquals(await t.must("-h"), await t.must("--help"));
    },
  },
];

const IDS: readonly LifecycleCase[] = ["", ".", "..", "a/b", "../a", "a b", "ä", "a\nb", "a:b", "*"]
  .map((id) => ({
    name: `${JSON.stringify(id)} is no id`,
    async run(t) {
      t.bundle.write(shellConfig("true"));
      await refuses(t, 1, /\bID\b|container id/, "create", "--bundle", t.bundle.dir, id);
      await refuses(t, 1, /\bID\b|container id|not exist/, "delete", "--force", id);
      assertEquals(t.containers(), []);
    },
  }));

const LOGS: readonly LifecycleCase[] = [
  {
    name: "the log has lines of text, in order",
    async run(t) {
      const log = t.file("log.text");
      for (const id of ["one", "two"]) await t.call("--log", log, "start", id);
      const lines = t.text("log.text").trim().split("\n");
      assertEquals(lines.length, 2);
      for (const line of lines) {
        assertMatch(line, /^time="[^"]+" level=error msg=".*does not exist/);
      }
    },
  },
  {
    name: "the log as JSON has level, msg and time",
    async run(t) {
      await t.call("--log", t.file("log.json"), "--log-format", "json", "state", "nobody");
      const { level, msg, time, ...more } = JSON.parse(t.text("log.json"));
      assertEquals([level, Object.keys(more)], ["error", []]);
      assertMatch(msg, /does not exist/);
      assertMatch(time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)$/);
    },
  },
  {
    name: "options in front of a verb may have one hyphen, and = or a blank",
    async run(t) {
      await t.call(`-log=${t.file("log.go")}`, "-log-format", "json", "state", "nobody");
      assertMatch(JSON.parse(t.text("log.go")).msg, /does not exist/);
    },
  },
  {
    name: "an unknown format of the log is refused",
    run: (t) => refuses(t, 1, /log-format/, "--log-format", "xml", "list"),
  },
  {
    name: "an unknown option in front of a verb is refused",
    run: (t) => refuses(t, 1, /-odd/, "--odd", "list"),
  },
];

const ROOTS: readonly LifecycleCase[] = [
  {
    name: "without containers there is nothing to list",
    async run(t) {
      assertEquals((await t.must("list", "--quiet")).trim(), "");
      assertEquals((await t.must("list")).trim().split("\n").length, 1);
      assertEquals(JSON.parse(await t.must("list", "-f", "json")) ?? [], []);
    },
  },
  { name: "list takes no id", run: (t) => refuses(t, 1, /argument/, "list", "nobody") },
  {
    name: "list has two formats",
    run: (t) => refuses(t, 1, /format/, "list", "--format", "xml"),
  },
];

const CREATING: readonly LifecycleCase[] = [
  {
    name: "a missing bundle",
    run: (t) => refuses(t, 1, /no such file|there is no/, "create", "--bundle", "/no/such", "x"),
  },
  ...["", "{", "[]", "null", '"x"', "{} {}", "\u0000"].map((text): LifecycleCase => ({
    name: `config.json that is ${JSON.stringify(text)}`,
    ...(text === "null" ? { notRunc: "it crashes" } : {}),
    async run(t) {
      Deno.writeTextFileSync(`${t.bundle.dir}/config.json`, text);
      await refuses(t, 1, /./, "create", "--bundle", t.bundle.dir, "x");
      assertEquals(t.containers(), []);
    },
  })),
  {
    name: "a pid file that cannot be written ends the creation",
    async run(t) {
      t.bundle.write(shellConfig("true"));
      const options = ["--bundle", t.bundle.dir, "--pid-file", "/no/such/pid"];
      await refuses(t, 1, /\/no\/such\//, "create", ...options, t.id);
      assertEquals(t.containers(), []);
    },
  },
  {
    name: "files that the caller does not have cannot be preserved",
    async run(t) {
      t.bundle.write(shellConfig("true"));
      const options = ["--bundle", t.bundle.dir, "--preserve-fds", "9"];
      await refuses(t, 1, /preserve/, "create", ...options, t.id);
      assertEquals(t.containers(), []);
    },
  },
  {
    name: "a number of files is a number",
    async run(t) {
      t.bundle.write(shellConfig("true"));
      const options = ["--bundle", t.bundle.dir, "--preserve-fds", "x"];
      await refuses(t, 1, /preserve-fds/, "create", ...options, "x");
    },
  },
];

export const COMMAND_CASES: readonly LifecycleCase[] = [
  ...[...MISSING, ...WITHOUT_ID, ...TOO_MUCH, ...UNKNOWN, ...HELP],
  ...[...IDS, ...LOGS, ...ROOTS, ...CREATING],
];

/** Each case has a container of its own. */
export const OWN_CASES: readonly LifecycleCase[] = [
  {
    name: "--debug prints more",
    async run(t) {
      t.globals.push("--debug", "--log", t.file("log.debug"), "--log-format", "json");
      await t.created();
      const levels = t.text("log.debug").trim().split("\n").map((line) => JSON.parse(line).level);
      assert(levels.includes("debug"), levels.join());
    },
  },
  {
    name: "the directory of states is made, for its owner alone",
    async run(t) {
      await t.created();
      const mode = (Deno.statSync(t.root).mode ?? 0) & 0o777;
      assertEquals(mode & 0o066, 0, mode.toString(8));
      assertEquals((await t.must("list", "-q")).trim(), t.id);
    },
  },
  {
    name: "a container of another --root is not found",
    async run(t) {
      await t.created();
      const [command = ""] = t.argv();
      const args = ["--root", t.file("other"), "state", t.id];
      const other = await new Deno.Command(command, { args }).output();
      assertEquals(other.code, 1);
      assertMatch(new TextDecoder().decode(other.stderr), /does not exist/);
    },
  },
  {
    name: "systemd makes control groups, or is reported missing",
    async run(t) {
      t.globals.push("--systemd-cgroup");
      if ((await t.create()).code !== 0) assertMatch(t.text("err"), /systemd/);
    },
  },
  {
    name: "an id may be long, and have . _ + - in it",
    async run(t) {
      t.bundle.write(t.config);
      const id = `${t.id}.a_b+c-${"d".repeat(100)}`;
      const args = ["create", "--bundle", t.bundle.dir, "--pid-file", t.file("pid"), id];
      assertEquals((await t.detached(args)).code, 0, t.text("err"));
      assertEquals(JSON.parse(await t.must("state", id)).id, id);
      await t.must("kill", id, "KILL");
      assertEquals(await t.reap(), 137);
      await t.must("delete", id);
    },
  },
  {
    name: "create and run take no-pivot and no-new-keyring",
    async run(t) {
      await t.created("--no-pivot", "--no-new-keyring");
      assertEquals(await t.status(), "created");
    },
  },
  {
    name: "--rootless is true, false or auto",
    async run(t) {
      t.globals.push("--rootless", "false");
      await t.created();
      t.globals.splice(0, 2, "--rootless=true");
      assertEquals(await t.status(), "created");
    },
  },
];
