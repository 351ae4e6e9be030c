/** Bounds of members of messages that both ends check. Portable: it imports nothing. */

/** LIMIT: bytes of memory of a sandbox or a job: fewer are too few for a program. */
export const MEMORY_MIN = 4 << 20;
/** LIMIT: processors of a sandbox or a job. */
export const CPUS_MIN = 0.01, CPUS_MAX = 65536;
/** The greatest user or group id: 2^32 - 1 stands for none. */
export const ID_MAX = 0xfffffffe;
/** LIMIT: how far in the future the end of a sandbox may be, ms: a century. */
export const LIFETIME_MAX_MS = 100 * 365 * 86_400_000;
/** LIMIT: characters of the name of a snapshot. */
export const SNAPSHOT_NAME_MAX = 256;
/** LIMIT: open channels of a connection. */
export const CHANNELS_MAX = 1024;

/** Whether a text can be the id of a sandbox, which becomes the name of a file. */
export function isSandboxId(text: string): boolean {
  return /^[A-Za-z0-9][\w+.-]{0,62}$/.test(text);
}
