import { assert, assertEquals, assertThrows } from "@std/assert";
import { isFull } from "../../../tests/harness/machine.ts";
import { Random } from "../../../tests/harness/seeded.ts";
import { ImageError } from "./byte_reader.ts";
import type { Rule } from "./class_row.ts";
import { ClassTable } from "./class_table.ts";
import { decodeGraph } from "./decoder.ts";
import * as format from "./format.ts";
import * as graph from "./graph_testing.ts";
import { encoded, problemOf } from "./graph_testing.ts";

/** The bytes of the sections of an image. Each begins with nothing in it. */
interface Sections {
  readonly strings?: readonly string[];
  readonly shapes?: readonly number[];
  readonly buffers?: readonly number[];
  readonly heads?: readonly number[];
  readonly records?: readonly number[];
  readonly saved?: readonly number[];
  readonly content?: readonly number[];
}

function imageOf(sections: Sections): Uint8Array<ArrayBuffer> {
  const { strings = [], shapes = [0], buffers = [0] } = sections;
  const { heads = [], records = [], saved = [], content = [] } = sections;
  const texts = strings.flatMap((text) => [2 * text.length, ...new TextEncoder().encode(text)]);
  const tables = [strings.length, ...texts, ...shapes, ...buffers];
  const lengths = [tables, heads, records, saved, content].map(({ length }) => length);
  const front = [...new Uint8Array(new Uint32Array(lengths).buffer)];
  const bytes = [...front, ...tables, ...heads, ...records, ...saved];
  while (bytes.length % 8 !== 0) bytes.push(0);
  return new Uint8Array([...bytes, ...content]);
}

function head(kind: number, isFrozen: boolean = false): number {
  return 2 * kind + (isFrozen ? 1 : 0);
}

const ARRAY = head(format.ARRAY), SHAPE = head(format.FIRST_SHAPE);
const UINT8 = head(format.FIRST_VIEW), UINT16 = head(format.FIRST_VIEW + 4);
const CONTENT = [1, 2, 3, 4, 5, 6, 7, 8];
/** An array of one value. */
const of = (...value: number[]): Sections => ({ heads: [ARRAY], records: [1, ...value] });
/** An object of a class. */
const a = (name: string, more: Sections): Sections => {
  return { strings: [name], shapes: [1, format.SHAPE_CLASS, 0], ...more };
};
const view = (more: Sections): Sections => ({ buffers: [1, 16], content: CONTENT, ...more });

/** Images, and what the decoder expects there. */
const REFUSED: readonly (readonly [Sections, string])[] = [
  [{}, "an object"],
  [{ heads: [head(31)] }, "a kind of view"],
  [{ heads: [SHAPE] }, "the number of a shape"],
  [{ heads: [0x80, 0x80, 0x80, 0x80, 0x10] }, "a number of 32 bits"],
  [{ heads: [0x80] }, "more bytes in the section"],
  [{ heads: [ARRAY], records: [2, format.NULL] }, "2 more things"],
  [{ heads: [ARRAY], records: [0, 0] }, "the end of the section"],
  [{ heads: [head(format.MAP)], records: [1, format.NULL] }, "1 more things"],
  [{ heads: [head(format.SET)], records: [2, format.NULL, format.NULL] }, "members that differ"],
  [{ heads: [head(format.MAP)], records: [2, 0, 0, 0, 0] }, "keys that differ"],
  [of(10 << 2), "a value"],
  [of(format.TAG_STRING), "the number of a string"],
  [of(1 << 2 | format.TAG_OBJECT), "the number of an object"],
  [of(format.DOUBLE, 1, 2, 3), "a double"],
  [of(format.POSITIVE, ...Array(8).fill(0xff), 1), "a number of 53 bits"],
  [of(format.POSITIVE, ...Array(7).fill(0xff), 0x7f), "a number of 53 bits"],
  [of(format.LATER, 0), "the number of a derived object"],
  [{ ...of(format.BIGINT, 0), strings: ["0x1"] }, "the digits of a bigint"],
  [{ ...of(format.BIGINT, 0), strings: ["-"] }, "the digits of a bigint"],
  [{ heads: [head(format.SET)], records: [1, format.HOLE] }, "a value"],
  [{ heads: [head(format.BUFFER)] }, "more bytes in the section"],
  [{ heads: [head(format.BUFFER), 0] }, "the number of a buffer"],
  [view({ heads: [UINT8, 0, 0, 9] }), "a view in a buffer of 8"],
  [view({ heads: [UINT8, 0, 9, 0] }), "a view in a buffer of 8"],
  [view({ heads: [UINT16, 0, 1, 2] }), "a view in a buffer of 8"],
  [view({ heads: [head(format.BUFFER, true), 0] }), "what can be frozen"],
  [view({ heads: [UINT8, 0, 0, 7], buffers: [1, 17] }), "one view of a whole buffer"],
  [view({ heads: [head(format.BUFFER), 0], content: [] }), "a buffer that the image has"],
  [
    view({ heads: [UINT8, 0, 0, 8, UINT8, 0, 0, 8], buffers: [1, 17] }),
    "one view of a whole buffer",
  ],
  [{ heads: [ARRAY], records: [0], content: CONTENT }, "the end"],
  [{ heads: [head(format.KEPT), 0] }, "the number of an object that is kept"],
  [{ heads: [head(format.CONSTANT), 0], strings: ["x"] }, 'a constant, and not "x"'],
  [{ shapes: [1, 3, 0] }, "a kind of shape"],
  [{ shapes: [1, format.SHAPE_PLAIN, 1, 0] }, "the number of a string"],
  [
    { strings: ["__proto__"], shapes: [1, format.SHAPE_PLAIN, 1, 0] },
    'the key of a plain object, and not "__proto__"',
  ],
  [
    { strings: ["5"], shapes: [1, format.SHAPE_PLAIN, 1, 0] },
    'the key of a plain object, and not "5"',
  ],
  [{ strings: ["a"], shapes: [1, format.SHAPE_PLAIN, 2, 0, 0] }, "keys that differ"],
  [a("Unknown", {}), 'a class, and not "Unknown"'],
  [a("HostSocket", { heads: [SHAPE] }), "no object of the class HostSocket"],
  [a("Color", { heads: [SHAPE, 0] }), 'a Color, and not "Color"'],
  [a("Node", { heads: [SHAPE], records: [0, 0] }), "more bytes in the section"],
  [a("Scratch", { heads: [SHAPE, 0] }), "the owner of an object"],
  [
    a("Scratch", { heads: [head(format.SET), SHAPE, 0], records: [1, 7] }),
    "the number of an object",
  ],
  [a("Device", { heads: [SHAPE] }), "more bytes in the section"],
  [a("Device", { heads: [SHAPE], saved: [0] }), "what a Device has saved"],
  [a("Device", { heads: [SHAPE], saved: [1, 3] }), "anchors of lower stages"],
  [a("Device", { heads: [SHAPE + 1], saved: [0] }), "what can be frozen"],
];

Deno.test("what an image may not have is named with its place", () => {
  const found = REFUSED.map(([sections]) => {
    const image = imageOf(sections), error = problemOf(image);
    if (error === null) return "none";
    assert(error.offset >= 0 && error.offset <= image.length);
    return error.message.replace(/.* expected /, "");
  });
  assertEquals(found, REFUSED.map(([, expected]) => expected));
});

Deno.test("an error names the byte", () => {
  const problem = problemOf(imageOf(of(10 << 2)));
  assertEquals(problem?.message, "byte 26 of the image: expected a value");
});

Deno.test("an image of objects that a rule cannot use is refused", () => {
  const image = imageOf(a("Fussy", { heads: [SHAPE], records: [format.NULL] }));
  class Fussy {
    size: number | null = null;
  }
  const rule: Rule = {
    fate: "state",
    fields: { size: { make: (): unknown => new Uint8Array(-1) } },
  };
  const { prototype } = Fussy;
  const table = new ClassTable([{ name: "Fussy", prototype, fields: ["name", "size"], rule }]);
  const { cause } = assertThrows(() => decodeGraph(image, table, { host: {} }), ImageError);
  assert(cause instanceof RangeError);
});

Deno.test("what rules have made is released when the copy fails, the last first", () => {
  const root = new graph.Root("/", new Uint8Array(), null, null);
  const device = new graph.Device("/dev", new Uint8Array(), root, null);
  const { bytes } = encoded([device, new graph.Cached(7), 1]), host = new graph.FullHost();
  assertThrows(() => decodeGraph(bytes, graph.TABLE, { host }), graph.FullHost);
  assertEquals(host.released.splice(0), ["14", "/dev", "/"]);
  const last = bytes.lastIndexOf(1 << 3 | format.TAG_INT);
  bytes[last] = 10 << 2;
  assertThrows(() => decodeGraph(bytes, graph.TABLE, { host }), ImageError, "a value");
  assertEquals(host.released, ["/dev", "/"]);
});

Deno.test("an image that is cut off anywhere is refused", () => {
  const { bytes } = encoded(graph.randomGraph(new Random(3), 40));
  for (let length = 0; length < bytes.length; length++) {
    assert(problemOf(bytes.slice(0, length)) !== null, `${length} bytes of ${bytes.length}`);
  }
  assert(problemOf(new Uint8Array([...bytes, 0])) !== null);
});

Deno.test("no change of an image does more than give another graph", () => {
  const images = isFull ? 10_000 : 100, changes = 100;
  let refused = 0;
  for (let seed = 1; seed <= images; seed++) {
    const random = new Random(seed), { bytes } = encoded(graph.randomGraph(random, 20));
    for (let left = changes; left > 0; left--) {
      if (problemOf(graph.mutated(bytes, random)) !== null) refused++;
    }
  }
  assert(refused > images * changes / 4, `${refused} are refused`);
});
