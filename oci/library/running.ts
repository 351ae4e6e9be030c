/** Sandboxes that run: their sockets, and what they say of themselves. Neighbour: sandbox.ts. */

import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { PROTOCOL_VERSION } from "../protocol/session/frame.ts";
import type { SandboxInfo } from "../protocol/session/messages.ts";
import { Connection, type Transport } from "./connection.ts";
import { SandboxError, TimeoutError } from "./errors.ts";
import { SocketTransport } from "./transport.ts";

const ANSWER_TIMEOUT_MS = 30_000;
export const SUFFIX = ".sock";

/**
 * Greets a sandbox, or a fork of it.
 * @throws SandboxError
 */
export async function attach(
  transport: Transport,
  fork: number | null = null,
): ReturnType<typeof Connection.open> {
  const hello = { protocol: PROTOCOL_VERSION, ...fork === null ? {} : { fork } };
  const opening = Connection.open(transport, hello);
  try {
    return await within(opening, ANSWER_TIMEOUT_MS, "answer");
  } catch (error) {
    transport.destroy();
    throw error;
  }
}

/** The sockets in these directories. */
export async function socketPaths(directories: readonly string[]): Promise<string[]> {
  const paths: string[] = [];
  for (const directory of directories) {
    const names = (await readdir(directory)).filter((name) => name.endsWith(SUFFIX)).sort();
    paths.push(...names.map((name) => join(directory, name)));
  }
  return paths;
}

/** What a sandbox says of itself; null: it ends, or does not answer. A dead socket is removed. */
export async function infoOf(path: string): Promise<SandboxInfo | null> {
  try {
    const transport = await SocketTransport.open(path);
    if (transport === null) {
      await rm(path, { force: true });
      return null;
    }
    const { connection, info } = await attach(transport);
    connection.close("its information is read");
    return info;
  } catch (error) {
    if (error instanceof SandboxError) return null;
    throw error;
  }
}

/** Waits for `work`. @throws TimeoutError, or the reason of `signal` */
export async function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  verb: string,
  signal?: AbortSignal,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined, stop = (): void => {};
  const limit = new Promise<never>((_, reject) => {
    const late = `the sandbox did not ${verb} within ${timeoutMs} ms`;
    timer = setTimeout(() => reject(new TimeoutError(late)), timeoutMs);
    stop = (): void => reject(signal?.reason);
    signal?.addEventListener("abort", stop);
  });
  try {
    return await Promise.race([work, limit]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener("abort", stop);
    work.catch(() => {});
  }
}
