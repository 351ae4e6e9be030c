import { assert, assertEquals, assertStrictEquals, assertThrows } from "@std/assert";
import { isFull } from "../../../tests/harness/machine.ts";
import { Random } from "../../../tests/harness/seeded.ts";
import { ImageError } from "./byte_reader.ts";
import type { ClassRow, FieldRule } from "./class_row.ts";
import { ClassTable } from "./class_table.ts";
import { difference } from "./compare_testing.ts";
import { decodeGraph } from "./decoder.ts";
import { encodeGraph } from "./encoder.ts";
import { GraphError, RefusedError } from "./graph_error.ts";
import * as graph from "./graph_testing.ts";
import { decoded, Device, encoded, NamedNode, Node, Root, Scratch } from "./graph_testing.ts";

/** The copy of a graph, which is like the graph. */
function copyOf<T extends object>(root: T): T {
  const { bytes } = encoded(root), copy = decoded(bytes);
  assertEquals(difference(root, copy, { isEnd: graph.isMade }), null);
  assertEquals(encoded(copy).bytes, bytes);
  return copy as T;
}

function problemOf(
  root: object,
  kind: new (path: string, problem: string) => Error = GraphError,
): string {
  return assertThrows(() => encoded(root), kind).message;
}

Deno.test("each kind of value is in the copy", () => {
  copyOf([null, undefined, true, false, 0, -0, NaN, Infinity, -Infinity, 0.1, 1e300]);
  copyOf([127, 128, -1, -64, -65, 2 ** 27, -(2 ** 27) - 1, 2 ** 31, 2 ** 32, 2 ** 53, 1e20]);
  copyOf([Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, Number.MIN_VALUE]);
  copyOf([0n, -1n, 2n ** 64n - 1n, -(2n ** 63n), 10n ** 500n]);
  copyOf(["", "a", "a", "é", "ÿĀ", "\ud800", "😀\0", "long ".repeat(10_000)]);
});

Deno.test("each kind of object is in the copy, in the order that it had", () => {
  const holes = [1, , 3, , ,];
  copyOf([[], [[]], holes, {}, { b: 1, a: { b: 2, a: 3 } }, { a: 1, b: 1 }, Object.create(null)]);
  copyOf([new Map<unknown, unknown>([["b", 1], ["a", 2], [NaN, 3], [null, 4]]), new Set([3, 1])]);
  copyOf([new Node(1), new NamedNode("x", [2]), new graph.Wide(), new graph.Wide()]);
  copyOf([Object.freeze([1]), Object.freeze({ a: 1 }), Object.freeze(new Node(1)), new Node(2)]);
});

Deno.test("circles, and objects that are held twice", () => {
  const node = new Node(null), map = new Map<object, object>();
  node.left = node;
  map.set(map, node).set(node, map);
  node.right = [map, map, new Set([map, node])];
  copyOf(node);
});

Deno.test("a key that is an object finds the value in the copy", () => {
  const key = new Node("key"), copy = copyOf({ key, map: new Map([[key, "value"]]) });
  assertEquals(copy.map.get(copy.key), "value");
});

Deno.test("views of one buffer share it in the copy, also with the buffer itself", () => {
  const buffer = new ArrayBuffer(64), words = new Uint32Array(buffer, 8, 4);
  const copy = copyOf({ words, view: new DataView(buffer, 9, 3), bytes: new Uint8Array(buffer) });
  copy.words[0] = 0x1234;
  assertEquals([copy.view.getUint8(0), copy.bytes[8]], [0x12, 0x34]);
  const { bytes, held } = copyOf({ bytes: new Uint8Array(buffer), held: buffer });
  assertStrictEquals(bytes.buffer, held);
  const twice = new Uint8Array(3), { a, b } = copyOf({ a: twice, b: twice });
  assertStrictEquals(a, b);
});

Deno.test("each kind of view has its content", () => {
  const bytes = Uint8Array.from({ length: 48 }, (_, i) => i * 37);
  const { buffer } = bytes;
  copyOf([
    new Int8Array(buffer.slice()),
    new Uint8ClampedArray(buffer.slice()),
    new Int16Array(buffer.slice()),
    new Uint16Array(buffer.slice()),
    new Int32Array(buffer.slice()),
    new Float32Array([1.5, NaN]),
    new Float64Array(buffer.slice()),
    new BigInt64Array(buffer.slice()),
    new BigUint64Array(buffer.slice()),
    new DataView(buffer.slice()),
    new Uint8Array(),
    new Uint8Array(buffer, 1, 3),
  ]);
});

Deno.test("an image that begins at an odd address is read", () => {
  const root = [new Float64Array([1, 2]), new Uint8Array([3])], { bytes } = encoded(root);
  const moved = new Uint8Array(bytes.length + 3);
  moved.set(bytes, 3);
  assertEquals(difference(root, decoded(moved.subarray(3))), null);
});

Deno.test("a long chain and 10^6 objects", () => {
  let chain = new Node("end");
  for (let i = 0; i < 100_000; i++) chain = new Node(chain, i);
  const copy = decoded(encoded(chain).bytes) as Node;
  let length = 0;
  for (let at: unknown = copy; at instanceof Node; at = at.left) length++;
  assertEquals(length, 100_001);
  const many = Array.from({ length: 1_000_000 }, (_, i) => new Node(i));
  const copies = decoded(encodeGraph(many, graph.TABLE).bytes) as Node[];
  assert(copies.every((node, i) => node instanceof Node && node.left === i));
});

Deno.test("fields in another order come into that of the row", () => {
  const node: Node = Object.create(Node.prototype);
  node.name = "n";
  node.right = 2;
  node.left = 1;
  const copy = decoded(encoded(node).bytes);
  assertEquals(Object.entries(copy), [["left", 1], ["right", 2], ["name", "n"]]);
});

Deno.test("a field for which the class has a setter is a field of the copy", () => {
  class Base {
    set value(_value: number) {
      throw new Error("called");
    }
  }
  class Derived extends Base {
    constructor(value: number) {
      super();
      Object.defineProperty(this, "value", { value, enumerable: true, writable: true });
    }
  }
  const { prototype } = Derived, fields = ["value"];
  const row: ClassRow = { name: "Derived", prototype, fields, rule: { fate: "state" } };
  const table = new ClassTable([row]), { bytes } = encodeGraph(new Derived(3), table);
  assertEquals(Object.entries(decodeGraph(bytes, table, { host: {} })), [["value", 3]]);
});

Deno.test("derived fields are not encoded, and made again", () => {
  const cached = new graph.Cached(21);
  cached.sum = 99;
  cached.double = [];
  const copy = decoded(encoded([cached]).bytes) as graph.Cached[];
  assertEquals(Object.entries(copy[0]!), [["base", 21], ["sum", 0], ["hits", 7], ["double", [42]]]);
});

Deno.test("a field is encoded as its rule saves it, and made of that by stage", () => {
  class Task {
    first: unknown = null;
    second: unknown = null;
    queue: readonly unknown[] = ["of the host", "kept"];
    constructor(public registers: Uint8Array | string) {}
  }
  const fields: Record<string, FieldRule> = {
    registers: {
      save: ({ registers }: Task) => [registers],
      make: (_task, host, saved) => `${String(saved)} on ${String(host)}`,
    },
    first: { stage: 2, make: ({ second }: Task) => `first after ${second}` },
    second: { stage: 1, make: ({ registers }: Task) => `second after ${registers}` },
    queue: { save: ({ queue }: Task) => queue.filter((item) => item !== "of the host") },
  };
  const task = new Task(new Uint8Array([1, 2])), { prototype } = Task;
  const row: ClassRow = {
    name: "Task",
    prototype,
    fields: Object.keys(task),
    rule: { fate: "state", fields },
  };
  const table = new ClassTable([row]), { bytes } = encodeGraph(task, table);
  const copy = decodeGraph(bytes, table, { host: { toString: () => "it" } });
  assertEquals(Object.entries(copy), [
    ["registers", "1,2 on it"],
    ["first", "first after second after 1,2 on it"],
    ["second", "second after 1,2 on it"],
    ["queue", ["kept"]],
  ]);
});

Deno.test("a derived object is made for the object that held it first", () => {
  const scratch = new Scratch({ other: true }), owner = new Node(scratch, "owner");
  const map = new Map<unknown, unknown>([[1, scratch], [2, "behind"]]);
  const [first, list, copied] = decoded(encoded([owner, [0, scratch], map]).bytes) as [
    Node,
    unknown[],
    Map<unknown, unknown>,
  ];
  assert(first.left instanceof Scratch);
  assertStrictEquals(first.left.owner, first);
  assertStrictEquals(list[1], first.left);
  assertEquals([...copied], [[1, first.left], [2, "behind"]]);
  assertEquals(
    problemOf([new Set([scratch])]),
    "Array[0].member(0): Scratch is derived, and a key",
  );
  assertEquals(problemOf(scratch), "the root: derived");
});

Deno.test("constants are the same objects in the copy", () => {
  const held = [...graph.COLORS, ...graph.CONSTANTS], copy = decoded(encoded(held).bytes);
  assertEquals(held.map((constant, i) => (copy as object[])[i] === constant), held.map(() => true));
  const other = new graph.Color("red");
  assertEquals(problemOf([other]), 'Array[0]: the constant "red" is another object');
});

Deno.test("anchors are made by stage and attached when the graph is in place", () => {
  const node = new Node("node"), root = new Root("/", new Uint8Array([1, 2]), null, null);
  const device = new Device("/dev/sda", new Uint8Array([3]), root, node);
  const copy = decoded(encoded([device, node, root]).bytes) as [Device, Node, Root];
  assertEquals([copy[0].path, [...copy[0].bytes], copy[0].isAttached], ["/dev/sda", [3], true]);
  assertStrictEquals(copy[0].node, copy[1]);
  assertStrictEquals(copy[0].under, copy[2]);
  const odd = new Device("odd", new Uint8Array(), device, null);
  assertEquals(
    problemOf([odd]),
    "Array[0].under: saved by an anchor of stage 2, but made later",
  );
});

Deno.test("a copy in the process has the same constants and shared anchors", () => {
  const root = new Root("/", new Uint8Array(), null, null);
  const device = new Device("d", new Uint8Array(), root, null);
  const held = [root, device, root, ...graph.COLORS, ...graph.CONSTANTS];
  const { bytes, kept } = encoded(held, { isInProcess: true });
  const copy = decoded(bytes, kept) as object[];
  assertEquals(
    held.map((object, i) => object === copy[i]),
    held.map((object) => object !== device),
  );
  const { path, under } = copy[1] as Device;
  assertEquals(path, "same d");
  assertStrictEquals(under, root);
  assert(graph.problemOf(bytes) !== null, "a file has none of them");
});

Deno.test("the frames of a graph are each in the list once", () => {
  const { Frames } = graph, held = [new Frames(30, 5), new Frames(10, 10), new Frames(10, 2)];
  const { frames } = encoded([...held, new Frames(20, 10), new Frames(90, 0)]);
  assertEquals(frames, [{ first: 10, count: 25 }]);
});

Deno.test("objects of a copy hold frames by the numbers of the copy", () => {
  const { bytes } = encoded([new graph.Frames(10, 2), new graph.Frames(10, 1)]);
  const holdsOf = (numberOf?: (frame: number) => number) => {
    const holds: number[][] = [];
    const hold = (first: number, count: number) => holds.push([first, count]);
    const frames = numberOf === undefined ? { hold } : { hold, numberOf };
    decodeGraph(bytes, graph.TABLE, { host: {}, frames });
    return holds;
  };
  assertEquals(holdsOf(), [[10, 2], [10, 1]]);
  assertEquals(holdsOf((frame) => frame + 100), [[110, 2], [110, 1]]);
  // Frames that are apart in the copy, or not in the image.
  assertThrows(() => holdsOf((frame) => frame * 2), ImageError, "2 frames from 10 on");
  assertThrows(() => holdsOf((frame) => frame === 10 ? 10 : -1), ImageError, "2 frames from 10 on");
});

Deno.test("what cannot be encoded is named with the path to it", () => {
  const at = (value: unknown) => new Node([1, new Map([["key", { value }]])]);
  const path = 'Node.left[1].get("key").value';
  assertEquals(problemOf(at(() => 1)), `${path}: a function`);
  assertEquals(problemOf(at(Symbol("s"))), `${path}: a symbol`);
  for (const odd of [new WeakMap(), new WeakSet(), Promise.resolve(), new Date(), /x/, [].keys()]) {
    assertEquals(problemOf(at(odd)).split(": ")[0], path);
  }
  class Unknown {}
  assertEquals(problemOf(at(new Unknown())), `${path}: no row for the class Unknown`);
  class More extends Node {}
  assertEquals(problemOf(at(new More(1))), `${path}: no row for the class More`);
  const shared = new SharedArrayBuffer(8);
  assertEquals(problemOf(at(shared)), `${path}: no row for the class SharedArrayBuffer`);
  assertEquals(problemOf(at(new Int32Array(shared))), `${path}: a view of shared memory`);
  const resizable = new ArrayBuffer(8, { maxByteLength: 16 });
  assertEquals(problemOf(at(new Uint8Array(resizable))), `${path}: a buffer that can be resized`);
  const large = new Uint8Array(2 ** 26 + 1);
  assertEquals(problemOf(at(large)), `${path}: a buffer as large as an arena`);
  assertEquals(problemOf(at(new Array(2 ** 31))), `${path}: an array that is too long`);
  assertEquals(problemOf(new Map([[new Node(() => 1), 1]])), "Map.key(0).left: a function");
  const long = "a\n".repeat(60), cut = "a\\n".repeat(30);
  assertEquals(problemOf(new Map([[long, () => 1]])), `Map.get("${cut}..."): a function`);
  assertEquals(problemOf(new Map([[2n, () => 1]])), "Map.get(2): a function");
  assertEquals(problemOf(new Set([0, new Node(() => 1)])), "Set.member(1).left: a function");
  assertEquals(problemOf(at(2n ** 4100n)), `${path}: a bigint that is too long`);
  assertEquals(
    problemOf(at(new graph.HostSocket()), RefusedError),
    `${path}: a connection to 10.0.0.1`,
  );
});

Deno.test("fields that differ from the row are named", () => {
  const extra = Object.assign(new Node(1), { odd: 1 }), lacking = new Node(1);
  Reflect.deleteProperty(lacking, "name");
  assertEquals(problemOf([extra]), 'Array[0]: Node has the field "odd", which its row lacks');
  assertEquals(problemOf([lacking]), 'Array[0]: Node lacks the field "name" of its row');
  Object.assign(lacking, { odd: 1 });
  assertEquals(problemOf([lacking]), 'Array[0]: Node lacks the field "name" of its row');
});

Deno.test("properties that a copy would lose are named", () => {
  const problem = (object: object, key: string | symbol, property: PropertyDescriptor) =>
    problemOf([Object.defineProperty(object, key, { value: 1, ...property })]);
  const accessor = Object.defineProperty(new Node(1), "left", { get: () => 1, enumerable: true });
  assertEquals(problemOf([accessor]), 'Array[0]: Node has the accessor property "left"');
  assertEquals(
    problem(new Node(1), Symbol("s"), { enumerable: true }),
    "Array[0]: Node has the key Symbol(s)",
  );
  assertEquals(problem({}, "a", {}), 'Array[0]: Object has the hidden property "a"');
  assertEquals(
    problem({}, "a", { enumerable: true }),
    'Array[0]: Object has the read-only property "a"',
  );
  assertEquals(
    problem([], "a", { enumerable: true, writable: true }),
    `Array[0]: Array has the property "a"`,
  );
  assertEquals(
    problem(new Map(), "a", { enumerable: true, writable: true }),
    'Array[0]: Map has the property "a"',
  );
  assertEquals(problemOf([Object.seal({ a: 1 })]), "Array[0]: sealed, but not frozen");
  assertEquals(problemOf([{ 1: 2 }]), 'Array[0]: a plain object with the key "1"');
  assertEquals(
    problemOf([JSON.parse('{"__proto__":1}')]),
    'Array[0]: a plain object with the key "__proto__"',
  );
});

Deno.test("a table names what is wrong with its rows", () => {
  const row = (name: string, prototype: object): ClassRow => {
    return { name, prototype, fields: [], rule: { fate: "state" } };
  };
  class Extended extends Map {}
  const problem = (...rows: ClassRow[]) => assertThrows(() => new ClassTable(rows), Error).message;
  assertEquals(problem(row("Extended", Extended.prototype)), "Extended extends Map");
  const [one, other] = [row("A", Node.prototype), row("A", NamedNode.prototype)];
  assertEquals(problem(one, other), "two classes of one name");
  assertEquals(problem(one, { ...one, name: "B" }), "two rows of one class");
  const fields = { x: { value: 1 } };
  assertEquals(problem({ ...one, rule: { fate: "state", fields } }), 'A has no field "x"');
});

Deno.test("copies of random graphs are like them", () => {
  for (let seed = 1; seed <= (isFull ? 20_000 : 1000); seed++) {
    const random = new Random(seed), root = graph.randomGraph(random, 1 + random.below(60));
    const { bytes } = encoded(root), copy = decoded(bytes);
    assertEquals(difference(root, copy, { isEnd: graph.isMade }), null, `seed ${seed}`);
    assertEquals(encoded(copy).bytes, bytes, `seed ${seed}`);
  }
});
