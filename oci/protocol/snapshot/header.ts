/**
 * The header of a snapshot file: what it is, and what it takes to restore it. The boot process
 * writes it and checks it against its host; commands show it. Neighbour: format.ts.
 */

import { JsonNode } from "../../json_node.ts";
import { UserError } from "../../user_error.ts";

/** What a kernel needs of the machine that it is restored on. */
export interface MachineFacts {
  /** The version of dvisor, and the fingerprint of its table of classes (fingerprint.ts). */
  readonly dvisor: string;
  readonly fingerprint: string;
  /** The platform's name, for messages. */
  readonly platform: string;
  /** Bytes of the vector state of a thread. */
  readonly fpuBytes: number;
  /** The end of the addresses that guests may have. */
  readonly addressEnd: number;
  /** SHA-256 of the vDSO's image, in hexadecimal. */
  readonly vdso: string;
  /** Of PROCESSOR_FEATURES those that the processor has. */
  readonly features: readonly string[];
  /** AT_HWCAP2. */
  readonly hwcap2: number;
}

export interface SnapshotHeader extends MachineFacts {
  /** Time of the snapshot, by the host's clock: ISO 8601. */
  readonly created: string;
  readonly kind: "container" | "do" | "session";
  readonly containers: readonly SavedContainer[];
  readonly hostname: string;
  /** Guests may have sockets of the host. */
  readonly hasHostNetwork: boolean;
  readonly world: SavedWorld;
  /** Processes and threads of all containers. */
  readonly processes: number;
  readonly threads: number;
  /** The memory that the saved frames may take, also those that nothing was written to. */
  readonly frameBytes: number;
  /** The memory and processors that guests have seen. */
  readonly memoryBytes: number;
  readonly cpus: number;
}

/** What the graph does not say of the kernel (kernel/snapshot/world_image.ts). */
interface SavedWorld {
  readonly clocks: Readonly<Record<typeof CLOCKS[number], number>>;
  readonly vdso: Readonly<Record<typeof VDSO_PLACES[number], number>> | null;
  readonly hidesProcessors: boolean;
}

/** The kernel's clocks when it stopped. */
const CLOCKS = ["monotonicNs", "realtimeSec", "realtimeNsec"] as const;
/** Bytes and offsets in the arena. */
const VDSO_PLACES = ["imageFrame", "imageBytes", "vvarFrame", "vvarBytes", "cpusAt"] as const;

/** The first one is that of the sandbox. */
interface SavedContainer {
  readonly id: string;
  /** The command of the first process. */
  readonly args: readonly string[];
  /** It has a terminal of its own. */
  readonly terminal: boolean;
}

/**
 * The names in /proc/cpuinfo of what programs look for before they use it. Others are about the
 * host's kernel, or permit nothing that was impossible before.
 */
const PROCESSOR_FEATURES: readonly string[] = `
  3dnowprefetch abm adx aes amx_bf16 amx_fp16 amx_int8 amx_tile avx avx2 avx512_4fmaps avx512_4vnniw
  avx512_bf16 avx512_bitalg avx512_fp16 avx512_vbmi2 avx512_vnni avx512_vp2intersect
  avx512_vpopcntdq avx512bw avx512cd avx512dq avx512er avx512f avx512ifma avx512pf avx512vbmi
  avx512vl avx_ifma avx_ne_convert avx_vnni avx_vnni_int8 bmi1 bmi2 cldemote clflush clflushopt clwb
  clzero cmov cx16 cx8 enqcmd erms f16c fma fma4 fpu fsgsbase fsrm fxsr gfni hle lahf_lm mmx movbe
  movdir64b movdiri ospke pclmulqdq pku pni popcnt prefetchi prefetchw rdpid rdrand rdseed rdtscp
  rtm serialize sha_ni sm3 sm4 sse sse2 sse4_1 sse4_2 sse4a ssse3 tbm tsc user_shstk vaes vpclmulqdq
  waitpkg xgetbv1 xop xsave xsavec xsaveopt
`.trim().split(/\s+/);

/** @param flags the line of /proc/cpuinfo */
export function featuresOf(flags: string): string[] {
  const present = new Set(flags.split(" "));
  return PROCESSOR_FEATURES.filter((feature) => present.has(feature));
}

/** LIMIT: containers and features of a header. */
const CONTAINERS_MAX = 4096, FEATURES_MAX = 1024;
const COUNT_MAX = Number.MAX_SAFE_INTEGER, WORD_MAX = 2 ** 32 - 1;

/** Reads the header's object (reader.ts). @throws UserError with the member that is not valid */
export function readHeader(object: Readonly<Record<string, unknown>>): SnapshotHeader {
  const node = new JsonNode("the snapshot's header", "", object);
  const text = (name: string) => node.member(name).string();
  const count = (name: string) => node.member(name).integer(0, COUNT_MAX);
  return {
    dvisor: text("dvisor"),
    fingerprint: text("fingerprint"),
    platform: text("platform"),
    fpuBytes: count("fpuBytes"),
    addressEnd: count("addressEnd"),
    vdso: text("vdso"),
    features: list(node, "features", FEATURES_MAX).map((item) => item.string()),
    hwcap2: node.member("hwcap2").integer(0, WORD_MAX),
    created: text("created"),
    kind: node.member("kind").oneOf(["container", "do", "session"]),
    containers: list(node, "containers", CONTAINERS_MAX).map(readContainer),
    hostname: text("hostname"),
    hasHostNetwork: node.member("hasHostNetwork").boolean(),
    world: readWorld(node.member("world")),
    processes: count("processes"),
    threads: count("threads"),
    frameBytes: count("frameBytes"),
    memoryBytes: count("memoryBytes"),
    cpus: count("cpus"),
  };
}

function readWorld(node: JsonNode): SavedWorld {
  const clocks = node.member("clocks"), places = node.member("vdso");
  return {
    clocks: amounts(clocks, CLOCKS),
    vdso: places.isAbsent ? null : amounts(places, VDSO_PLACES),
    hidesProcessors: node.member("hidesProcessors").boolean(),
  };
}

function amounts<N extends string>(node: JsonNode, names: readonly N[]): Record<N, number> {
  const all = names.map((name) => [name, node.member(name).amount()] as const);
  return Object.fromEntries(all) as Record<N, number>;
}

function readContainer(node: JsonNode): SavedContainer {
  return {
    id: node.member("id").string(),
    args: node.member("args").strings(),
    terminal: node.member("terminal").boolean(),
  };
}

function list(node: JsonNode, name: string, max: number): JsonNode[] {
  const member = node.member(name), items = member.items();
  return items.length <= max ? items : member.expected(`${max} at most`);
}

/** The memory that a snapshot takes, and what there is at most, bytes. */
interface MemoryNeed {
  readonly needed: number;
  readonly allowed: number;
}

/**
 * Checks that a snapshot can go on here.
 * @throws UserError with the name of what is missing
 */
export function checkMachine(saved: MachineFacts, here: MachineFacts, memory: MemoryNeed): void {
  const problem = versionProblem(saved, here) ?? processorProblem(saved, here) ??
    memoryProblem(memory);
  if (problem !== null) throw new UserError(`the snapshot cannot be restored here: ${problem}`);
}

function versionProblem(saved: MachineFacts, here: MachineFacts): string | null {
  if (saved.dvisor !== here.dvisor) {
    return `dvisor ${saved.dvisor} has made it, and this is dvisor ${here.dvisor}`;
  }
  if (saved.fingerprint !== here.fingerprint) {
    return `another build of dvisor ${here.dvisor} has made it: the fingerprint of its state is ` +
      `${saved.fingerprint}, here it is ${here.fingerprint}`;
  }
  return saved.vdso === here.vdso ? null : "its guests have another vDSO";
}

function processorProblem(saved: MachineFacts, here: MachineFacts): string | null {
  const missing = saved.features.filter((feature) => !here.features.includes(feature));
  if (missing.length > 0) return `this processor does not have ${missing.join(", ")}`;
  // Unsigned, as bit 31 may be set.
  const bits = (saved.hwcap2 & ~here.hwcap2) >>> 0;
  if (bits !== 0) return `this host does not have the bits ${bits} of AT_HWCAP2`;
  if (saved.fpuBytes !== here.fpuBytes) {
    return `its threads have ${saved.fpuBytes} bytes of vector state (${saved.platform}), and ` +
      `here they have ${here.fpuBytes} (${here.platform})`;
  }
  if (saved.addressEnd > here.addressEnd) {
    return `its processes have addresses up to ${saved.addressEnd.toString(16)} ` +
      `(${saved.platform}), and here they end at ${here.addressEnd.toString(16)} ` +
      `(${here.platform})`;
  }
  return null;
}

const MIB = 2 ** 20;

function memoryProblem({ needed, allowed }: MemoryNeed): string | null {
  if (needed <= allowed) return null;
  const [more, less] = [Math.ceil(needed / MIB), Math.floor(allowed / MIB)];
  return `it has ${more} MiB of memory, and the limit is ${less} MiB`;
}
