/**
 * Programs of calls, as data: a seed draws them, mutations change them, a file keeps them. What a
 * call needs in memory is part of it, so that a program can lose any of its calls and still be run.
 *
 * Neighbours: ../../sim/calls.ts has the descriptions of the calls that work together;
 * descriptions.ts those for this fuzzer alone.
 */

import { decodeBase64, encodeBase64 } from "@std/encoding";
import { Random } from "../../harness/seeded.ts";
import { type Call, drawCall, type Holdings, type Memory } from "../../sim/calls.ts";
import { DATA, DATA_BYTES } from "../../sim/guest.ts";
import { drawFurtherCall } from "./descriptions.ts";
import { type Actor, ACTORS } from "./world.ts";

export interface Step {
  readonly actor: Actor;
  readonly nr: number;
  readonly args: readonly number[];
  /** The bytes in memory when the call is made. */
  readonly writes: readonly { readonly at: number; readonly bytes: Uint8Array<ArrayBuffer> }[];
}

export type Program = readonly Step[];

/** Descriptors and addresses that calls of a program are likely to get. */
const FDS_KNOWN = 12;
/** One in so many calls is of descriptions.ts. */
const FURTHER = 3;
/** LIMIT: calls of one program. */
const MAX_STEPS = 250;

class StepMemory implements Memory {
  readonly writes: { at: number; bytes: Uint8Array<ArrayBuffer> }[] = [];
  #next: number;

  constructor(start: number) {
    this.#next = start;
  }
  put(bytes: Uint8Array<ArrayBuffer>): number {
    const at = this.room(bytes.length);
    this.writes.push({ at, bytes });
    return at;
  }
  room(len: number): number {
    if (this.#next + len > DATA + DATA_BYTES) this.#next = DATA;
    const at = this.#next;
    this.#next += len + 15 & ~15;
    return Math.min(at, DATA + DATA_BYTES - 1);
  }
}

function holdings(chance: Random): Holdings {
  const fds = Array.from({ length: 3 }, () => chance.below(FDS_KNOWN));
  return { fds, maps: [DATA + 0x8000, 0x7f0000000000] };
}

/** One step of an actor; most actors make several calls in a row. */
export function drawStep(chance: Random, actor: Actor): Step {
  const memory = new StepMemory(DATA + chance.below(DATA_BYTES / 2));
  const own = holdings(chance);
  const call: Call = chance.below(FURTHER) === 0
    ? drawFurtherCall(chance, own, memory)
    : drawCall(chance, own, memory);
  return { actor, nr: call.nr, args: call.args, writes: memory.writes };
}

export function drawProgram(chance: Random): Program {
  const steps: Step[] = [], count = 10 + chance.below(MAX_STEPS - 10);
  let actor = chance.pick(ACTORS);
  while (steps.length < count) {
    if (chance.below(6) === 0) actor = chance.pick(ACTORS);
    steps.push(drawStep(chance, actor));
  }
  return steps;
}

/**
 * A changed copy: calls inserted, left out, doubled, with another argument, or taken from `other`.
 */
export function mutate(chance: Random, program: Program, other: Program): Program {
  const steps = [...program];
  for (let n = 1 + chance.below(4); n > 0; n--) {
    const at = chance.below(steps.length + 1), here = steps[at];
    const kind = chance.below(6);
    if (here === undefined || kind === 0) {
      steps.splice(at, 0, drawStep(chance, here?.actor ?? chance.pick(ACTORS)));
    } else if (kind === 1) steps.splice(at, 1);
    else if (kind === 2) steps.splice(at, 0, here);
    else if (kind === 3) steps[at] = { ...here, actor: chance.pick(ACTORS) };
    else if (kind === 4) steps[at] = withOtherArgument(chance, here);
    else {
      const from = chance.below(other.length);
      steps.splice(at, 0, ...other.slice(from, from + 1 + chance.below(8)));
    }
  }
  return steps.slice(0, MAX_STEPS);
}

const VALUES: readonly number[] = [0, 1, 2, 3, 7, 8, 64, 4095, 4096, 65536, 2 ** 31, 2 ** 32, -1];

function withOtherArgument(chance: Random, step: Step): Step {
  const args = [...step.args], at = chance.below(6);
  while (args.length <= at) args.push(0);
  args[at] = chance.below(2) === 0 ? chance.pick(VALUES) : args[at]! ^ 1 << chance.below(12);
  return { ...step, args };
}

/** A program as text, a call a line; corpora and failures are kept so. */
export function encodeProgram(program: Program): string {
  return program.map((step) =>
    JSON.stringify({
      actor: step.actor,
      nr: step.nr,
      args: step.args,
      writes: step.writes.map(({ at, bytes }) => [at, encodeBase64(bytes)]),
    })
  ).join("\n") + "\n";
}

/** @throws SyntaxError for text that is no program */
export function decodeProgram(text: string): Program {
  return text.split("\n").filter((line) => line !== "").map(decodeStep);
}

function decodeStep(line: string): Step {
  const value: unknown = JSON.parse(line);
  if (typeof value !== "object" || value === null) throw new SyntaxError(`no step: ${line}`);
  const { actor, nr, args, writes } = value as Record<string, unknown>;
  const known = ACTORS.find((a) => a === actor);
  if (known === undefined || typeof nr !== "number" || !Array.isArray(args)) {
    throw new SyntaxError(`no step: ${line}`);
  }
  if (!Array.isArray(writes)) throw new SyntaxError(`no writes: ${line}`);
  return {
    actor: known,
    nr,
    args: args.map(Number),
    writes: writes.map(([at, bytes]) => ({ at: Number(at), bytes: decodeBase64(String(bytes)) })),
  };
}
