/**
 * Many processes and threads that verify their memory, for some seconds or, in the full run, for
 * ten minutes: no byte is wrong, no thread stands still, and after their end the kernel holds what
 * it held before, as seen from the host. `memory_checker.py` is the guest, which first runs
 * natively.
 */

import { assert, assertEquals } from "@std/assert";
import { describe, doCommand, ROOT, run } from "../harness/dvisor.ts";
import { isFull, named, notShown, PYTHON } from "../harness/machine.ts";
import { Session } from "../harness/session.ts";
import { tryPlatform } from "../../platform/select/registry.ts";
import { seeds } from "./guest_fuzz.ts";

const SECONDS = Number(Deno.env.get("DVISOR_SECONDS") ?? (isFull ? 600 : 20));
const PROCESSES = isFull ? 200 : 40, THREADS = isFull ? 64 : 16;
/**
 * Frames of tables that may wait until the host has forgotten them: `platform/kvm/table_memory.ts`.
 */
const RETIRED_KB = 4096 * 4;
/** Seconds for forks and exits beyond the time. */
const PATIENCE_S = 90;
const noPython = PYTHON === null ? "no python3 on this machine" : null;

function checker(seed: number, seconds: number): string[] {
  const script = `${ROOT}/tests/fuzz/memory_checker.py`;
  return [PYTHON ?? "", "-B", script, ...[seed, seconds, PROCESSES, THREADS].map(String)];
}

/**
 * What the host shows of a kernel: descriptors, threads, memory of page tables, processes of its
 * guests.
 */
interface Holdings {
  readonly files: number;
  readonly threads: number;
  readonly tablesKb: number;
  readonly stubs: number;
}

function holdings(session: Session): Holdings {
  const [pid] = session.pids("sentry");
  const count = (what: string) => [...Deno.readDirSync(`/proc/${pid}/${what}`)].length;
  const smaps = Deno.readTextFileSync(`/proc/${pid}/smaps`);
  const tables = /memfd:dvisor-tables[^]*?^Rss:\s*(\d+) kB/m.exec(smaps);
  return {
    files: count("fd"),
    threads: count("task"),
    tablesKb: Number(tables?.[1] ?? 0),
    stubs: session.pids("stub").length,
  };
}

Deno.test({
  ...named("the checker of memory is right by itself", noPython),
  fn: async () => {
    const result = await run(checker(1, 4), { stdin: "\n\n\n" });
    assertEquals(result.code, 0, describe(result));
  },
});

for (const platform of ["kvm", "systrap"] as const) {
  const name = `${platform}: ${PROCESSES} processes and ${THREADS} threads find their memory right`;
  Deno.test({
    ...named(name, noPython ?? notShown ?? tryPlatform(platform)),
    fn: async () => {
      const [seed = 1] = seeds([1]);
      const seconds = platform === "kvm" ? SECONDS : Math.min(SECONDS, 60);
      const session = await Session.start([...doCommand(platform), ...checker(seed, seconds)]);
      const after: Holdings[] = [];
      for (let round = 1; round <= 3; round++) {
        const isReady = new RegExp(`^(?:[^]*^ready$){${round}}`, "m");
        const isThere = await session.saw(isReady, (seconds + PATIENCE_S) * 1000);
        assert(isThere, `seed ${seed}, round ${round}: ${session.stdout}`);
        if (round > 1) after.push(holdings(session));
        await session.write("\n");
      }
      const { code, stdout, stderr } = await session.end(PATIENCE_S * 1000);
      assertEquals(code, 0, `seed ${seed}: ${stdout}\n${stderr}`);
      const [first, second] = after as [Holdings, Holdings], what = JSON.stringify(after);
      console.log(`seed ${seed}: ${stdout.match(/^steps.*/gm)?.at(-1)}; ${what}`);
      assert(second.files <= first.files + 2 && second.threads <= first.threads, what);
      assert(second.stubs <= first.stubs, what);
      assert(second.tablesKb <= 1.1 * first.tablesKb + RETIRED_KB, what);
    },
  });
}
