/** Stubs on hosts that refuse personality(2): the host's own memory is at random addresses. */

import { assert, assertEquals } from "@std/assert";
import { ADDR_NO_RANDOMIZE } from "../../ffi/abi/system.ts";
import { SYS_personality } from "../../ffi/abi/syscall_numbers.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { descendants } from "../conformance/host_view.ts";
import { caller, Lab } from "../conformance/lab.ts";
import { COMMANDS, TEXT, THUNKS } from "./stub/layout.ts";
import { createSystrapPlatform } from "./systrap.ts";

/** Each start has other addresses. */
const STARTS = 8;
/** Where the host maps its `vsyscall` page in each process. */
const HOST_FROM = 2 ** 48;

/** The mappings of all stubs and zygotes of this process: address and name. */
function stubMappings(): { readonly from: number; readonly line: string }[] {
  return [...descendants()].flatMap((pid) => {
    try {
      if (!Deno.readTextFileSync(`/proc/${pid}/comm`).startsWith("dvisor-stub")) return [];
      const lines = Deno.readTextFileSync(`/proc/${pid}/maps`).trim().split("\n");
      return lines.map((line) => ({ from: parseInt(line, 16), line }));
    } catch {
      return []; // it has ended
    }
  });
}

Deno.test("a stub has none of the host's mappings, with random addresses too", () => {
  const arena = Arena.create(2 * 1024 * 1024, 0);
  for (const persona of [ADDR_NO_RANDOMIZE, ...Array.from({ length: STARTS }, () => 0)]) {
    const platform = createSystrapPlatform(arena, {
      poolSize: 1,
      // Runs behind the step that asks for addresses that are not random.
      prepare: (script) => void script.call(SYS_personality, persona),
    });
    try {
      const lab = new Lab(arena, platform), guest = lab.run(caller(39));
      assertEquals(lab.next(), guest);
      assertEquals(guest.nr, 39);
      const mappings = stubMappings().filter(({ from }) => from < HOST_FROM);
      for (const place of [TEXT, COMMANDS, THUNKS]) {
        assert(mappings.some(({ from }) => from === place), `${place.toString(16)} is mapped`);
      }
      // All that a stub needs is in files in memory; a stack or a vdso is not.
      assertEquals(mappings.filter(({ line }) => !line.includes("/memfd:dvisor")), []);
    } finally {
      platform.destroy();
    }
  }
  arena.close();
});
