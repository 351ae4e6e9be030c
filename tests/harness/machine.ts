/** Features of this machine, so that a test can be ignored with a reason. Not a test. */

import { close } from "../../ffi/sys/files.ts";
import { DEVICE, openDevice } from "../../platform/kvm/device.ts";
import { hasCommand } from "../../tools/test/packages.ts";
import { PLATFORM } from "./dvisor.ts";

/** The distribution's python3, not a wrapper script of some version manager; null without one. */
export const PYTHON: string | null = existing("/usr/bin/python3") ??
  (hasCommand("python3") ? "python3" : null);

export const isRoot: boolean = Deno.uid() === 0;

/**
 * Why /proc does not show what a Sentry has open: it is not dumpable, so even its own user may not
 * look.
 */
export const notShown: string | null = isRoot ? null : "needs root: a Sentry hides its /proc";

/** `deno task test:full`. */
export const isFull: boolean = Deno.env.get("DVISOR_FULL") !== undefined;

/** `deno task test:native`. */
export const isNative: boolean = Deno.env.get("DVISOR_NATIVE") !== undefined;

function existing(path: string): string | null {
  try {
    Deno.statSync(path);
    return path;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** Why a test that needs these programs cannot run here; null when it can. */
export function lacks(commands: readonly string[]): string | null {
  const missing = commands.filter((command) => !hasCommand(command));
  return missing.length === 0 ? null : `no ${missing.join(", ")} on this machine`;
}

/** Why containers of busybox cannot be made here; null when they can. */
export const noContainers: string | null = isRoot ? lacks(["busybox"]) : "needs root";

/** Why this machine cannot run guests on kvm; null when it can. */
export const noKvm: string | null = whyNoKvm();

function whyNoKvm(): string | null {
  try {
    close(openDevice());
    return null;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Why ordinary users cannot run guests on the platform of the tests; null when they can. */
export const noUsers: string | null = PLATFORM !== "kvm" || isForAll(DEVICE)
  ? null
  : `${DEVICE} is not for all users here`;

function isForAll(path: string): boolean {
  return noKvm === null && ((Deno.statSync(path).mode ?? 0) & 0o006) === 0o006;
}

/** The name of a test, with the reason when it is skipped. */
export function named(name: string, reason: string | null): { name: string; ignore: boolean } {
  return reason === null
    ? { name, ignore: false }
    : { name: `${name} (skipped: ${reason})`, ignore: true };
}
