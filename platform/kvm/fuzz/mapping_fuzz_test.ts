/**
 * Page tables against a model of pages: spaces, forks, mappings and permissions in any order, as
 * the kernel may build them. Guest code on several vCPUs must find at an address what the model
 * has. No guest may write to a page after the removal of its mapping was acknowledged.
 *
 * DVISOR_SEED repeats a run, DVISOR_STEPS sets its length.
 */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE, PROT_EXEC, PROT_READ, PROT_WRITE } from "../../../ffi/abi/mman.ts";
import { Arena } from "../../../ffi/mem/arena.ts";
import { Assembler } from "../../../ffi/asm/assembler.ts";
import { mem } from "../../../ffi/asm/operands.ts";
import { eax, rax, rbx, rcx, rdi } from "../../../ffi/asm/registers.ts";
import { SEGV_ACCERR, SEGV_MAPERR } from "../../../ffi/abi/siginfo.ts";
import { SIGSEGV } from "../../../ffi/abi/signal.ts";
import { isFull, named } from "../../../tests/harness/machine.ts";
import * as l from "../../conformance/lab.ts";
import { USER_END } from "../../platform.ts";
import * as p from "../../platform.ts";
import { tryPlatform } from "../../select/registry.ts";
import { createKvmPlatform } from "../kvm_platform.ts";
import { fuzzSeed, Random } from "./random.ts";

const STEPS = Number(Deno.env.get("DVISOR_STEPS") ?? (isFull ? 500_000 : 5000));
const CPUS = 3, MAX_SPACES = 8;
/**
 * Each region crosses from one table of some level into the next; the last region ends at the end
 * of user space.
 */
const REGION_PAGES = 24;
const REGIONS = [2 ** 21, 2 ** 30, 2 ** 39, 2 ** 46].map((at) => at - REGION_PAGES / 2 * PAGE_SIZE);
REGIONS.push(USER_END - REGION_PAGES * PAGE_SIZE);
const POOL_PAGES = 64;
const PROTECTIONS = [0, PROT_READ, l.RW, l.RX, l.RW | PROT_EXEC];
/** Layout of a page: its tag, a `ret`, a counter. */
const RET_AT = 8, COUNTER_AT = 16;
const RET = 0xc3;
const READS = 1, WRITES = 2, RUNS = 3;

const code = new Assembler();
code.label("read").mov(rdi, mem(rbx)).mov(eax, READS).syscall();
code.label("write").mov(mem(rbx), rcx).mov(eax, WRITES).syscall();
code.label("run").lea(rax, mem(rbx, RET_AT)).call(rax).mov(eax, RUNS).syscall();
code.label("count").inc(mem(rbx, COUNTER_AT), 4).jmp("count");

interface Page {
  /** Number in the pool. */
  readonly page: number;
  readonly prot: number;
}

interface Modelled {
  readonly space: p.AddressSpace;
  readonly prober: p.Context;
  readonly pages: Map<number, Page>;
}

class Fuzz {
  readonly #lab: l.Lab;
  readonly #random: Random;
  readonly #pool: number;
  readonly #codeAt: number;
  readonly #stacks: number;
  readonly #spaces: Modelled[] = [];
  #tags = POOL_PAGES;

  constructor(lab: l.Lab, random: Random) {
    this.#lab = lab;
    this.#random = random;
    this.#pool = lab.pages(POOL_PAGES);
    for (let i = 0; i < POOL_PAGES; i++) {
      this.#dv.setUint32(this.#at(i), i, true);
      this.#dv.setUint8(this.#at(i) + RET_AT, RET);
    }
    const bytes = code.assemble(l.CODE);
    this.#codeAt = lab.pages();
    new Uint8Array(this.#dv.buffer, this.#codeAt, bytes.length).set(bytes);
    this.#stacks = lab.pages();
  }

  get #dv(): DataView {
    return this.#lab.arena.dv;
  }

  #at(page: number): number {
    return this.#pool + page * PAGE_SIZE;
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) this.#step();
    for (const { space } of this.#spaces) space.destroy();
  }

  #step(): void {
    const random = this.#random;
    if (this.#spaces.length === 0) return this.#add(this.#lab.space(), new Map(), true);
    const chosen = random.pick(this.#spaces);
    switch (random.below(20)) {
      case 0:
        return this.#fork(chosen);
      case 1:
        if (random.oneIn(2)) return this.#destroy(chosen);
        return this.#add(this.#lab.space(), new Map(), true);
      case 2:
        return chosen.space.flush();
      case 3:
        return this.#race(chosen);
      case 4:
      case 5:
      case 6:
      case 7:
      case 8:
        return this.#change(chosen);
      default:
        return this.#probe(chosen, random.below(REGIONS.length * REGION_PAGES));
    }
  }

  #add(space: p.AddressSpace, pages: Map<number, Page>, isNew: boolean): void {
    if (isNew) {
      space.mapArena(l.CODE, PAGE_SIZE, this.#codeAt, l.RX);
      space.mapArena(l.STACK, PAGE_SIZE, this.#stacks, l.RW);
    }
    const prober = this.#lab.thread(space, l.CODE, l.STACK + PAGE_SIZE);
    this.#spaces.push({ space, prober, pages });
    if (this.#spaces.length > MAX_SPACES) this.#destroy(this.#spaces[0]!);
  }

  #fork({ space, pages }: Modelled): void {
    const child = space.fork();
    assert(child !== null);
    this.#add(child, new Map(pages), false);
  }

  #destroy(chosen: Modelled): void {
    this.#spaces.splice(this.#spaces.indexOf(chosen), 1);
    const { space } = chosen;
    space.destroy();
    this.#lab.until(() => space.ackedSeq === space.seq, "the space is gone");
  }

  #change({ space, pages }: Modelled): void {
    const random = this.#random, region = random.below(REGIONS.length);
    const first = random.below(REGION_PAGES), prot = random.pick(PROTECTIONS);
    const count = 1 + random.below(REGION_PAGES - first), page = random.below(POOL_PAGES - count);
    const addr = REGIONS[region]! + first * PAGE_SIZE, len = count * PAGE_SIZE;
    const kind = random.below(4);
    if (kind === 0) space.unmap(addr, len);
    else if (kind === 1) space.protect(addr, len, prot);
    else space.mapArena(addr, len, this.#at(page), prot, random.oneIn(2));
    for (let i = 0; i < count; i++) {
      const key = region * REGION_PAGES + first + i, old = pages.get(key);
      if (kind === 0) pages.delete(key);
      else if (kind > 1) pages.set(key, { page: page + i, prot });
      else if (old !== undefined) pages.set(key, { page: old.page, prot });
    }
  }

  #address(key: number): number {
    return REGIONS[Math.floor(key / REGION_PAGES)]! + key % REGION_PAGES * PAGE_SIZE;
  }

  #start(c: p.Context, label: string, addr: number, value = 0): void {
    l.setReg(c, p.RIP, l.CODE + code.offsetOf(label));
    l.setReg(c, p.RSP, l.STACK + PAGE_SIZE);
    l.setReg(c, p.RBX, addr);
    l.setReg(c, p.RCX, value);
    c.resumeAll(false);
  }

  /** Reads, writes or runs a page. */
  #probe({ prober, pages }: Modelled, key: number): void {
    const addr = this.#address(key), known = pages.get(key), prot = known?.prot ?? 0;
    const call = 1 + this.#random.below(3), at = known === undefined ? 0 : this.#at(known.page);
    const before = this.#dv.getUint32(at, true), tag = this.#tags++ >>> 0;
    const label = ["read", "write", "run"][call - 1]!;
    this.#start(prober, label, addr, tag);
    const isAllowed = call === READS
      ? prot !== 0
      : (prot & (call === WRITES ? PROT_WRITE : PROT_EXEC)) !== 0;
    const what = `${label} of 0x${addr.toString(16)}, ${prot} allowed`;
    const stop = this.#lab.next();
    assert(stop === prober, what);
    if (isAllowed) {
      assertEquals([stop.trap, stop.nr], [p.TRAP_SYSCALL, call], `${what}: ${l.describe(stop)}`);
      if (call === READS) assertEquals(stop.args.u64(0), before, what);
      if (call === WRITES) assertEquals(this.#dv.getUint32(at, true), tag, what);
      return;
    }
    const access = [p.ACCESS_READ, p.ACCESS_WRITE, p.ACCESS_EXEC][call - 1];
    assertEquals(
      [stop.trap, stop.signo, stop.sigcode, stop.faultAddr, stop.faultAccess],
      [
        p.TRAP_FAULT,
        SIGSEGV,
        known === undefined ? SEGV_MAPERR : SEGV_ACCERR,
        addr + (call === RUNS ? RET_AT : 0),
        access,
      ],
      what,
    );
  }

  /** Takes a page from a thread that writes to it on another vCPU. */
  #race({ space, pages }: Modelled): void {
    const random = this.#random, key = random.below(REGIONS.length * REGION_PAGES);
    const addr = this.#address(key), [page, other] = [random.below(32), 32 + random.below(32)];
    space.mapArena(addr, PAGE_SIZE, this.#at(page), l.RW, random.oneIn(2));
    const counter = (of: number) => this.#dv.getUint32(this.#at(of) + COUNTER_AT, true);
    const writer = this.#lab.thread(space, l.CODE, l.STACK + PAGE_SIZE), from = counter(page);
    this.#start(writer, "count", addr);
    this.#lab.until(() => counter(page) !== from, "the thread has written");
    const kind = random.below(3);
    if (kind === 0) space.unmap(addr, PAGE_SIZE);
    else if (kind === 1) space.protect(addr, PAGE_SIZE, PROT_READ);
    else space.mapArena(addr, PAGE_SIZE, this.#at(other), l.RW, random.oneIn(2));
    space.flush();
    assertEquals(space.ackedSeq, space.seq);
    const taken = counter(page), end = performance.now() + random.below(60) / 1000;
    while (performance.now() < end);
    assertEquals(counter(page), taken, `a page was written after it was taken away (${kind})`);
    if (kind === 2) writer.interrupt();
    this.#lab.expect(writer, kind === 2 ? p.TRAP_INTERRUPT : p.TRAP_FAULT);
    assertEquals(counter(page), taken, `and later (${kind})`);
    writer.release();
    if (kind === 0) pages.delete(key);
    else if (kind === 1) pages.set(key, { page, prot: PROT_READ });
    else pages.set(key, { page: other, prot: l.RW });
  }
}

Deno.test({
  ...named(`${STEPS} changes of page tables are what guests see`, tryPlatform("kvm")),
  fn: () => {
    const seed = fuzzSeed(), start = performance.now();
    const arena = Arena.create(64 * 1024 * 1024, 0);
    const platform = createKvmPlatform(arena, { cpus: CPUS });
    try {
      new Fuzz(new l.Lab(arena, platform), new Random(seed)).run(STEPS);
    } catch (cause) {
      throw new Error(`seed ${seed}`, { cause });
    } finally {
      platform.destroy();
      arena.close();
    }
    console.log(
      `seed ${seed}: ${Math.round((performance.now() - start) * 1000 / STEPS)} us a step`,
    );
  },
});
