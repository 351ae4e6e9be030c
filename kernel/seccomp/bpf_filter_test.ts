import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { AUDIT_ARCH_X86_64, SockFilter } from "../../ffi/abi/seccomp.ts";
import { BpfFilter } from "./bpf_filter.ts";
import { BpfProgram } from "../bpf/classic_program.ts";
import { DATA_WORDS, Decision, type SeccompFilter } from "./filter.ts";

const ALLOW = 0x7fff0000, ERRNO = 0x50000, KILL_PROCESS = 0x80000000;
type Insn = readonly [code: number, k?: number, jt?: number, jf?: number];

function bytes(insns: readonly Insn[]): Uint8Array<ArrayBuffer> {
  const u8 = new Uint8Array(insns.length * SockFilter.size), dv = new DataView(u8.buffer);
  insns.forEach(([code, k = 0, jt = 0, jf = 0], i) => {
    dv.setUint16(8 * i, code, true);
    dv.setUint8(8 * i + 2, jt);
    dv.setUint8(8 * i + 3, jf);
    dv.setUint32(8 * i + 4, k, true);
  });
  return u8;
}

function filter(...insns: Insn[]): BpfFilter {
  const program = BpfProgram.parse(bytes(insns));
  assert(program !== null);
  return new BpfFilter(TEST_ACCOUNT, program);
}

function data(nr: number, ...args: number[]): Uint32Array {
  const words = new Uint32Array(DATA_WORDS);
  words[0] = nr;
  words[1] = AUDIT_ARCH_X86_64;
  args.forEach((value, i) => words[4 + 2 * i] = value);
  return words;
}

/** As libc programs begin: another architecture is killed. */
const HEAD: Insn[] = [[0x20, 4], [0x15, AUDIT_ARCH_X86_64, 1, 0], [0x06, KILL_PROCESS], [0x20, 0]];

Deno.test("a verdict that depends on the number alone is known without arguments", () => {
  const f = filter(...HEAD, [0x15, 39, 0, 1], [0x06, ERRNO | 5], [0x06, ALLOW]);
  assertEquals(f.passes(39), false);
  assertEquals(f.passes(40), true);
  assertEquals(f.passes(-1), false);
  assertEquals(f.passes(100_000), false);
  assertEquals(f.decide(data(39)), ERRNO | 5);
  assertEquals(f.decide(data(0x40000027)), ALLOW);
});

Deno.test("a verdict that depends on an argument is not", () => {
  const f = filter(...HEAD, [0x20, 16], [0x25, 7, 0, 1], [0x06, ERRNO], [0x06, ALLOW]);
  assertEquals(f.passes(39), false);
  assertEquals(f.decide(data(39, 7)), ALLOW);
  assertEquals(f.decide(data(39, 0x80000000)), ERRNO);
});

Deno.test("a cached verdict does not apply to another architecture", () => {
  const f = filter(...HEAD, [0x06, ALLOW]);
  assertEquals(f.decide(data(3)), ALLOW);
  const other = data(3);
  other[1] = 0x40000003;
  assertEquals(f.decide(other), KILL_PROCESS);
});

Deno.test("short cuts and the whole program agree on programs of any kind", () => {
  let seed = 20260;
  const random = (n: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return Math.floor(seed / 65536) % n;
  };
  // A store of an index first: that keeps the short cut from being taken.
  const slow: Insn[] = [[0x01, 0], [0x03, 0]];
  const codes = [0x20, 0x20, 0x15, 0x25, 0x35, 0x45, 0x05, 0x54, 0x00, 0x06, 0x16];
  let compared = 0;
  for (let round = 0; round < 3000; round++) {
    const insns: Insn[] = [];
    const n = 3 + random(12);
    for (let i = 0; i < n; i++) {
      const code = codes[random(codes.length)]!, left = n - i;
      const k = code === 0x20 ? 4 * random(6) : code === 0x05 ? random(left) : random(50);
      insns.push([code, k, random(left), random(left)]);
    }
    insns.push([0x16], [0x06, ALLOW]);
    // Only of long programs something is kept.
    const long: Insn[] = [...Array.from({ length: 30 }, (): Insn => [0x00]), ...insns];
    const quick = BpfProgram.parse(bytes(long));
    const whole = BpfProgram.parse(bytes([...slow, ...insns]));
    if (quick === null || whole === null) continue;
    const a = new BpfFilter(TEST_ACCOUNT, quick), b = new BpfFilter(TEST_ACCOUNT, whole);
    for (let nr = 0; nr < 50; nr += 7) {
      const call = data(nr, random(50), random(50));
      assertEquals(a.decide(call), b.decide(call));
      compared++;
    }
  }
  assert(compared > 5000, `${compared} comparisons`);
});

Deno.test("bytes of any kind are a program or none, and programs end", () => {
  let seed = 7, good = 0;
  const random = (): number => seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  const codes = [0x20, 0x00, 0x60, 0x02, 0x15, 0x3c, 0x6c, 0x07, 0x05, 0x84, 0x06];
  for (let round = 0; round < 20_000; round++) {
    const n = 1 + random() % 6, insns: Insn[] = [];
    for (let i = 0; i < n; i++) {
      const code = codes[(random() >>> 8) % codes.length]!;
      insns.push([code, (random() >>> 8) % 20, (random() >>> 8) % 4, (random() >>> 8) % 4]);
    }
    insns.push([0x06, ALLOW]);
    const program = BpfProgram.parse(bytes(insns));
    if (program === null) continue;
    good++;
    new BpfFilter(TEST_ACCOUNT, program).decide(data(round % 512, random(), random()));
  }
  assert(good > 1000);
  for (const length of [0, 1, 7, 9, 8 * 4097]) {
    assertEquals(BpfProgram.parse(new Uint8Array(length)), null, `${length} bytes`);
  }
});

function chain(...filters: SeccompFilter[]): SeccompFilter {
  let prev: SeccompFilter | null = null;
  for (const f of filters) {
    f.prev = prev;
    prev = f.hold();
  }
  assert(prev !== null);
  return prev;
}

Deno.test("a call passes when every filter of the chain lets it", () => {
  const all = filter([0x06, ALLOW]),
    first = filter(...HEAD, [0x15, 5, 0, 1], [0x06], [0x06, ALLOW]);
  const newest = chain(first, all, filter([0x06, ALLOW]));
  assertEquals(newest.passes(5), false);
  assertEquals(newest.passes(6), true);
  const decision = new Decision();
  decision.of(newest, data(5));
  assertEquals([decision.verdict, decision.filter], [0, first]);
  decision.of(newest, data(6));
  assertEquals([decision.verdict, decision.filter], [ALLOW, null]);
});

Deno.test("a released filter releases the older filters that only it used", () => {
  const a = filter([0x06, ALLOW]), b = filter([0x06, ALLOW]);
  const newest = chain(a, b);
  a.hold();
  newest.drop();
  assertEquals([b.users, a.users], [0, 1]);
  a.drop();
  assertEquals(a.users, 0);
});
