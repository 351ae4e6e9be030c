/**
 * The configuration file of another program before a change: shown as a difference, or replaced in
 * one step with its owner and mode. Neighbour: clients.ts makes the new text.
 */

import { dirname, join } from "@std/path";
import { UserError } from "../user_error.ts";

interface ConfigFile {
  /** Where it really is: behind symbolic links. */
  readonly path: string;
  /** "" if there is none yet. */
  readonly text: string;
  readonly isThere: boolean;
}

/** @throws UserError if it cannot be read */
export function readConfigFile(path: string): ConfigFile {
  try {
    const real = Deno.realPathSync(path);
    return { path: real, text: Deno.readTextFileSync(real), isThere: true };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { path, text: "", isThere: false };
    throw new UserError(`cannot read ${path}`, undefined, error);
  }
}

/**
 * Replaces the file by rename: a reader sees the old file or the new one.
 * @throws UserError
 */
export function writeConfigFile(file: ConfigFile, text: string): void {
  const directory = dirname(file.path);
  const temporary = join(directory, `.dvisor-${crypto.randomUUID()}`);
  try {
    Deno.mkdirSync(directory, { recursive: true });
    const old = file.isThere ? Deno.statSync(file.path) : null;
    try {
      using out = Deno.openSync(temporary, { write: true, createNew: true, mode: 0o600 });
      const bytes = new TextEncoder().encode(text);
      for (let at = 0; at < bytes.length;) at += out.writeSync(bytes.subarray(at));
      out.syncDataSync();
      Deno.chmodSync(temporary, (old?.mode ?? 0o644) & 0o7777);
      if (old !== null && (old.uid !== Deno.uid() || old.gid !== Deno.gid())) {
        Deno.chownSync(temporary, old.uid, old.gid);
      }
      Deno.renameSync(temporary, file.path);
    } catch (error) {
      Deno.removeSync(temporary);
      throw error;
    }
  } catch (error) {
    throw new UserError(`cannot write ${file.path}`, undefined, error);
  }
}

/** Lines that are shown around a change. */
const CONTEXT = 3;

/** The change as `diff -u` shows it, in one piece; "" if there is none. */
export function unifiedDiff(path: string, from: string, to: string): string {
  if (from === to) return "";
  const old = linesOf(from), now = linesOf(to);
  let head = 0;
  while (head < old.length && head < now.length && old[head] === now[head]) head++;
  let tail = 0;
  const most = Math.min(old.length, now.length) - head;
  while (tail < most && old[old.length - 1 - tail] === now[now.length - 1 - tail]) tail++;
  const start = Math.max(0, head - CONTEXT);
  const oldEnd = Math.min(old.length, old.length - tail + CONTEXT);
  const nowEnd = Math.min(now.length, now.length - tail + CONTEXT);
  const range = (count: number) => `${count === 0 ? 0 : start + 1},${count}`;
  return [
    `--- ${path}`,
    `+++ ${path}`,
    `@@ -${range(oldEnd - start)} +${range(nowEnd - start)} @@`,
    ...old.slice(start, head).map((line) => ` ${line}`),
    ...old.slice(head, old.length - tail).map((line) => `-${line}`),
    ...now.slice(head, now.length - tail).map((line) => `+${line}`),
    ...old.slice(old.length - tail, oldEnd).map((line) => ` ${line}`),
  ].join("\n") + "\n";
}

function linesOf(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}
