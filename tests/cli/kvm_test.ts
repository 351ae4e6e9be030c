/**
 * `--platform=kvm` where it does not work: one line that says why. The host is changed in a mount
 * namespace of the test's.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { describe, doCommand, run } from "../harness/dvisor.ts";
import { isRoot, lacks, named } from "../harness/machine.ts";
import { asUser } from "../harness/own_host.ts";

const notRoot = isRoot ? lacks(["unshare", "mount", "setpriv"]) : "needs root";
const COMMAND = [...doCommand("kvm"), "/bin/true"];
const NOBODY = 65534;

async function refuses(argv: readonly string[], why: RegExp): Promise<void> {
  const result = await run(argv, { timeoutS: 30 });
  assertEquals([result.code, result.stdout], [1, ""], describe(result));
  assertEquals(result.stderr.trimEnd().split("\n").length, 1, describe(result));
  assertMatch(result.stderr, /^dvisor: the platform kvm does not work on this host/);
  assertMatch(result.stderr, why);
}

/** After these shell commands, in a mount namespace of its own. */
function behind(commands: string): string[] {
  return ["unshare", "-m", "sh", "-ec", `${commands}; exec "$@"`, "sh", ...COMMAND];
}

Deno.test({
  ...named("no /dev/kvm", notRoot),
  fn: () => {
    const dev = "mount -t tmpfs t /dev; mknod /dev/null c 1 3; mknod /dev/urandom c 1 9";
    return refuses(behind(dev), /: there is no \/dev\/kvm: the host has no virtual machines$/m);
  },
});

Deno.test({
  ...named("a /dev/kvm that is another device", notRoot ?? noDevice()),
  fn: () => refuses(behind("mount --bind /dev/null /dev/kvm"), /is not the device of virtual/),
});

Deno.test({
  ...named("a /dev/kvm without a driver", notRoot),
  fn: () => {
    const dev = "mount -t tmpfs t /dev; mknod /dev/null c 1 3; mknod /dev/urandom c 1 9; ";
    return refuses(behind(`${dev} mknod /dev/kvm c 60 1`), /has no driver behind it/);
  },
});

Deno.test({
  ...named("a /dev/kvm that is not for this user", notRoot ?? noDevice() ?? forAll()),
  fn: () => {
    const argv = asUser(NOBODY, COMMAND);
    return refuses(argv, /may not be opened by this user \(is it in the group kvm\?\)/);
  },
});

function mode(): number | null {
  try {
    return Deno.statSync("/dev/kvm").mode ?? 0;
  } catch {
    return null;
  }
}

function noDevice(): string | null {
  return mode() === null ? "no /dev/kvm on this machine" : null;
}

function forAll(): string | null {
  return ((mode() ?? 0) & 0o006) === 0o006 ? "every user may open it" : null;
}
