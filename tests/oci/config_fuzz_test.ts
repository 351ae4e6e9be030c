/**
 * Mutations of a config.json with all its members: types, sizes, `..`, paths through links that
 * lead out of the root directory, huge lists. A container runs, or is refused with one line that
 * names the JSON path. Nothing outside of its root directory changes, and nothing is left behind.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, run } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { runCases } from "../harness/fuzz_run.ts";
import { Bundle, type BundleConfig, shellConfig } from "./bundle.ts";
import { runtimesOf, withEach } from "./lifecycle.ts";
import { namesOf, snapshot } from "./directory_snapshot.ts";
import { Random } from "../harness/seeded.ts";

const CASES = { ci: 6, full: 300 }, MUTATIONS = 5;
/** LIMIT: one container, whatever its config.json says. */
const TIMEOUT_S = 60;
/** LIMIT: characters of a message. */
const MESSAGE_MAX = 1000;
const LONG = 5000;
/** LIMIT: bytes of a config.json, about. */
const CONFIG_MAX = 2e6;

/** Mounts of all kinds; their sources are files of the bundle. */
function everything(bundle: Bundle): BundleConfig {
  const config = shellConfig(""), { dir } = bundle;
  Object.assign(config.process, {
    args: ["/bin/busybox", "true"],
    user: { uid: 1, gid: 1, umask: 18, additionalGids: [1] },
    rlimits: [{ type: "RLIMIT_NOFILE", soft: 100, hard: 100 }],
    oomScoreAdj: 500,
    scheduler: { policy: "SCHED_OTHER", nice: 1 },
    ioPriority: { class: "IOPRIO_CLASS_IDLE" },
    noNewPrivileges: true,
  });
  config.mounts.push(
    { destination: "/out/t", type: "tmpfs", source: "t", options: ["nosuid", "size=1m"] },
    { destination: "/rel", type: "bind", source: `${dir}/src`, options: ["rbind", "ro"] },
  );
  Object.assign(config.linux, {
    devices: [{ path: "/dev/x", type: "c", major: 1, minor: 3, fileMode: 0o666, uid: 0, gid: 0 }],
    cgroupsPath: `/dvisor-test/${dir.split("/").at(-1)}`,
    resources: {
      devices: [{ allow: false, access: "rwm" }],
      memory: { limit: 1 << 28 },
      cpu: { shares: 512, cpus: "0" },
      pids: { limit: 100 },
    },
    sysctl: { "net.ipv4.ip_forward": "1", "kernel.msgmax": "4096" },
    rootfsPropagation: "private",
    maskedPaths: ["/proc/kcore", "/out/file"],
    readonlyPaths: ["/proc/sys", "/rel"],
    seccomp: {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [{ names: ["acct"], action: "SCMP_ACT_ERRNO", errnoRet: 1 }],
    },
  });
  const hooks = { poststop: [{ path: "/bin/true", args: ["true"], env: ["A=b"], timeout: 5 }] };
  return { ...config, annotations: { "org.example.a": "1" }, hooks };
}

/** Places of values, as lists of names. */
function placesOf(value: unknown, path: string[] = []): string[][] {
  const here = path.length === 0 ? [] : [path];
  if (typeof value !== "object" || value === null) return here;
  const inner = Object.entries(value).flatMap(([name, at]) => placesOf(at, [...path, name]));
  return [...here, ...inner];
}

function valueAt(root: unknown, path: readonly string[]): unknown {
  return path.reduce((at, name) => {
    return typeof at === "object" && at !== null ? Reflect.get(at, name) : undefined;
  }, root);
}

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = [value];
  return value;
}

/** A long list of these, of a size that can be written. */
function repeated(values: readonly unknown[]): unknown[] {
  const bytes = JSON.stringify(values).length / Math.max(1, values.length);
  const count = Math.min(LONG, Math.floor(CONFIG_MAX / bytes));
  return Array.from({ length: count }, (_, i) => values[i % Math.max(1, values.length)]);
}

/** Another value in the place of `old`; undefined to remove it. */
function hostile(random: Random, old: unknown, bundle: Bundle): unknown {
  const paths = [
    ...[
      "..",
      "/..",
      "/../../../../outside",
      `${bundle.dir}/outside/new`,
      "/out/new",
      "/rel/../new",
    ],
    ...[
      "/out/../../new",
      "/loop/x",
      "/bin/busybox/x",
      "/dead/new",
      "a\u0000b",
      "\ud800",
      "/proc/1",
    ],
    `/${"x/".repeat(2000)}`,
  ];
  switch (random.below(7)) {
    case 0:
      return random.pick([0, -1, 1.5, 1e300, 2 ** 31, 2 ** 53, true, false, null]);
    case 1:
      return random.pick<unknown>(["", "x".repeat(100_000), [], {}, [[]], { a: {} }, nested(500)]);
    case 2:
      return repeated(Array.isArray(old) ? old : [old]);
    case 3:
      return undefined;
    case 4:
      return Array.isArray(old) ? [...old, ...old] : [old];
    default:
      return random.pick(paths);
  }
}

function sizeOf(config: BundleConfig): number {
  return JSON.stringify(config).length;
}

/** Directories of the host that config.json may name as it likes: a change there is allowed. */
function isHostPath(path: readonly string[]): boolean {
  return ["root", "source"].some((name) => path.includes(name)) && path.at(-1) !== "readonly";
}

function mutate(random: Random, config: BundleConfig, bundle: Bundle): string {
  const path = random.pick(placesOf(config).filter((place) => !isHostPath(place)));
  const parent = valueAt(config, path.slice(0, -1)), name = path.at(-1) ?? "";
  const value = hostile(random, valueAt(config, path), bundle);
  if (typeof parent === "object" && parent !== null) Reflect.set(parent, name, value);
  return path.join(".");
}

function prepare(bundle: Bundle): void {
  const { dir, root } = bundle;
  Deno.mkdirSync(`${dir}/outside/dir`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/outside/file`, "outside");
  Deno.mkdirSync(`${dir}/src`);
  Deno.mkdirSync(`${dir}/state`);
  const links = { out: `${dir}/outside`, rel: "../outside", loop: "loop", dead: "/nothing/there" };
  for (const [name, target] of Object.entries(links)) Deno.symlinkSync(target, `${root}/${name}`);
}

function hostFacts(bundle: Bundle): string[] {
  const settings = ["kernel/hostname", "net/ipv4/ip_forward", "kernel/msgmax"]
    .map((name) => Deno.readTextFileSync(`/proc/sys/${name}`));
  const mounts = Deno.readTextFileSync("/proc/self/mountinfo").split("\n")
    .filter((line) => line.includes(bundle.dir));
  return [...settings, ...mounts, ...snapshot(`${bundle.dir}/outside`), ...namesOf(bundle.dir)];
}

Deno.test({
  ...named("a config.json that has everything runs", noContainers),
  fn: () =>
    withEach(runtimesOf({}), async (runtime) => {
      const bundle = new Bundle();
      try {
        prepare(bundle);
        bundle.write(everything(bundle));
        const result = await bundle.run(runtime);
        assertEquals(result.code, 0, describe(result));
      } finally {
        bundle.remove();
      }
    }),
});

/** Several mutations of config.json, one after the other, in one bundle. */
async function runChanged(random: Random): Promise<void> {
  const bundle = new Bundle();
  try {
    prepare(bundle);
    bundle.write(shellConfig(""));
    const before = hostFacts(bundle);
    for (let i = 0; i < MUTATIONS; i++) {
      const config = everything(bundle);
      const changed: string[] = [];
      // A config.json that has become large gets no further mutation.
      for (let n = 1 + random.below(3); n > 0 && sizeOf(config) < LONG; n--) {
        changed.push(mutate(random, config, bundle));
      }
      bundle.write(config);
      const argv = bundle.commandLine("dvisor", ["--root", `${bundle.dir}/state`]);
      const result = await run(argv, { timeoutS: TIMEOUT_S });
      const what = `${changed.join(", ")}: ${describe(result)}`;
      assertEquals(hostFacts(bundle), before, what);
      assertEquals(namesOf(`${bundle.dir}/state`), [], what);
      const isOwn = result.stderr.endsWith("applet not found\n");
      if (result.code !== 0 && !isOwn) assertRefused(result.stderr, what);
    }
  } finally {
    bundle.remove();
  }
}

Deno.test({
  ...named("a config.json that was changed does no harm", noContainers),
  fn: () => runCases("config", CASES, runChanged),
});

/** The message is one line, with the JSON path or the program that does not run. */
function assertRefused(message: string, what: string): void {
  const lines = message.trim().split("\n");
  assert(lines.every((line) => line.length < MESSAGE_MAX), what);
  assertMatch(lines.at(-1) ?? "", /config\.json|exec: "/, what);
}
