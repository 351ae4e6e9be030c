import { assertEquals, assertThrows } from "@std/assert";
import {
  CREDIT,
  DATA,
  END,
  EVENT,
  FrameDecoder,
  frameOf,
  type FrameSink,
  messageBytes,
  OPEN,
  OUTPUT,
  PAYLOAD_MAX,
  ProtocolError,
} from "./frame.ts";

class Recorder implements FrameSink {
  readonly seen: unknown[][] = [];

  onData(channel: number, stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    const last = this.seen.at(-1);
    // Parts of a payload count as one.
    if (last?.[0] === "data" && last[1] === channel && last[2] === stream) {
      last[3] = `${last[3]}${new TextDecoder().decode(bytes)}`;
    } else this.seen.push(["data", channel, stream, new TextDecoder().decode(bytes)]);
  }
  onEnd(channel: number, stream: number): void {
    this.seen.push(["end", channel, stream]);
  }
  onCredit(channel: number, stream: number, bytes: number): void {
    this.seen.push(["credit", channel, stream, bytes]);
  }
  onMessage(channel: number, type: number, message: unknown): void {
    this.seen.push(["message", channel, type, message]);
  }
}

function joined(frames: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(frames.flatMap((frame) => [...frame]));
}

const text = (value: string) => new TextEncoder().encode(value);

const STREAM = joined([
  frameOf(1, 0, OPEN, 0, messageBytes({ op: "stat", path: "/\u00e4" })),
  frameOf(1, 1, DATA, OUTPUT, text("hello")),
  frameOf(1, 2, DATA, OUTPUT | END, text("")),
  frameOf(7, 3, CREDIT, OUTPUT, new Uint8Array([0, 0, 1, 0])),
  frameOf(9, 4, EVENT, 0, messageBytes({})),
]);
const SEEN = [
  ["message", 1, OPEN, { op: "stat", path: "/\u00e4" }],
  ["data", 1, OUTPUT, "hello"],
  ["end", 1, OUTPUT],
  ["credit", 7, OUTPUT, 65536],
  ["message", 9, EVENT, {}],
];

Deno.test("frames are found whatever the pieces are in which they come", () => {
  for (let size = 1; size <= STREAM.length; size++) {
    const sink = new Recorder(), decoder = new FrameDecoder(sink);
    for (let at = 0; at < STREAM.length; at += size) decoder.push(STREAM.slice(at, at + size));
    assertEquals(sink.seen, SEEN, `pieces of ${size}`);
    assertEquals(decoder.isBetweenFrames, true);
  }
});

Deno.test("a frame that breaks a rule is a protocol error that says which", () => {
  const cases: [Uint8Array<ArrayBuffer>, string][] = [
    [frameOf(1, 1, DATA, 0, text("x")), "frame 0 has the number 1"],
    [frameOf(1, 0, 0, 0, text("")), "type 0"],
    [frameOf(1, 0, 9, 0, text("")), "type 9"],
    [frameOf(1, 0, DATA, 0x40, text("")), "flags 64"],
    [frameOf(1, 0, DATA, 3, text("")), "flags 3"],
    [frameOf(1, 0, OPEN, 1, messageBytes({})), "flags 1"],
    [frameOf(1, 0, CREDIT, 0, text("x")), "a credit has 1 bytes"],
    [frameOf(1, 0, OPEN, 0, text("[]")), "no JSON object"],
    [frameOf(1, 0, OPEN, 0, text("{")), "no JSON object"],
    [frameOf(1, 0, OPEN, 0, new Uint8Array([0x22, 0xff, 0x22])), "no JSON object"],
    [frameOf(1, 0, DATA, 0, new Uint8Array(PAYLOAD_MAX + 1)), "262145 bytes"],
  ];
  for (const [frame, what] of cases) {
    const decoder = new FrameDecoder(new Recorder());
    assertThrows(() => decoder.push(frame), ProtocolError, what);
  }
});

Deno.test("the sequence goes on behind 2^32 - 1 with 0", () => {
  const sink = new Recorder(), decoder = new FrameDecoder(sink, 0xffffffff);
  decoder.push(frameOf(1, 0xffffffff, DATA, 0, text("a")));
  decoder.push(frameOf(2, 0, DATA, 0, text("b")));
  assertEquals(sink.seen, [["data", 1, 0, "a"], ["data", 2, 0, "b"]]);
});
