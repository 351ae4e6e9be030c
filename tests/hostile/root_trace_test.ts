/**
 * The host calls that create, start, exec and delete make for a hostile root directory, recorded by
 * strace(1): they name the directory itself and nothing below it. Only the Gofer goes below, name
 * by name, and follows no link. Neighbours: `tests/oci/hostile_root_test.ts` has more roots, and
 * checks what is left outside of them.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, PLATFORM } from "../harness/dvisor.ts";
import { lacks, named, noContainers } from "../harness/machine.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";
import { snapshot } from "../oci/directory_snapshot.ts";

/** A process has one tracer. */
const noTracer = PLATFORM === "ptrace" ? "the platform traces what strace would" : null;

/** A container whose commands are traced, with all that they start, each in a log of its own. */
class Traced extends Lifecycle {
  readonly logs: string[] = [];

  constructor() {
    super("dvisor");
  }

  override argv(...args: string[]): string[] {
    const log = this.file(`trace.${this.logs.length}`);
    this.logs.push(log);
    // The tracer is a process of its own (-D): what a command leaves behind is traced on.
    const options = ["-D", "-f", "-y", "-q", "-s", "4096", "-e", "trace=%file", "-o", log];
    return ["strace", ...options, ...super.argv(...args)];
  }
}

interface NamedCall {
  readonly tid: string;
  readonly name: string;
  readonly args: string;
}

/** Calls with names of files that succeeded. */
function namedCalls(log: string): NamedCall[] {
  const begun = new Map<string, string>(), calls: NamedCall[] = [];
  for (const line of log.split("\n")) {
    const [, tid = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const rest = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    const whole = rest === undefined ? text : (begun.get(tid) ?? "") + rest;
    if (whole.endsWith(" <unfinished ...>")) {
      begun.set(tid, whole.slice(0, -" <unfinished ...>".length));
      continue;
    }
    const [, name, args] = /^(\w+)\((.*)\) += [^-]/.exec(whole) ?? [];
    if (name !== undefined && args !== undefined) calls.push({ tid, name, args });
  }
  return calls;
}

Deno.test("namedCalls puts calls together that another thread interrupts", () => {
  const log = '1 open("a", 0) = 3</a>\n1 openat(AT_FDCWD, "b" <unfinished ...>\n' +
    '2 stat("c", {}) = -1 ENOENT (No)\n1 <... openat resumed>, 0) = 4</b>\n';
  assertEquals(namedCalls(log).map(({ name, args }) => `${name} ${args}`), [
    'open "a", 0',
    'openat AT_FDCWD, "b", 0',
  ]);
});

function makeHostile(t: Traced): void {
  const { bundle, config } = t, { dir, root } = bundle, outside = `${dir}/outside`;
  for (const name of ["outside/dir", "src", "rootfs/etc", "rootfs/dev"]) {
    Deno.mkdirSync(`${dir}/${name}`, { recursive: true });
  }
  for (const name of ["outside/file", "src/file"]) Deno.writeTextFileSync(`${dir}/${name}`, name);
  const links = {
    ...{ m: `${outside}/dir`, up: "../../outside", fd: "/proc/self/fd/7", up2: "/proc/1/root" },
    ...{ "etc/passwd": `${outside}/file`, "etc/group": "../../../outside/file" },
    ...{ "dev/pts": `${outside}/dir`, "dev/console": `${outside}/new` },
  };
  for (const [name, target] of Object.entries(links)) Deno.symlinkSync(target, `${root}/${name}`);
  const bind = (destination: string, source: string) =>
    void config.mounts.push({ destination, source, type: "bind", options: ["rbind"] });
  bind("/etc/passwd", "src/file");
  bind("/m/bound", "src");
  bind("/up/new/file", "src/file");
  config.mounts.push({ destination: "/m/t/mp", type: "tmpfs", source: "t" });
  config.process["cwd"] = "/m/cwd";
  Object.assign(config.linux, {
    devices: [{ path: "/up/null", type: "c", major: 1, minor: 3 }],
    maskedPaths: ["/m/bound/file", "/etc/group"],
    readonlyPaths: ["/up/new", "/m"],
  });
}

/** The guest's changes while commands run, to lead the host's side out; all in its own root. */
const GUEST = `echo up; cd /
for name in m up; do rm -f /x; ln -s /proc/1/root /x; mkdir -p /$name/more/and/more; done
for file in /proc/[0-9]*/exe /proc/self/exe; do echo x 2>/dev/null >$file; done
sleep 60`;

Deno.test({
  ...named(
    "no command follows a link of a hostile root on the host",
    noContainers ?? lacks(["strace"]) ?? noTracer,
  ),
  fn: async () => {
    becomeSubreaper();
    const t = new Traced();
    try {
      makeHostile(t);
      const { dir, root } = t.bundle, before = snapshot(`${dir}/outside`);
      await t.running(GUEST);
      await t.until("up");
      const tracer = Number(
        /^TracerPid:\s+(\d+)/m.exec(Deno.readTextFileSync(`/proc/${t.pid}/status`))?.[1],
      );
      const exec = ["exec", "--cwd", "/m/exec/here", t.id, "sh", "-c", "pwd; cat /etc/passwd"];
      await t.call(...exec);
      const ran = await t.call("exec", "--cwd", "/m/cwd", t.id, "cat", "/etc/passwd");
      assertEquals([ran.code, ran.stdout], [0, "src/file"], describe(ran));
      await t.must("delete", "--force", t.id);
      await t.reap(tracer);
      assertEquals(snapshot(`${dir}/outside`), before);
      const calls = t.logs.flatMap((log) => namedCalls(Deno.readTextFileSync(log)));
      const gofer = assertGofer(calls);
      // The Gofer meets that name inside, where the container has made the same directories.
      const led = calls.filter(({ tid, args }) =>
        !gofer.has(tid) && args.includes(`${dir}/outside`)
      );
      assertEquals(led, [], "something led out");
      // CVE-2019-5736: the guest has tried.
      const written = calls.filter(({ args }) =>
        /\/dvisor(-gofer)?>? *"?,.*O_(WRONLY|RDWR)/.test(args)
      );
      assertEquals(written, [], "the runtime's own program was opened for writing");
      const below = calls.filter(({ args }) => args.includes(`"${root}/`));
      assertEquals(below, [], "a name below the root directory");
      const whole = calls.filter(({ args }) => args.includes(`"${root}"`)).map((c) => c.name);
      assertEquals([...new Set(whole)].sort(), ["open_tree", "statx"]);
    } finally {
      await endAll([t]);
    }
  },
});

/**
 * Each name is one component, from a directory that is held, and no link is followed.
 *
 * @returns its threads
 */
function assertGofer(calls: readonly NamedCall[]): Set<string> {
  const walks = calls.filter(({ name, args }) => name === "openat2" && !args.includes('""'));
  assert(walks.length > 10, `${walks.length} names were walked`);
  const careless = walks.filter(({ args }) => !/RESOLVE_NO_SYMLINKS\|RESOLVE_BENEATH/.test(args));
  assertEquals(careless, []);
  const tids = new Set(walks.map(({ tid }) => tid));
  const long = calls.filter(({ tid, args }) => {
    const [, name = ""] = /^\d+<[^>]*>, "([^"]*)"/.exec(args) ?? [];
    return tids.has(tid) && (name.includes("/") || name === "..");
  });
  assertEquals(long, []);
  return tids;
}
