/**
 * What rules/fields.ts and rules/numbers.ts decide is done: by the rule of a field, by the rule of
 * the class of what a field holds, or by code that a list here names.
 */

import { assertEquals } from "@std/assert";
import { FIELD_RULES } from "../rules/fields.ts";
import { NUMBER_RULES, type NumberRule } from "../rules/numbers.ts";
import { STATE_TABLE } from "../state_table.ts";
import { FRAME_HOLDERS } from "./frame_holders.ts";
import { kernelTable } from "./kernel_table.ts";

class Host {}
class Platform {}
class Arena {}
class Space {}
class Context {}

const TABLE = kernelTable({
  host: Host,
  platforms: [Platform],
  arena: Arena,
  spaces: [Space],
  contexts: [Context],
});

/** Names of classes and their base classes. */
function chainOf(prototype: object): string[] {
  const names: string[] = [];
  for (let at: object | null = prototype; at !== null; at = Object.getPrototypeOf(at)) {
    names.push(at.constructor.name);
  }
  return names;
}

/** Whether a class has a rule for a field. */
function hasRule(name: string, field: string): boolean {
  const rule = TABLE.classNamed(name)?.row.rule;
  if (rule?.fate !== "state") return true;
  return FRAME_HOLDERS[name]?.holds.includes(field) || Object.hasOwn(rule.fields ?? {}, field);
}

/** Whether each class of state that has the field, as "Class.field", has a rule for it. */
function isRuled(name: string): boolean {
  const [owner = "", field = ""] = name.split(".");
  const classes = STATE_TABLE.filter(({ made }) => chainOf(made.prototype).includes(owner));
  return classes.length > 0 && classes.every((row) => hasRule(row.name, field));
}

/** Fields of objects whose class has a rule, which finds or makes the right object. */
const BY_CLASS: readonly string[] = (`
  FrameAllocator.arena GoferFs.client HostFdInode.watch Loop.driver MemoryContext.arena
  MemoryContext.windows MemoryManager.space
  PendingExec.program ProcFacts.cpuInfo Task.ctx TurnServer.held UserAccess.fileWindows Worker.ctx
`).trim().split(/\s+/);
const GIVEN_BY_CLASS: readonly string[] = ["the host", "the platform"];

/** Fields that are right without a rule, and why. */
const WITHOUT_RULE: ReadonlyMap<string, string> = new Map([
  ["AddressLayout.maxAddress", "of the platform, which must have as many bits"],
  ["Fifo.items", "a standstill holds back the stops of contexts (quiesce.ts)"],
  ["FrameCharges.tables", "renumber, when all frames are known (FRAME_FOLLOWERS)"],
  ...[
    "GoferFs.epoch",
    "GoferFs.epochNs",
    "GoferInode.fetchedNs",
    "GoferInode.key",
    "GoferNode.listener",
  ]
    .map((field): [string, string] => [field, "set by reconnect.ts"]),
  ["HostListener.fd", "UnixStream.outside is null"],
  ["KeyStore.word", "scratch, written before each use"],
  ["LeavingSpace.space", "LeavingSpaces.leaving has none"],
  ["MemoryManager.unmaps", "empty between two turns"],
  ["PortTable.random", "scratch, written before each use"],
]);

/** Whether a field is encoded, as its number means the same in a copy. */
function isKept({ kind, note }: NumberRule): boolean {
  return kind === "time" && note === "" || /^(kept|of all timers|the times|compared)/.test(note);
}

/** All fields with rules: those without code. */
function fieldsWithoutCode(): string[] {
  const held = FIELD_RULES.filter(({ how }) => !GIVEN_BY_CLASS.includes(how));
  const numbers = NUMBER_RULES.filter((rule) => !isKept(rule));
  return [...held, ...numbers].map(({ field }) => field).filter((field) => !isRuled(field));
}

Deno.test("each field that cannot be encoded as it is has code that makes it", () => {
  const known = new Set([...BY_CLASS, ...WITHOUT_RULE.keys()]);
  assertEquals(fieldsWithoutCode().filter((field) => !known.has(field)), []);
});

Deno.test("what has frames says so in numbers.ts", () => {
  const frames = NUMBER_RULES.filter(({ kind }) => kind === "frame").map(({ field }) => field);
  for (const [name, { holds }] of Object.entries(FRAME_HOLDERS)) {
    const { made } = STATE_TABLE.find((row) => row.name === name)!;
    const owners = chainOf(made.prototype);
    for (const field of holds) {
      const isNamed = owners.some((owner) => frames.includes(`${owner}.${field}`));
      assertEquals(isNamed, true, `${name}.${field}`);
    }
  }
});
