/** Names and numbers of signals (signal(7)), as both ends of the session protocol read them. */

/** By number. */
const NAMES: readonly string[] =
  `0 HUP INT QUIT ILL TRAP ABRT BUS FPE KILL USR1 SEGV USR2 PIPE ALRM TERM STKFLT CHLD CONT STOP
TSTP TTIN TTOU URG XCPU XFSZ VTALRM PROF WINCH IO PWR SYS`.split(/\s+/).map((name) => `SIG${name}`);
const ALIASES: ReadonlyMap<string, string> = new Map([
  ["SIGIOT", "SIGABRT"],
  ["SIGPOLL", "SIGIO"],
]);
/** Of libc, which uses the two real-time signals below itself; and the last one. */
const FIRST_REAL_TIME = 34, LAST = 64;

/** The number of a signal like "SIGTERM", "SIGRTMIN+3" or 15; null: there is none. */
export function signalNumber(signal: unknown): number | null {
  if (typeof signal === "number") {
    return Number.isInteger(signal) && signal >= 1 && signal <= LAST ? signal : null;
  }
  if (typeof signal !== "string") return null;
  const match = /^SIGRT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(signal);
  if (match !== null) {
    const base = match[1] === "MIN" ? FIRST_REAL_TIME : LAST, delta = Number(match[3] ?? 0);
    const number = match[2] === "-" ? base - delta : base + delta;
    return number >= FIRST_REAL_TIME && number <= LAST ? number : null;
  }
  const number = NAMES.indexOf(ALIASES.get(signal) ?? signal);
  return number > 0 ? number : null;
}
