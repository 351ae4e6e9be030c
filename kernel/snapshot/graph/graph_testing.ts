/**
 * Classes of every fate, random graphs of them, and a comparison of graphs. Not a test.
 *
 * Neighbour: encoder_test.ts.
 */

import type { Random } from "../../../tests/harness/seeded.ts";
import { decodeGraph } from "./decoder.ts";
import { ImageError } from "./byte_reader.ts";
import type { ClassRow, Rule } from "./class_row.ts";
import { ClassTable } from "./class_table.ts";
import { type EncodedGraph, encodeGraph, type EncodeOptions } from "./encoder.ts";

/** State. */
export class Node {
  constructor(public left: unknown, public right: unknown = null, public name: string = "") {}
}

/** State whose fields are in the order of two classes. */
export class NamedNode extends Node {
  readonly isNamed: boolean = true;
  count: number = 0;
}

/** State of many fields: one for each letter. */
export class Wide {
  [letter: string]: unknown;

  constructor() {
    for (const letter of LETTERS) this[letter] = letter.charCodeAt(0) / 7;
  }
}
const LETTERS: readonly string[] = [..."abcdefghijklmnopqrstuvwxyz"];

/** State with fields that are derived. */
export class Cached {
  sum: number = 0;
  hits: number = 7;
  double: readonly number[];

  constructor(public base: number) {
    this.double = [2 * base];
  }
}

/** Derived: each one belongs to its owner. */
export class Scratch {
  constructor(readonly owner: object) {}
}

/** Constants, by their names. */
export class Color {
  constructor(readonly name: string) {}
}
export const COLORS: readonly Color[] = ["red", "green"].map((name) =>
  Object.freeze(new Color(name))
);

/** An anchor: what it has saved is its path, bytes, the place it is mounted on, and a node. */
export class Device {
  isAttached: boolean = false;

  constructor(
    readonly path: string,
    readonly bytes: Uint8Array,
    readonly under: Device | null,
    readonly node: Node | null,
  ) {}
}
/** A host that can attach nothing, and throws itself. */
export class FullHost extends Error {
  readonly released: string[] = [];
}

/** An anchor of the first stage. */
export class Root extends Device {}

/** Refused. */
export class HostSocket {
  readonly peer: string = "10.0.0.1";
}

/** State that holds frames. */
export class Frames {
  constructor(public first: number, readonly count: number) {}
}

/** A row whose fields are those of an object. */
function rowOf(sample: object, rule: Rule = { fate: "state" }): ClassRow {
  const prototype: object = Object.getPrototypeOf(sample);
  return { name: sample.constructor.name, prototype, fields: Object.keys(sample), rule };
}

function anchor(stage: number, Made: typeof Device | typeof Root, isShared: boolean): Rule {
  return {
    fate: "anchor",
    stage,
    isShared,
    save: ({ path, bytes, under, node }: Device, { isInProcess }) => {
      return [isInProcess ? `same ${path}` : path, bytes, under, node];
    },
    load([path, bytes, under, node]) {
      if (typeof path !== "string" || !(bytes instanceof Uint8Array)) return null;
      if (under !== null && !(under instanceof Device)) return null;
      if (node !== null && !(node instanceof Node)) return null;
      return new Made(path, bytes, under, node);
    },
    attach(device: Device, host: object) {
      if (host instanceof FullHost) throw host;
      device.isAttached = true;
    },
    release({ path }: Device, host: object) {
      if (host instanceof FullHost) host.released.push(path);
    },
  };
}

const DEVICE = new Device("", new Uint8Array(), null, null);
const NAMED: ReadonlyMap<string, object> = new Map<string, object>([
  ["the functions", Object.freeze({ open() {} })],
  ["nothing", Object.freeze([])],
]);
export const CONSTANTS: readonly object[] = [...NAMED.values()];

export const TABLE: ClassTable = new ClassTable([
  rowOf(new Node(1)),
  rowOf(new NamedNode(1)),
  rowOf(new Wide()),
  rowOf(new Cached(1), {
    fate: "state",
    fields: {
      sum: { value: 0 },
      double: {
        make: ({ base }: Cached) => [2 * base],
        release(made, host) {
          if (host instanceof FullHost) host.released.push(String(made));
        },
      },
    },
  }),
  rowOf(new Scratch({}), { fate: "derived", make: (owner) => new Scratch(owner) }),
  rowOf(COLORS[0]!, {
    fate: "constant",
    name: ({ name }: Color) => name,
    find: (name) => COLORS.find((color) => color.name === name) ?? null,
  }),
  rowOf(DEVICE, anchor(2, Device, false)),
  rowOf(new Root("", new Uint8Array(), null, null), anchor(1, Root, true)),
  rowOf(new HostSocket(), {
    fate: "refused",
    reason: ({ peer }: HostSocket) => `a connection to ${peer}`,
  }),
  rowOf(new Frames(1, 1), {
    fate: "state",
    frames: ({ first, count }: Frames, visit) => visit(first, count),
    renumber(held: Frames, numbers) {
      held.first = numbers.of(held.first, held.count);
    },
  }),
], NAMED);

export function encoded(root: object, options: EncodeOptions = {}): EncodedGraph {
  return encodeGraph(root, TABLE, { isThorough: true, ...options });
}

export function decoded(bytes: Uint8Array<ArrayBuffer>, kept: readonly object[] = []): object {
  return decodeGraph(bytes, TABLE, { host: {}, kept });
}

export function copyOf(root: object): object {
  return decoded(encoded(root).bytes);
}

/** Why a decoder refuses an image; null: it takes it. */
export function problemOf(bytes: Uint8Array<ArrayBuffer>): ImageError | null {
  try {
    decoded(bytes);
    return null;
  } catch (error) {
    if (error instanceof ImageError) return error;
    throw error;
  }
}

/** A copy of an image with some bytes changed, left out or repeated. */
export function mutated(image: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const bytes = image.slice();
  for (let left = 1 + random.below(4); left > 0; left--) {
    const at = random.below(bytes.length);
    switch (random.below(4)) {
      case 0:
        bytes[at] = random.below(256);
        break;
      case 1:
        bytes[at]! ^= 1 << random.below(8);
        break;
      case 2:
        bytes[at]! += random.below(5) - 2;
        break;
      default:
        bytes.copyWithin(at, random.below(bytes.length), random.below(bytes.length));
    }
  }
  return random.below(8) === 0 ? bytes.subarray(0, random.below(bytes.length)) : bytes;
}

const DOUBLES: readonly number[] = [0.5, -0, NaN, Infinity, -Infinity, 2 ** 53, -(2 ** 60), 5e-324];
const INTEGERS: readonly number[] = [
  0,
  1,
  -1,
  63,
  2 ** 27 - 1,
  2 ** 27,
  -(2 ** 27),
  -(2 ** 27) - 1,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  1 - 2 ** 53,
];
const STRINGS: readonly string[] = ["", "a", "name", "ÿ", "Ā", "\ud800", "😀", "x".repeat(300)];

/** A graph of `size` objects, all of which its root holds, and which refer to each other. */
export function randomGraph(random: Random, size: number): Node {
  const objects: object[] = [];
  const any = (): unknown => randomValue(random, objects);
  for (let i = 0; i < size; i++) objects.push(randomObject(random, objects));
  for (const object of objects) refer(object, random, any);
  for (const object of objects) {
    const isMemory = ArrayBuffer.isView(object) || object instanceof ArrayBuffer;
    if (!isMemory && !(object instanceof Device) && random.below(9) === 0) Object.freeze(object);
  }
  return new Node(objects);
}

/** Objects of random graphs whose copies are made by rules. */
export function isMade(object: object): boolean {
  return object instanceof Device || object instanceof Scratch;
}

function randomValue(random: Random, objects: readonly object[]): unknown {
  switch (random.below(8)) {
    case 0:
      return random.pick(DOUBLES);
    case 1:
      return random.pick(INTEGERS);
    case 2:
      return random.pick(STRINGS);
    case 3:
      return [null, undefined, true, false][random.below(4)];
    case 4:
      return BigInt(random.below(1000) - 500) ** 9n;
    case 5:
      return random.below(20) === 0 ? new Scratch(random.pick(objects)) : random.below(100);
    default:
      return random.pick(objects);
  }
}

function randomObject(random: Random, objects: readonly object[]): object {
  switch (random.below(12)) {
    case 0:
      return new Node(null);
    case 1:
      return new NamedNode(null, null, random.pick(STRINGS));
    case 2:
      return new Wide();
    case 3:
      return new Cached(random.below(1000));
    case 4:
      return [];
    case 5:
      return new Map();
    case 6:
      return new Set();
    case 7:
      return random.pick([{}, Object.create(null)]);
    case 8:
      return random.pick([...COLORS, ...CONSTANTS]);
    case 9:
      return randomDevice(random, objects);
    case 10:
      return new ArrayBuffer(8 * random.below(9));
    default:
      return randomView(random, objects);
  }
}

function randomDevice(random: Random, objects: readonly object[]): Device {
  const nodes = objects.filter((object) => object instanceof Node);
  const roots = objects.filter((object) => object instanceof Root);
  const node = random.pick([null, ...nodes]), bytes = new Uint8Array([random.below(256)]);
  if (random.below(2) === 0) return new Root("/", bytes, null, node);
  return new Device(random.pick(STRINGS), bytes, random.pick([null, ...roots]), node);
}

function randomView(random: Random, objects: readonly object[]): ArrayBufferView {
  const buffers = objects.filter((object) => object instanceof ArrayBuffer);
  const length = 8 * random.below(9), content = Array.from({ length }, () => random.below(256));
  const buffer = random.below(2) === 0 || buffers.length === 0
    ? new Uint8Array(content).buffer
    : random.pick(buffers);
  const offset = 8 * random.below(buffer.byteLength / 8 + 1);
  const left = (buffer.byteLength - offset) / 8;
  return random.pick([
    () => new Uint8Array(buffer, offset, random.below(8 * left + 1)),
    () => new Int16Array(buffer, offset),
    () => new Float64Array(buffer, offset),
    () => new BigInt64Array(buffer, 0),
    () => new Uint32Array(buffer),
    () => new DataView(buffer, offset, random.below(8 * left + 1)),
  ])();
}

/** Gives an object its fields or elements. */
function refer(object: object, random: Random, any: () => unknown): void {
  if (Object.isFrozen(object)) return;
  if (Array.isArray(object)) {
    for (let left = random.below(6); left > 0; left--) {
      if (random.below(5) === 0) object.length++;
      else object.push(any());
    }
  } else if (object instanceof Map) {
    for (let left = random.below(6); left > 0; left--) object.set(keyOf(any()), any());
  } else if (object instanceof Set) {
    for (let left = random.below(6); left > 0; left--) object.add(keyOf(any()));
  } else if (object instanceof Node) {
    object.left = any();
    object.right = any();
  } else if (object instanceof Wide) object["q"] = any();
  else if (Object.getPrototypeOf(object) === null || object.constructor === Object) {
    for (let left = random.below(4); left > 0; left--) {
      Object.assign(object, { [random.pick(LETTERS)]: any() });
    }
  }
}

/** What may be a key: nothing that is derived. */
function keyOf(value: unknown): unknown {
  return value instanceof Scratch ? "a key" : value;
}
