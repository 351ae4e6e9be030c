/**
 * System calls that guest tests make through Python or the C library, and how that looks in their
 * text.
 */

/**
 * Call to a pattern of text. Where the function has the call's own name, see `calledWithoutNumber`.
 */
const WRAPPERS: Readonly<Record<string, string>> = {
  // What CPython starts its children with.
  vfork: "\\bsubprocess\\.",
};

/** Whether a guest test calls `name` through os, socket, signal, libc and the like. */
export function calledWithoutNumber(name: string, text: string): boolean {
  const pattern = WRAPPERS[name] ??
    `\\b(?:os|libc|signal|S|socket|select|fcntl|mmap|time|resource)\\.${name}\\(`;
  return new RegExp(pattern).test(text);
}
