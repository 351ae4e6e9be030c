/**
 * Two containers of one pod for `bench:victim --pod`: a victim, and an attacker that is root of its
 * container, with Docker's default capabilities. They share a third one's network, IPC and UTS
 * namespaces, as Kubernetes has it, and its PID namespace where an attack asks for it. What they do
 * is in victim/pod.py; they share a file of words with this process.
 */

import { becomeSubreaper, endAll, Lifecycle } from "../oci/lifecycle.ts";
import type { RuntimeName } from "../oci/bundle.ts";
import type { Figures, Finding } from "./victim_report.ts";

const CAPABILITIES = [
  ...["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"],
  ...["NET_BIND_SERVICE", "NET_RAW", "SYS_CHROOT", "MKNOD", "AUDIT_WRITE", "SETFCAP"],
].map((name) => `CAP_${name}`);
/** Docker's. */
const READONLY_PATHS = ["bus", "fs", "irq", "sys", "sysrq-trigger"].map((name) => `/proc/${name}`);
const MASKED_PATHS = [
  ...["acpi", "kcore", "keys", "latency_stats", "timer_list", "sched_debug", "scsi"]
    .map((name) => `/proc/${name}`),
  "/sys/firmware",
];
const MIB = 1 << 20;
/** Bytes of memory of the whole sandbox, of the attacker and of the victim. */
const SANDBOX_BYTES = 1536 * MIB, ATTACKER_BYTES = 768 * MIB, VICTIM_BYTES = 256 * MIB;
const QUIET_MS = 2000, TIMEOUT_MS = 120_000;
/** Phases of the victim: pod.py. */
const WAITING = -1n, QUIET = 0n, LOUD = 1n, END = 2n;

/** The report that the victim prints. */
interface Told {
  readonly quiet: Figures;
  readonly loud: Figures | null;
  readonly failed: readonly [Record<string, number>, Record<string, number>];
  readonly shared: readonly string[];
}

export class Pod {
  readonly #programs: string;
  readonly #runtime: RuntimeName;
  readonly #sandbox: Lifecycle;
  readonly #all: Lifecycle[];

  /** @param programs directory of pod.py */
  constructor(programs: string, runtime: RuntimeName) {
    becomeSubreaper();
    this.#programs = programs;
    this.#runtime = runtime;
    this.#sandbox = this.#container(SANDBOX_BYTES, null);
    this.#all = [this.#sandbox];
  }

  /** The attack beside the victim; null: the victim ended before it. */
  async run(attack: string, seconds: string, sharesPids: boolean): Promise<Finding | null> {
    const board = this.#sandbox.file("board");
    Deno.writeFileSync(board, new Uint8Array(4096));
    const words = Deno.openSync(board, { read: true, write: true });
    try {
      setWord(words, 0, WAITING);
      await this.#sandbox.running("sleep 1000; echo");
      const victim = await this.#member(VICTIM_BYTES, sharesPids, ["victim", "/board"]);
      const arguments_ = ["attacker", "/board", attack, seconds];
      const attacker = await this.#member(ATTACKER_BYTES, sharesPids, arguments_);
      setWord(words, 0, QUIET);
      await pause(QUIET_MS);
      setWord(words, 0, LOUD);
      const status = await exitCode(attacker);
      await attacker.call("delete", "--force", attacker.id);
      setWord(words, 0, END);
      const ended = await exitCode(victim);
      if (ended !== 0) return null;
      const { quiet, loud, failed, shared } = told(victim);
      const rounds = Number(word(words, 1)), setup_ms = Number(word(words, 2)) / 1e6;
      const made = Number(attacker.text("out").trim().split("\n").at(-1));
      return { attack, status, rounds, setup_ms, quiet, loud, failed: failed[1], shared, made };
    } finally {
      words.close();
      await endAll(this.#all.toReversed());
    }
  }

  /** A running one of the pod, whose program has begun. */
  async #member(bytes: number, sharesPids: boolean, args: readonly string[]): Promise<Lifecycle> {
    const member = this.#container(bytes, this.#sandbox);
    this.#all.push(member);
    const kinds = ["network", "ipc", "uts", ...(sharesPids ? ["pid"] : [])];
    const files: Record<string, string> = { network: "net" };
    member.config.linux["namespaces"] = [
      ...kinds.map((type) => ({
        type,
        path: `/proc/${this.#sandbox.pid}/ns/${files[type] ?? type}`,
      })),
      ...["mount", ...(sharesPids ? [] : ["pid"])].map((type) => ({ type })),
    ];
    member.config["annotations"] = {
      "io.kubernetes.cri.container-type": "container",
      "io.kubernetes.cri.sandbox-id": this.#sandbox.id,
    };
    member.config.process["args"] = ["/usr/bin/python3", "-B", "/programs/pod.py", ...args];
    await member.created();
    await member.must("start", member.id);
    await member.until("up");
    return member;
  }

  #container(bytes: number, sandbox: Lifecycle | null): Lifecycle {
    const made = new Lifecycle(this.#runtime, sandbox?.root), { config, bundle } = made;
    for (const name of ["tmp", "etc"]) Deno.mkdirSync(`${bundle.root}/${name}`);
    Deno.writeTextFileSync(`${bundle.root}/etc/own`, "of the image\n");
    const capabilities = {
      bounding: CAPABILITIES,
      effective: CAPABILITIES,
      permitted: CAPABILITIES,
    };
    const nofile = { type: "RLIMIT_NOFILE", hard: 1 << 20, soft: 1 << 20 };
    // runc can give no more than this process may have.
    const rlimits = this.#runtime === "dvisor" ? [nofile] : [];
    Object.assign(config.process, { capabilities, rlimits });
    Object.assign(config.linux, {
      cgroupsPath: `/dvisor-bench/${made.id}`,
      resources: { memory: { limit: bytes, swap: bytes } },
      readonlyPaths: READONLY_PATHS,
      maskedPaths: MASKED_PATHS,
    });
    if (sandbox !== null) config.mounts.push(...this.#mounts(sandbox));
    return made;
  }

  #mounts(sandbox: Lifecycle): object[] {
    const bind = (source: string, destination: string, mode: string) => (
      { destination, type: "bind", source, options: ["rbind", mode] }
    );
    const tmpfs = { destination: "/dev/shm", type: "tmpfs", source: "shm", options: ["size=64m"] };
    const mqueue = { destination: "/dev/mqueue", type: "mqueue", source: "mqueue" };
    return [
      ...["/usr", "/lib", "/lib64"].map((path) => bind(path, path, "ro")),
      bind(this.#programs, "/programs", "ro"),
      bind(sandbox.file("board"), "/board", "rw"),
      tmpfs,
      mqueue,
    ];
  }
}

function told(victim: Lifecycle): Told {
  return JSON.parse(victim.text("out").trim().split("\n").at(-1) ?? "");
}

/** Of its first process, in the end. */
async function exitCode(container: Lifecycle): Promise<number> {
  let code = -1;
  const isGone = async () => {
    try {
      code = await container.reap();
      return true;
    } catch {
      return false;
    }
  };
  const until = Date.now() + TIMEOUT_MS;
  while (!await isGone()) {
    if (Date.now() > until) throw new Error(`${container.id} does not end`);
  }
  return code;
}

function setWord(file: Deno.FsFile, at: number, value: bigint): void {
  file.seekSync(8 * at, Deno.SeekMode.Start);
  file.writeSync(new Uint8Array(BigInt64Array.of(value).buffer));
}

function word(file: Deno.FsFile, at: number): bigint {
  const bytes = new Uint8Array(8);
  file.seekSync(8 * at, Deno.SeekMode.Start);
  file.readSync(bytes);
  return new DataView(bytes.buffer).getBigInt64(0, true);
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}
