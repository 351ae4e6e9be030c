/** Start and end of spaces: thousands of spaces, stubs that die, and nothing left behind. */

import { assert, assertEquals } from "@std/assert";
import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { eax, rax } from "../../ffi/asm/registers.ts";
import type { Define } from "../conformance.ts";
import * as p from "../platform.ts";
import { descendants, openFiles, ownMappings, stubsWithMapping } from "./host_view.ts";
import { caller, CODE, fail, type Lab, setReg } from "./lab.ts";

/**
 * The address of guest code by which a test finds the stub on the host. Nothing else is mapped
 * there.
 */
const FINDABLE = 0x5a5a0000;

export function testLifecycle(define: Define): void {
  define("a killed stub is the death of its contexts, and of no other", killedStub, true);
  define("a stub that is killed while it is resumed", killedWhileResumed, true);
  define("a guest that jumps behind its address space traps", behindTheSpace);
  define("spaces begin as copies of a template, and outlive it", templates);
  define("a template whose host process is gone forks no more", killedTemplate, true);
  define("10,000 switches leave nothing behind", manySwitches);
  define("2,000 spaces come and go", (lab) => manySpaces(lab, 2000));
  define("destroyed spaces acknowledge their last change", destroyedSpaces);
  define("contexts of a destroyed space are silent", destroyWhileRunning);
}

function kill(addr: number): void {
  const pids = stubsWithMapping(addr);
  assertEquals(pids.length, 1, `stubs with a mapping at 0x${addr.toString(16)}`);
  Deno.kill(pids[0]!, "SIGKILL");
}

/** Each of these contexts must report TRAP_DEATH, and no other context may stop. */
function expectDeaths(lab: Lab, contexts: p.Context[]): void {
  const alive = new Set(contexts);
  while (alive.size > 0) {
    const c = lab.next();
    if (c.trap !== p.TRAP_DEATH || !alive.delete(c)) fail(`trap ${c.trap} in place of a death`);
    assert(c.deathCause !== "", "a death has a cause");
  }
}

/** A template whose host process has started. */
function newTemplate(lab: Lab): p.AddressSpace {
  const template = lab.platform.newTemplate();
  assert(template !== null, "newTemplate gave none");
  if (!lab.platform.isInProcess) {
    lab.until(() => template.hostPid !== 0, "the template has a host process");
  }
  return template;
}

function runIn(lab: Lab, space: p.AddressSpace | null, nr: number): p.Context {
  assert(space !== null, "no fork of a template");
  lab.load(space, caller(nr));
  const context = lab.thread(space);
  context.resumeAll(true);
  return lab.expectCall(context, nr);
}

function templates(lab: Lab): void {
  const template = newTemplate(lab);
  const { isInProcess } = lab.platform;
  const found = descendants().has(template.hostPid);
  assert(found !== isInProcess, "its number is that of a process below this one");
  const first = template.fork(), second = template.fork();
  assert(first !== null && second !== null, "no fork of a template");
  runIn(lab, first, 3);
  const c = runIn(lab, second, 4);
  const pids = new Set([template.hostPid, first.hostPid, second.hostPid]);
  assertEquals(pids.size, isInProcess ? 1 : 3, "a host process each");
  assertEquals(pids.has(0), isInProcess, "all have reported their pids");
  // This includes a stub that was requested just before.
  const last = template.fork();
  template.destroy();
  runIn(lab, last, 5);
  c.resumeRet(0);
  lab.expectCall(c, 4);
  lab.until(() => template.hostPid === 0, "the template is gone");
}

function killedTemplate(lab: Lab): void {
  const template = newTemplate(lab);
  const c = runIn(lab, template.fork(), 3);
  Deno.kill(template.hostPid, "SIGKILL");
  lab.until(() => template.hostPid === 0, "the template is gone");
  assert(template.fork() === null, "a dead template cannot fork");
  c.resumeRet(0);
  lab.expectCall(c, 3);
  template.destroy();
}

function killedStub(lab: Lab): void {
  const other = lab.run(caller(3));
  lab.expectCall(other, 3);
  const space = lab.space();
  lab.load(space, caller(4), FINDABLE);
  lab.load(space, new Assembler().label("again").jmp("again"), CODE);
  const waiting = lab.thread(space, FINDABLE);
  waiting.resumeAll(true);
  lab.expectCall(waiting, 4);
  const running = lab.thread(space);
  running.resumeAll(true);
  kill(FINDABLE);
  expectDeaths(lab, [waiting, running]);
  waiting.resumeRet(0); // nothing happens
  running.interrupt();
  waiting.release();
  running.release();
  space.destroy();

  other.resumeRet(0);
  lab.expectCall(other, 3);
  const fresh = lab.run(caller(5));
  lab.expectCall(fresh, 5);
}

function killedWhileResumed(lab: Lab): void {
  for (let i = 0; i < 10; i++) {
    const space = lab.space();
    lab.load(space, caller(4), FINDABLE + i * 16 * PAGE_SIZE);
    const c = lab.thread(space, FINDABLE + i * 16 * PAGE_SIZE);
    c.resumeAll(true);
    lab.expectCall(c, 4);
    kill(FINDABLE + i * 16 * PAGE_SIZE);
    lab.map(space, 0x70000000); // the space of this change has no stub any more
    c.resumeRet(0);
    expectDeaths(lab, [c]);
    assert(space.fork() === null, "a dead space cannot fork");
    space.destroy();
  }
}

/** Waits for any trap; a thread that keeps running is interrupted. */
function behindTheSpace(lab: Lab): void {
  const { maxUserAddress } = lab.platform;
  for (const offset of [0, 1, 2, 3, 16, 17, 21, 32, 48, 64, 100, PAGE_SIZE, 2 * PAGE_SIZE]) {
    const space = lab.space();
    lab.load(space, new Assembler().jmp(rax));
    const c = lab.thread(space);
    setReg(c, p.RAX, maxUserAddress + offset);
    c.resumeAll(true);
    let stop = lab.nextWithin(50);
    if (stop === null) {
      c.interrupt();
      stop = lab.next();
    }
    assert(stop === c && stop.trap !== p.TRAP_NONE);
    space.destroy();
  }
  lab.expectCall(lab.run(caller(5)), 5);
}

/** Spaces that a platform may still add to its pool while the test counts. */
const POOLED = 4;

function manySwitches(lab: Lab): void {
  const contexts = [lab.run(caller(1)), lab.run(caller(2))];
  const serve = (count: number) => {
    for (let i = 0; i < count; i++) lab.next().resumeRet(0);
  };
  serve(1000);
  const before = [openFiles(), ownMappings(), descendants().size];
  const memory = Deno.memoryUsage().rss;
  serve(10_000);
  const after = [openFiles(), ownMappings(), descendants().size];
  assert(after[0]! <= before[0]! + POOLED, `open files: ${before[0]} before, ${after[0]} after`);
  assert(after[2]! <= before[2]! + POOLED, `processes: ${before[2]} before, ${after[2]} after`);
  assert(after[1]! <= before[1]! + 64, `mappings: ${before[1]} before, ${after[1]} after`);
  const grown = (Deno.memoryUsage().rss - memory) / 2 ** 20;
  assert(grown < 64, `memory grew by ${grown} MiB`);
  for (const c of contexts) c.release();
}

function manySpaces(lab: Lab, count: number): void {
  const once = () => {
    const space = lab.space();
    lab.load(space, new Assembler().mov(eax, 1).syscall());
    const c = lab.thread(space);
    c.resumeAll(true);
    lab.expectCall(c, 1);
    space.destroy();
    lab.until(() => space.ackedSeq === space.seq, "the stub is gone");
    lab.reset();
  };
  for (let i = 0; i < 20; i++) once();
  const before = [openFiles(), descendants().size];
  const memory = Deno.memoryUsage().rss;
  for (let i = 0; i < count; i++) once();
  const after = [openFiles(), descendants().size];
  assert(after[0]! <= before[0]! + POOLED, `open files: ${before[0]} before, ${after[0]} after`);
  assert(after[1]! <= before[1]! + POOLED, `processes: ${before[1]} before, ${after[1]} after`);
  const grown = (Deno.memoryUsage().rss - memory) / 2 ** 20;
  assert(grown < 128, `memory grew by ${grown} MiB`);
}

function destroyedSpaces(lab: Lab): void {
  const spaces = Array.from({ length: 10 }, () => lab.space());
  for (const space of spaces) {
    lab.map(space, 0x20000000);
    space.destroy();
    space.destroy();
  }
  for (const space of spaces) lab.until(() => space.ackedSeq === space.seq, "the stub is gone");
}

function destroyWhileRunning(lab: Lab): void {
  for (let i = 0; i < 20; i++) {
    const space = lab.space();
    lab.load(space, i % 2 === 0 ? caller(1) : new Assembler().label("again").jmp("again"));
    for (let k = 0; k < 3; k++) lab.thread(space).resumeAll(true);
    space.destroy();
  }
  const fresh = lab.run(caller(5));
  lab.expectCall(fresh, 5);
}
