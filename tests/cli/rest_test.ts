/**
 * A sandbox that has nothing to do gives back what its processes had, also what the kernel keeps to
 * hand out again.
 */

import { assert } from "@std/assert";
import { doCommand, platforms } from "../harness/dvisor.ts";
import { named, notShown } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { Session } from "../harness/session.ts";

/** Many processes at once, so that much is freed; then one that sleeps. */
const MANY = "for i in $(seq 60); do sleep 0.3 & done; wait; echo ready; exec sleep 1000";
const GUEST = ["sh", "-c", MANY];
/** What the sleeper has is less. */
const MAX_BYTES = 1 << 20;
const BLOCK = 512;
/** A rest begins after a second. */
const PATIENCE_MS = 20_000;

/** Bytes that the host has given for the memory of guests. */
function guestBytes(sentry: number): number {
  let bytes = 0;
  for (const { name } of Deno.readDirSync(`/proc/${sentry}/fd`)) {
    const path = `/proc/${sentry}/fd/${name}`;
    if (!Deno.readLinkSync(path).startsWith("/memfd:dvisor-guest")) continue;
    bytes += (Deno.statSync(path).blocks ?? 0) * BLOCK;
  }
  return bytes;
}

for (const platform of platforms("systrap", "ptrace")) {
  Deno.test({
    ...named(`${platform}: at rest, freed memory is the host's again`, notShown),
    fn: async () => {
      const session = await Session.start([...doCommand(platform), ...GUEST]);
      try {
        const [sentry] = session.pids("sentry");
        assert(sentry !== undefined);
        const isSmall = await eventually(() => guestBytes(sentry) < MAX_BYTES, PATIENCE_MS);
        assert(isSmall, `${guestBytes(sentry)} bytes`);
      } finally {
        await session.destroy();
      }
    },
  });
}
