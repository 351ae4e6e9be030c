/**
 * An idle sandbox frees the memory of processes that ended, and pages that the kernel keeps for
 * reuse.
 */

import { assert } from "@std/assert";
import { doCommand, platforms } from "../harness/dvisor.ts";
import { named, notShown } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { Session } from "../harness/session.ts";

/** Many processes at once, so that much is freed; then one that sleeps. */
const MANY = "for i in $(seq 60); do sleep 0.3 & done; wait; echo ready; exec sleep 1000";
const GUEST = ["sh", "-c", MANY];
/** The sleeping process has less. */
const MAX_BYTES = 1 << 20;
const BLOCK = 512;
/** A rest begins after a second. */
const PATIENCE_MS = 20_000;

/** Bytes of the host's memory that back the memory of guests. */
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
