import { assertEquals, assertThrows } from "@std/assert";
import { openCodec } from "./codec.ts";
import {
  type Codec,
  SEAL_BYTES,
  SECTION_FRAMES,
  SECTION_GRAPH,
  SECTION_MAX,
  SECTION_RUNS,
  SnapshotFileError,
} from "./format.ts";
import { FrameRuns, SECTION_PAGES } from "./frame_runs.ts";
import { SnapshotReader, type SnapshotSource } from "./reader.ts";
import { type SnapshotSink, SnapshotWriter } from "./writer.ts";

const PAGE = 4096;

/** A file in memory. */
class MemoryFile implements SnapshotSink, SnapshotSource {
  bytes: Uint8Array<ArrayBuffer>;
  size: number = 0;

  constructor(room: number) {
    this.bytes = new Uint8Array(room);
  }
  write(bytes: Uint8Array, offset: number): void {
    this.bytes.set(bytes, offset);
    this.size = Math.max(this.size, offset + bytes.length);
  }
  read(into: Uint8Array, offset: number): void {
    if (offset + into.length > this.size) throw new SnapshotFileError("the file is shorter");
    into.set(this.bytes.subarray(offset, offset + into.length));
  }
}

/** Numbers that depend on `seed` alone. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed >>> 0 || 1;
  for (;;) {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    yield state;
  }
}

const HEADER = { dvisor: "1.2.3", containers: ["web"] };
const GRAPH_BYTES = SECTION_MAX + 12_345, PAGES = SECTION_PAGES + 100;

/** A snapshot with two sections of the graph and two of frames, the second one of zeros. */
function sample(codec: Codec, level: number): MemoryFile {
  const file = new MemoryFile(16 << 20), random = numbers(7);
  const graph = Uint8Array.from({ length: GRAPH_BYTES }, (_, i) => i % 251);
  const writer = new SnapshotWriter(file, codec, HEADER, level);
  writer.addBytes(SECTION_GRAPH, graph);
  const runs = new FrameRuns();
  runs.add(3, 500);
  runs.add(503, 2);
  runs.add(1000, PAGES - 502);
  writer.addBytes(SECTION_RUNS, runs.toBytes());
  const first = Uint8Array.from({ length: SECTION_PAGES * PAGE }, () => random.next().value & 255);
  writer.addFrames([first.subarray(0, 502 * PAGE), first.subarray(502 * PAGE)]);
  writer.addFrames([new Uint8Array((PAGES - SECTION_PAGES) * PAGE)]);
  assertEquals(writer.finish(), file.size);
  return file;
}

function readAll(file: SnapshotSource, codec: Codec): SnapshotReader {
  const reader = SnapshotReader.open(file, codec);
  reader.verify();
  return reader;
}

Deno.test("what is written is read again, with and without compression", () => {
  const codec = openCodec(), sizes: number[] = [];
  for (const level of [0, 3]) {
    const file = sample(codec, level), reader = readAll(file, codec);
    sizes.push(file.size);
    assertEquals(reader.header, HEADER);
    const graph = reader.bytes(SECTION_GRAPH);
    assertEquals([graph.length, graph.at(-1)], [GRAPH_BYTES, (GRAPH_BYTES - 1) % 251]);
    const { runs } = reader;
    assertEquals([runs.length, runs.first(0), runs.count(0)], [2, 3, 502]);
    assertEquals([runs.first(1), runs.count(1), runs.pages], [1000, PAGES - 502, PAGES]);
    assertEquals(reader.frameSections, 2);
    const random = numbers(7), frames = reader.frames(0);
    assertEquals(frames.every((byte) => byte === (random.next().value & 255)), true);
    assertEquals(reader.frames(1).every((byte) => byte === 0), true);
  }
  assertEquals(sizes[1]! < sizes[0]! - SECTION_MAX, true);
});

Deno.test("a snapshot without frames is one", () => {
  const codec = openCodec(), file = new MemoryFile(1 << 20);
  const writer = new SnapshotWriter(file, codec, {});
  writer.finish();
  const reader = readAll(file, codec);
  assertEquals([reader.frameSections, reader.runs.pages, reader.header], [0, 0, {}]);
  assertEquals(reader.bytes(SECTION_GRAPH).length, 0);
});

Deno.test("a file that was not finished is refused at each length", () => {
  const codec = openCodec(), whole = sample(codec, 0), { size } = whole;
  for (const cut of [0, 1, 47, 48, 60, PAGE, size / 2 | 0, size - SEAL_BYTES, size - 1]) {
    whole.size = cut;
    assertThrows(() => readAll(whole, codec), SnapshotFileError);
  }
});

Deno.test("a flipped bit anywhere is found", () => {
  const codec = openCodec(), file = sample(codec, 3), random = numbers(11);
  const header = JSON.stringify(HEADER).length, isPadding = unusedBytes(file, codec);
  for (let i = 0; i < 2_000; i++) {
    // Every second one is in the front or in the part behind the sections.
    const near = i % 4 === 0 ? random.next().value % (48 + header) : file.size - 1 -
      random.next().value % (SEAL_BYTES + 160);
    const at = i % 2 === 0 ? near : random.next().value % file.size;
    if (isPadding(at)) continue;
    const old = file.bytes[at]!;
    file.bytes[at] = old ^ 1 << random.next().value % 8;
    assertThrows(() => readAll(file, codec), SnapshotFileError, "", `byte ${at}`);
    file.bytes[at] = old;
  }
  readAll(file, codec);
});

/** Bytes between sections, which mean nothing: those that no section, header or index covers. */
function unusedBytes(file: MemoryFile, codec: Codec): (at: number) => boolean {
  const used = new Uint8Array(file.size);
  const spy: SnapshotSource = {
    size: file.size,
    read(into, offset) {
      used.fill(1, offset, offset + into.length);
      file.read(into, offset);
    },
  };
  readAll(spy, codec);
  return (at) => used[at] === 0;
}

Deno.test("an index of impossible sections is refused although its seal is right", () => {
  const codec = openCodec();
  const patches: [string, number, number][] = [
    ["kind 0", 0, 0],
    ["an unknown kind", 0, 99],
    ["an unknown storage", 2, 9],
    ["a place in the header", 8, 0],
    ["no alignment", 8, 1],
    ["a place behind the index", 12, 1],
    ["a stored length behind the index", 20, 1],
    ["a length above the limit", 28, 1],
    ["no length", 24, 0],
  ];
  for (const [what, at, value] of patches) {
    const file = sample(codec, 3);
    const view = new DataView(file.bytes.buffer), seal = file.size - SEAL_BYTES;
    const index = view.getUint32(seal + 8, true), length = view.getUint32(seal + 16, true);
    if (at < 8) view.setUint16(index + at, value, true);
    else view.setUint32(index + at, value, true);
    file.write(codec.sha256(file.bytes.subarray(index, index + length)), seal + 24);
    assertThrows(() => readAll(file, codec), SnapshotFileError, "", what);
  }
});

Deno.test("runs are in order and disjoint", () => {
  const runs = new FrameRuns();
  runs.add(10, 5);
  for (const [first, count] of [[14, 1], [0, 1], [15, 0], [2 ** 32, 1], [20, 2 ** 32], [15.5, 1]]) {
    assertThrows(() => runs.add(first!, count!), SnapshotFileError);
  }
  assertThrows(() => FrameRuns.fromBytes(new Uint8Array(7)), SnapshotFileError);
  const again = FrameRuns.fromBytes(runs.toBytes());
  assertEquals([again.length, again.first(0), again.count(0)], [1, 10, 5]);
});

Deno.test("a section that expands to more than its row says is refused", () => {
  const codec = openCodec(), file = sample(codec, 3);
  const view = new DataView(file.bytes.buffer), seal = file.size - SEAL_BYTES;
  const index = view.getUint32(seal + 8, true), length = view.getUint32(seal + 16, true);
  view.setUint32(index + 24, 1000, true);
  file.write(codec.sha256(file.bytes.subarray(index, index + length)), seal + 24);
  const reader = SnapshotReader.open(file, codec);
  assertThrows(() => reader.bytes(SECTION_GRAPH), SnapshotFileError, "damaged");
  assertThrows(() => reader.verify(), SnapshotFileError, "damaged");
  assertEquals(reader.bytes(SECTION_FRAMES).length, PAGES * PAGE);
});
