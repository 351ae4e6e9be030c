/** The result of one attack of `bench:victim`, and the line that it prints. */

/** Bounds of a victim's wait: the worst one, and the mean as a multiple of its quiet mean. */
const WORST_MS = 20, MEAN_FACTOR = 3;
const NAME_WIDTH = 34;
/** As the attacker's first process ends when a child was killed for want of memory. */
const KILLED = 137;

export interface Figures {
  readonly calls: number;
  readonly mean_us: number;
  readonly p99_us: number;
  readonly worst_ms: number;
}

export interface Finding {
  readonly attack: string;
  readonly status: number;
  readonly rounds: number;
  readonly setup_ms: number;
  readonly quiet: Figures;
  readonly loud: Figures | null;
  /** The victim's calls that failed during the attack: how often, by call and errno. */
  readonly failed?: Readonly<Record<string, number>>;
  /** Calls that use what the containers of a pod share: Linux lets an attacker take it. */
  readonly shared?: readonly string[];
  /** Objects that an attack by number made. */
  readonly made?: number;
}

export function headOf(runner: string): string {
  const heads = ["worst ms", "(quiet)", "p99 us", "mean us", "(quiet)", "ratio", "rounds"];
  return runner.padEnd(NAME_WIDTH) + heads.map((h) => h.padStart(10)).join("");
}

export function lineOf(finding: Finding): string {
  const { attack, status, rounds, quiet, loud, made = 0 } = finding;
  const name = attack.padEnd(NAME_WIDTH);
  if (loud === null || (status !== 0 && status !== KILLED)) {
    return `${name} failed (status ${status})`;
  }
  const ratio = loud.mean_us / quiet.mean_us;
  const isFair = loud.worst_ms <= WORST_MS && ratio <= MEAN_FACTOR;
  const numbers = [
    loud.worst_ms.toFixed(1),
    quiet.worst_ms.toFixed(1),
    loud.p99_us.toFixed(0),
    loud.mean_us.toFixed(0),
    quiet.mean_us.toFixed(0),
    ratio.toFixed(1),
    status === KILLED ? "killed" : String(rounds),
  ];
  const objects = made > 0 ? [`made ${made}`] : [];
  const notes = [...(isFair ? [] : ["*"]), ...objects, ...failures(finding)];
  return [name + numbers.map((n) => n.padStart(10)).join(""), ...notes].join("  ");
}

/** Those that Linux lets an attacker have are in brackets. */
function failures({ failed = {}, shared = [] }: Finding): string[] {
  return Object.entries(failed).map(([what, times]) => {
    const text = `${what} x${times}`;
    return shared.includes(what.split(" ")[0] ?? "") ? `(${text})` : `DENIED ${text}`;
  });
}
