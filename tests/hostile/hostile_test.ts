/**
 * Hostile guests, end to end: whatever a guest does to its stub, to signals and to limits, the
 * Sentry stays up, serves others of the same sandbox, and other sandboxes work on. `guests/` has
 * the guests: none makes sense on a bare host. What they may do to a stub is tested closer in
 * platform/systrap.
 */

import { assert, assertEquals } from "@std/assert";
import {
  describe,
  doCommand,
  dvisorCommand,
  type PlatformName,
  ROOT,
  run,
} from "../harness/dvisor.ts";
import { isFull, isRoot, named, PYTHON } from "../harness/machine.ts";
import { Session } from "../harness/session.ts";
import { trampoline } from "./trampoline.ts";

const GUESTS = `${ROOT}/tests/hostile/guests`;
const noPython = PYTHON === null ? "no python3 on this machine" : null;

const seed = Number(Deno.env.get("DVISOR_SEED") ?? Math.floor(Math.random() * 2 ** 31));

/** Another sandbox, which prints a count as long as it is served. */
async function witness(): Promise<Session> {
  const script = "echo ready; i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done";
  return await Session.start([...doCommand("systrap"), "sh", "-c", script]);
}

function count(session: Session): number {
  return Number(/(\d+)\n[^\n]*$/.exec(session.stdout)?.[1] ?? 0);
}

interface Attack {
  readonly guest: string;
  readonly options: Readonly<Record<string, string>>;
  readonly timeoutS: number;
  readonly platforms: readonly PlatformName[];
  /**
   * Broken children run as another user, so that no call that they happen to make reaches their
   * watcher.
   */
  readonly needsRoot?: boolean;
}

function command(attack: Attack, folder = GUESTS): string[] {
  const options = { seed: String(seed), ...trampoline(), ...attack.options };
  return [PYTHON ?? "", "-B", `${folder}/${attack.guest}.py`, JSON.stringify(options)];
}

async function survives(argv: readonly string[], timeoutS: number): Promise<string> {
  const other = await witness();
  try {
    const before = count(other);
    const result = await run(argv, { timeoutS });
    assertEquals(result.code, 0, `seed ${seed}: ${describe(result)}`);
    assert(/^done$/m.test(result.stdout), `seed ${seed}: ${describe(result)}`);
    assert(!/bug in dvisor/.test(result.stderr), describe(result));
    const after = count(other);
    assert(await other.saw(new RegExp(`^${after + 1}$`, "m")), "the other sandbox stands still");
    assert(after > before, "the other sandbox stood still");
    return result.stdout;
  } finally {
    await other.destroy();
  }
}

const ATTACKS: Readonly<Record<string, Attack>> = {
  "jumps into the stub's text with any registers": {
    guest: "jumps",
    needsRoot: true,
    options: { step: isFull ? "1" : "7" },
    timeoutS: isFull ? 1800 : 120,
    platforms: ["systrap"],
  },
  "rewrites its control block during calls": {
    guest: "slots",
    needsRoot: true,
    options: { rounds: isFull ? "300" : "25" },
    timeoutS: isFull ? 600 : 90,
    platforms: ["systrap"],
  },
  "fills the doorbell": {
    guest: "doorbell",
    needsRoot: true,
    options: { seconds: isFull ? "1" : "0.05" },
    timeoutS: isFull ? 300 : 90,
    platforms: ["systrap"],
  },
  "hides from the kick": {
    guest: "hide",
    needsRoot: true,
    options: {},
    timeoutS: 60,
    platforms: ["systrap"],
  },
  "floods signals": {
    guest: "signals",
    options: { seconds: isFull ? "20" : "3" },
    timeoutS: 90,
    platforms: ["systrap", "ptrace"],
  },
  "takes processes, threads, descriptors, mappings and files to their limits": {
    guest: "limits",
    options: {
      many: isFull ? "4000" : "400",
      what: "forks,fork_bomb,threads,descriptors,pipes,sockets,mappings,reserved,files",
    },
    timeoutS: isFull ? 900 : 120,
    platforms: ["systrap", "ptrace"],
  },
};

function noUser({ needsRoot }: Attack): string | null {
  return needsRoot === true && !isRoot ? "needs root: its worker becomes another user" : null;
}

for (const [name, attack] of Object.entries(ATTACKS)) {
  for (const platform of attack.platforms) {
    Deno.test({
      ...named(`${platform}: a guest that ${name}`, noPython ?? noUser(attack)),
      fn: async () => {
        console.log(
          await survives(
            [...doCommand(platform, "--pids=max"), ...command(attack)],
            attack.timeoutS,
          ),
        );
      },
    });
  }
}

/** Bytes that the sandbox of the next test has. */
const MEMORY_LIMIT = 256 * 1024 * 1024;

Deno.test({
  ...named(
    "systrap: a guest that takes memory to its limit",
    noPython ?? (isRoot ? null : "needs root: containers of other users have no limits of memory"),
  ),
  fn: async () => {
    const bundle = await Deno.makeTempDir({ prefix: "dvisor-hostile-" });
    try {
      const attack = {
        guest: "limits",
        options: { many: "400", what: "memory,file_data,memory" },
        timeoutS: 120,
        platforms: [],
      };
      const config = {
        ociVersion: "1.0.2",
        process: { args: command(attack, "/mnt"), cwd: "/", env: ["PATH=/usr/bin:/bin"] },
        root: { path: "/", readonly: true },
        mounts: [
          { destination: "/proc", type: "proc" },
          { destination: "/dev", type: "tmpfs" },
          { destination: "/tmp", type: "tmpfs" },
          { destination: "/mnt", type: "bind", source: GUESTS, options: ["bind", "ro"] },
        ],
        linux: { resources: { memory: { limit: MEMORY_LIMIT } } },
      };
      await Deno.writeTextFile(`${bundle}/config.json`, JSON.stringify(config));
      const argv = [...dvisorCommand(), "run", "--platform=systrap", "--bundle", bundle, "hostile"];
      console.log(await survives(argv, 120));
    } finally {
      await Deno.remove(bundle, { recursive: true });
    }
  },
});
