/**
 * The resource use of a container in the shape in which `runc events` prints it, with runc's names.
 * Numbers beyond 2^53 are printed exactly, and "no limit" as the largest 64-bit number.
 *
 * Neighbours: stats_v1.ts and stats_v2.ts read the numbers.
 */

/**
 * Times in ns, sizes in bytes. Infinity is "no limit". Members that are undefined are not printed.
 */
export interface Stats {
  readonly cpu: {
    readonly usage: {
      readonly total: number | undefined;
      readonly percpu: readonly number[] | undefined;
      readonly percpu_kernel: readonly number[] | undefined;
      readonly percpu_user: readonly number[] | undefined;
      readonly kernel: number;
      readonly user: number;
    };
    readonly throttling: {
      readonly periods: number | undefined;
      readonly throttledPeriods: number | undefined;
      readonly throttledTime: number | undefined;
    };
  };
  readonly cpuset: Readonly<Record<string, number | readonly number[] | undefined>>;
  readonly memory: {
    readonly cache: number | undefined;
    readonly usage: MemoryEntry;
    readonly swap: MemoryEntry;
    readonly kernel: MemoryEntry;
    readonly kernelTCP: MemoryEntry;
    readonly raw: Readonly<Record<string, number>> | undefined;
  };
  readonly pids: { readonly current: number | undefined; readonly limit: number | undefined };
  readonly blkio: Readonly<Record<string, readonly BlkioEntry[]>>;
  readonly hugetlb: Readonly<Record<string, HugetlbEntry>>;
  readonly intel_rdt: Readonly<Record<string, never>>;
  readonly network_interfaces: readonly NetworkInterface[] | null;
}

interface MemoryEntry {
  readonly limit: number;
  readonly usage: number | undefined;
  readonly max: number | undefined;
  readonly failcnt: number;
}

export interface BlkioEntry {
  readonly major: number;
  readonly minor: number | undefined;
  readonly op: string | undefined;
  readonly value: number | undefined;
}

export interface HugetlbEntry {
  readonly usage: number | undefined;
  readonly max: number | undefined;
  readonly failcnt: number;
}

interface NetworkInterface {
  readonly Name: string;
  readonly RxBytes: number;
  readonly RxPackets: number;
  readonly RxErrors: number;
  readonly RxDropped: number;
  readonly TxBytes: number;
  readonly TxPackets: number;
  readonly TxErrors: number;
  readonly TxDropped: number;
}

/** For members that runc does not print when they are 0. */
export function nonZero(value: number): number | undefined {
  return value === 0 || Number.isNaN(value) ? undefined : value;
}

/** Makes a memory entry; like runc it leaves out a usage and a maximum of 0. */
export function memoryEntry(
  limit: number,
  usage: number,
  max: number,
  failcnt: number,
): MemoryEntry {
  return { limit, usage: nonZero(usage), max: nonZero(max), failcnt };
}

/** LIMIT: numbers that a list like `0-2,5` expands to. */
const LISTED_MAX = 8192;

/** Expands `0-2,5` to numbers; undefined where there are none. */
export function expandList(text: string): number[] | undefined {
  const ids: number[] = [];
  for (const range of text.split(",")) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(range.trim());
    if (match === null) continue;
    const first = Number(match[1]), last = Number(match[2] ?? match[1]);
    for (let id = first; id <= last && ids.length < LISTED_MAX; id++) ids.push(id);
  }
  return ids.length === 0 ? undefined : ids;
}

/**
 * Reads the interfaces, without `lo`, of a process's network namespace from /proc/PID/net/dev; null
 * if the process is gone.
 */
export function readNetworkInterfaces(pid: number): NetworkInterface[] | null {
  let text: string;
  try {
    text = Deno.readTextFileSync(`/proc/${pid}/net/dev`);
  } catch {
    return null;
  }
  return parseInterfaces(text);
}

/** Parses the text of /proc/PID/net/dev. */
export function parseInterfaces(text: string): NetworkInterface[] {
  return text.split("\n").slice(2).flatMap((line) => {
    const [name = "", counters = ""] = line.split(/:(.*)/s, 2);
    const n = counters.trim().split(/\s+/).map(Number);
    const Name = name.trim();
    if (Name === "" || Name === "lo" || n.length < 12) return [];
    const [RxBytes = 0, RxPackets = 0, RxErrors = 0, RxDropped = 0] = n;
    const [TxBytes = 0, TxPackets = 0, TxErrors = 0, TxDropped = 0] = n.slice(8);
    const rx = { RxBytes, RxPackets, RxErrors, RxDropped };
    return [{ Name, ...rx, TxBytes, TxPackets, TxErrors, TxDropped }];
  });
}

const UINT64_MAX = "18446744073709551615";

/** Formats JSON in one line, with exact numbers. */
export function exactJson(value: unknown): string {
  if (typeof value === "number") return numberText(value);
  if (Array.isArray(value)) return `[${value.map(exactJson).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return `{${members.map(([key, v]) => `${JSON.stringify(key)}:${exactJson(v)}`).join(",")}}`;
}

function numberText(value: number): string {
  if (Number.isNaN(value)) return "0";
  if (value >= 2 ** 64) return UINT64_MAX;
  return Number.isInteger(value) ? BigInt(value).toString() : JSON.stringify(value);
}
