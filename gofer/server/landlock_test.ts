/**
 * Landlock, in a process of an ordinary user and in one of root's: files below its roots open, and
 * no others.
 */

import { assert, assertEquals } from "@std/assert";
import { EACCES } from "../../ffi/abi/errno.ts";
import { LANDLOCK_CREATE_RULESET_VERSION } from "../../ffi/abi/landlock.ts";
import { SYS_landlock_create_ruleset } from "../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { isRoot, named } from "../../tests/harness/machine.ts";
import { asUser, noOwnHost } from "../../tests/harness/own_host.ts";

const USER = 1000;
const version = syscall(SYS_landlock_create_ruleset, 0, 0, LANDLOCK_CREATE_RULESET_VERSION);
const lacking = !isRoot ? "needs root" : version < 2 ? "no Landlock on this host" : noOwnHost();

/**
 * The program: tries opens (and a rename) as the confined process, on its own thread and on
 * another. It uses a descriptor of the directory around its roots, which a Gofer never has, so that
 * root's empty root directory has no effect.
 */
const PROGRAM = `
const [dir] = Deno.args;
const c = scratch.cstr.bind(scratch);
const around = syscall(257, -100, c(dir), 0x200000 | 0x80000, 0);
const roots = [openRoot(dir + "/rw", false), openRoot(dir + "/ro", true)];
const service = new Service({ roots });
const how = scratch.area(3), words = scratch.areaOffset(3);
const open = (path, flags) => {
  for (let at = 0; at < 24; at += 4) scratch.dv.setUint32(words + at, 0, true);
  scratch.dv.setUint32(words, flags | 0x80000, true);
  scratch.dv.setUint32(words + 8, flags & 0o100 ? 0o600 : 0, true);
  return Math.min(syscall(437, -100, c(around + path), how, 24), 0);
};
const move = (from, to) => syscall(316, -100, c(around + from), -100, c(around + to, 1), 0);
const other = Deno.readTextFile; // runs on a thread of Deno's
await other(dir + "/secret");
const { problems, replaced } = confine(service, { fds: [around] });
const results = {
  secret: open("/secret", 0),
  rw: open("/rw/f", 2),
  ro: open("/ro/f", 0),
  written: open("/ro/f", 2),
  cut: open("/ro/f", 0o1002),
  made: open("/rw/new", 0o102),
  madeBeside: open("/new", 0o102),
  moved: move("/rw/new", "/rw/d/new"),
  movedOut: move("/rw/d/new", "/new"),
  reopened: Math.min(service.proc.reopen(around, 0), 0),
};
console.error(JSON.stringify({ problems, replaced, results }));
syscall(231, 0);
`;

/** Runs the program as a user, in a directory with files of that user. */
async function runAs(
  user: number,
): Promise<{ problems: string[]; replaced: string[]; results: unknown }> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  try {
    const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const imports = `import { confine } from ${here("./confine.ts")};
      import { Service } from ${here("./service.ts")};
      import { openRoot } from ${here("../backend/export_root.ts")};
      import { syscall } from ${here("../../ffi/sys/native.ts")};
      import { scratch } from ${here("../../ffi/sys/cstring.ts")};`;
    Deno.writeTextFileSync(`${dir}/program.js`, imports + PROGRAM);
    for (const d of ["rw", "rw/d", "ro", "cache"]) Deno.mkdirSync(`${dir}/${d}`);
    for (const f of ["secret", "rw/f", "ro/f"]) Deno.writeTextFileSync(`${dir}/${f}`, "text");
    await new Deno.Command("chown", { args: ["-R", `${user}:${user}`, dir] }).output();
    const config = new URL("../../deno.json", import.meta.url).pathname;
    const run = ["run", "-A", "--no-check", "-q", "--config", config, `${dir}/program.js`, dir];
    const own = [Deno.execPath(), ...run];
    const [command = "", ...args] = user === 0 ? own : asUser(user, own);
    const env = { HOME: dir, DENO_DIR: `${dir}/cache` };
    const { stderr } = await new Deno.Command(command, { args, env, stdin: "null" }).output();
    const text = new TextDecoder().decode(stderr);
    const said = text.split("\n").find((line) => line.startsWith('{"problems"'));
    assert(said !== undefined, text);
    return JSON.parse(said);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

const EXPECTED = {
  secret: -EACCES,
  rw: 0,
  ro: 0,
  written: -EACCES,
  cut: -EACCES,
  made: 0,
  madeBeside: -EACCES,
  moved: 0,
  movedOut: -EACCES,
  reopened: -EACCES,
};

Deno.test(
  named("an ordinary user's Gofer opens only what is below its roots", lacking),
  async () => {
    const { problems, replaced, results } = await runAs(USER);
    assertEquals([problems, replaced.length], [[], 3], "no clones, no empty root: Landlock");
    assertEquals(results, EXPECTED);
  },
);

Deno.test(
  named("root's Gofer opens only what is below its roots, even by a descriptor of others", lacking),
  async () => {
    const { problems, replaced, results } = await runAs(0);
    assertEquals([problems, replaced], [[], []]);
    assertEquals(results, EXPECTED);
  },
);
