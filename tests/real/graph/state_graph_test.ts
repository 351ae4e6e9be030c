/**
 * The graph of objects of a kernel that runs real programs is what a snapshot would save, as that
 * of a simulated kernel is (tests/sim/state_graph_test.ts): each object is of a class that
 * kernel/snapshot/rules names, with the fields of the table of state; no function is among them.
 *
 * The walk has to run in the process that holds the kernel, which is confined and has no way in for
 * a test. So dvisor runs from its sources with another main module, walked_dvisor.ts: the boot
 * process is the product's own, with the platform, the Gofer and the confinement, but each poll of
 * its host looks for a guest that asks for a walk by its name. The guests first make what they hold
 * (bash.sh, python.py, redis.sh, pod_first.sh and pod_second.sh), then one of them asks and waits.
 * The findings come back in the debug log.
 */

import { assertEquals } from "@std/assert";
import { close } from "../../../ffi/sys/files.ts";
import { describe, PLATFORM, ROOT, run } from "../../harness/dvisor.ts";
import { lacks, named, noContainers, PYTHON } from "../../harness/machine.ts";
import { eventually } from "../../harness/processes.ts";
import { FdSocket } from "../../oci/fd_socket.ts";
import { becomeSubreaper, endAll, Lifecycle } from "../../oci/lifecycle.ts";
import { MARK, type WalkReport } from "./graph_walker.ts";

const FOLDER = `${ROOT}/tests/real/graph`;
const DVISOR = [
  ...[Deno.execPath(), "run", "-A", "--no-lock", "--v8-flags=--no-enable-lazy-source-positions"],
  ...[`${FOLDER}/walked_dvisor.ts`, `--platform=${PLATFORM}`, "--panic-on-bug"],
];
/** LIMIT: how long the programs of a test, or one step of it, may take on a busy machine. */
const TIMEOUT_S = 200, SOON_MS = 100_000;

/** The reports in a debug log; a last line that the kernel still writes does not count. */
function reportsIn(log: string): WalkReport[] {
  const whole = Deno.readTextFileSync(log).split("\n").slice(0, -1);
  const lines = whole.filter((line) => line.includes(MARK));
  return lines.map((line) => JSON.parse(line.slice(line.indexOf(MARK) + MARK.length)));
}

/**
 * Asserts that the walks have these labels and found nothing. `expected`: classes that they must
 * have met, so that the guests still make the objects that this test is for.
 */
function assertReports(
  reports: readonly WalkReport[],
  labels: readonly string[],
  expected: string,
): void {
  const met = new Set(reports.flatMap((report) => report.classes));
  assertEquals([...new Set(reports.flatMap((report) => report.findings))], []);
  assertEquals(reports.map((report) => report.label), labels);
  assertEquals(expected.trim().split(/\s+/).filter((name) => !met.has(name)), []);
}

async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "dvisor-graph-" });
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a program of the host in `dvisor do`, which asks for two walks. */
async function walkProgram(name: string, argv: string[], expected: string): Promise<void> {
  await withFolder(async (folder) => {
    const log = `${folder}/log`, work = `${folder}/work`;
    await Deno.mkdir(work);
    const passed = [
      "--show",
      folder,
      "--env",
      `WORK=${work}`,
      "--env",
      `SOURCES=${ROOT}/tests/real`,
    ];
    const command = [...DVISOR, "do", ...passed, "--debug-log", log, "--", ...argv];
    const result = await run(command, { timeoutS: TIMEOUT_S });
    assertEquals(result.code, 0, describe(result));
    assertReports(reportsIn(log), [name, `${name} end`], expected);
  });
}

Deno.test({
  ...named(
    "each object of a kernel with bash is in the registry",
    lacks(["bash", "flock", "script"]),
  ),
  fn: () =>
    walkProgram(
      "bash",
      ["script", "-qec", `bash ${FOLDER}/bash.sh`, "/dev/null"],
      "Fifo FileLock GoferDirectory GoferRegular OverlayFile Pipe Session SlaveFile Terminal",
    ),
});

Deno.test({
  ...named(
    "each object of a kernel with Python is in the registry",
    PYTHON === null ? "no python3 on this machine" : null,
  ),
  fn: () =>
    walkProgram(
      "python",
      [PYTHON ?? "", "-B", `${FOLDER}/python.py`],
      `AioContext EpollItem Event FifoOpen FutexWaiter InotifyWatch IpcMessage LoopbackTcp PidFd
       PosixTimer RightsInFlight SemUndoList ShmSegment TimerFile UdpSocket UnixSeqpacket`,
    ),
});

Deno.test({
  ...named(
    "each object of a kernel with Redis is in the registry",
    lacks(["bash", "redis-server", "redis-cli"]),
  ),
  fn: () =>
    walkProgram(
      "redis",
      ["bash", `${FOLDER}/redis.sh`],
      "Backlog EpollItem LoopbackTcp TcpSequence UnixStream",
    ),
});

/** A container whose runtime walks. */
class WalkedLifecycle extends Lifecycle {
  override argv(...args: string[]): string[] {
    return [...DVISOR, "--root", this.root, ...this.globals, ...args];
  }

  /** Walks from a process that exec(2) starts. */
  walk(label: string): Promise<string> {
    return this.must("exec", this.id, "sh", "-c", `. /graph/walk.sh; walk "${label}"`);
  }
}

/** A container that runs a script of this folder, with a tmpfs and volumes. */
function containerOf(script: string, volume: string, root?: string): WalkedLifecycle {
  const t = new WalkedLifecycle("dvisor", root);
  t.config.process["args"] = ["sh", `/graph/${script}`];
  t.config.mounts.push(
    { destination: "/graph", type: "bind", source: FOLDER, options: ["bind", "ro"] },
    { destination: "/v", type: "bind", source: volume, options: ["bind"] },
    { destination: "/t", type: "tmpfs", source: "tmpfs" },
    { destination: "/dev/mqueue", type: "mqueue", source: "mqueue" },
    { destination: "/sys/fs/cgroup", type: "cgroup", source: "cgroup" },
  );
  return t;
}

/** Adds a mount of an overlay with files of the host in all its layers. */
function addOverlay(t: Lifecycle): void {
  for (const name of ["l/d", "u", "w"]) Deno.mkdirSync(t.file(name), { recursive: true });
  for (const name of ["l/file", "l/old"]) Deno.writeTextFileSync(t.file(name), "text\n");
  const options = ["lowerdir", "upperdir", "workdir"].map((key) => `${key}=${t.file(key[0]!)}`);
  t.config.mounts.push({ destination: "/o", type: "overlay", source: "o", options });
}

/** Runs a pod with three walks: of both containers, of a process of exec, of the first alone. */
async function walkPod(folder: string, log: string): Promise<void> {
  const first = containerOf("pod_first.sh", folder);
  const second = containerOf("pod_second.sh", folder, first.root);
  second.config["annotations"] = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.sandbox-id": first.id,
  };
  first.config.process["terminal"] = true;
  first.globals.push("--overlay=memory", "--debug-log", log);
  addOverlay(first);
  const socket = new FdSocket(first.bundle.dir, "console.sock");
  try {
    await first.created("--console-socket", socket.path);
    const master = socket.receive();
    await first.must("start", first.id);
    await second.created();
    await second.must("start", second.id);
    const isDone = () => reportsIn(log).length > 0;
    if (!await eventually(isDone, SOON_MS)) throw new Error(`no walk: ${second.text("err")}`);
    await first.walk("exec");
    await second.must("delete", "--force", second.id);
    await first.walk("pod end");
    close(master);
  } finally {
    socket.close();
    await endAll([second, first]);
  }
}

Deno.test({
  ...named("each object of a kernel with a pod is in the registry", noContainers),
  fn: () =>
    withFolder(async (folder) => {
      becomeSubreaper();
      const log = `${folder}/log`;
      await walkPod(folder, log);
      const expected = "ContainerNode GoferNode HostTransport OverlayFile Pipe SlaveFile Terminal";
      assertReports(reportsIn(log), ["pod", "exec", "pod end"], expected);
    }),
});
