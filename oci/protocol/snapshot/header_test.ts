import { assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../../user_error.ts";
import { checkMachine, featuresOf, readHeader, type SnapshotHeader } from "./header.ts";

const HEADER: SnapshotHeader = {
  dvisor: "1.2.3",
  fingerprint: "0123456789abcdef",
  platform: "systrap",
  fpuBytes: 832,
  addressEnd: 0x7fff_ffff_f000,
  vdso: "ab".repeat(32),
  features: ["avx2", "sse2"],
  hwcap2: 2,
  created: "2026-01-02T03:04:05.000Z",
  kind: "container",
  containers: [{ id: "web", args: ["sh"], terminal: false }],
  hostname: "web",
  hasHostNetwork: false,
  world: {
    clocks: { monotonicNs: 1.5, realtimeSec: 1_700_000_000, realtimeNsec: 7 },
    vdso: { imageFrame: 8192, imageBytes: 4096, vvarFrame: 4096, vvarBytes: 4096, cpusAt: 4152 },
    hidesProcessors: false,
  },
  processes: 1,
  threads: 3,
  frameBytes: 10 * 2 ** 20,
  memoryBytes: 2 ** 30,
  cpus: 2,
};

const ENOUGH = { needed: 2 ** 20, allowed: 2 ** 20 };

Deno.test("a header is what was written; a member that is not valid is named", () => {
  const object: Record<string, unknown> = JSON.parse(JSON.stringify(HEADER));
  assertEquals(readHeader({ ...object, more: 1 }), HEADER);
  for (const name of Object.keys(object)) {
    const wrong = { ...object, [name]: name === "created" ? 1 : { x: 1 } };
    assertThrows(() => readHeader(wrong), UserError, name);
  }
});

Deno.test("a machine that lacks something is refused by its name", () => {
  checkMachine(HEADER, { ...HEADER, features: ["aes", "avx2", "sse2"] }, ENOUGH);
  for (
    const [here, problem] of [
      [{ dvisor: "1.2.4" }, "dvisor 1.2.3 has made it, and this is dvisor 1.2.4"],
      [{ fingerprint: "f" }, "fingerprint of its state is 0123456789abcdef, here it is f"],
      [{ vdso: "" }, "another vDSO"],
      [{ features: ["sse2"] }, "does not have avx2"],
      [{ hwcap2: 1 }, "bits 2 of AT_HWCAP2"],
      [{ fpuBytes: 576, platform: "kvm" }, "832 bytes of vector state (systrap), and here"],
      [{ addressEnd: 0x7fff_0000_0000 }, "up to 7ffffffff000 (systrap)"],
    ] as const
  ) assertThrows(() => checkMachine(HEADER, { ...HEADER, ...here }, ENOUGH), UserError, problem);
  const small = { needed: 10 * 2 ** 20, allowed: 9 * 2 ** 20 };
  assertThrows(() => checkMachine(HEADER, HEADER, small), UserError, "has 10 MiB of memory");
});

Deno.test("features are those that programs look for", () => {
  assertEquals(featuresOf("fpu vme sse2 avx2 md_clear ibrs"), ["avx2", "fpu", "sse2"]);
  assertEquals(featuresOf(""), []);
});
