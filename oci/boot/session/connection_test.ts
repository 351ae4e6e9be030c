import { assertEquals } from "@std/assert";
import {
  CONTROL,
  CREDIT,
  DATA,
  END,
  ERROR,
  EVENT,
  HELLO,
  INPUT,
  OPEN,
  OUTPUT,
  RESULT,
  WINDOW_BYTES,
} from "../../protocol/session/frame.ts";
import { Channel, type ChannelPort } from "./channel.ts";
import { ConnectionLab } from "./connection_testing.ts";
import { RequestError } from "../../protocol/request_error.ts";

/** Sends so many bytes of output, and records what the client does. */
class TestChannel extends Channel {
  left: number;
  readonly seen: string[] = [];

  constructor(port: ChannelPort, bytes: number = 0) {
    super(port);
    this.left = bytes;
    if (bytes > 0) port.wantsToSend(OUTPUT);
  }
  override onData(stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.seen.push(`data ${stream} ${bytes.length}`);
  }
  override onEnd(stream: number): void {
    this.seen.push(`end ${stream}`);
  }
  override onControl(message: unknown): void {
    if (Object.hasOwn(Object(message), "wrong")) throw new RequestError("InvalidArgument", "wrong");
    this.seen.push(`control ${JSON.stringify(message)}`);
  }
  override produce(_stream: number, _address: number, max: number): number {
    if (this.left === 0) return -1;
    const n = Math.min(max, this.left);
    this.left -= n;
    return n;
  }
  override onProduced(): void {
    if (this.left === 0) this.seen.push("all sent");
  }
  override onGone(): void {
    this.seen.push("gone");
  }
}

/** A lab whose channels are in `channels`, each with so many bytes of output. */
function labOf(...bytes: number[]): { lab: ConnectionLab; channels: TestChannel[] } {
  const channels: TestChannel[] = [];
  const lab = new ConnectionLab((port) => {
    const channel = new TestChannel(port, bytes[channels.length]);
    channels.push(channel);
    return channel;
  });
  lab.hello();
  return { lab, channels };
}

function errorsOf(lab: ConnectionLab): unknown[] {
  return lab.messages.filter(([channel, type]) => channel === 0 && type === ERROR)
    .map(([, , message]) => message);
}

function credit(bytes: number): Uint8Array<ArrayBuffer> {
  const payload = new Uint8Array(4);
  new DataView(payload.buffer).setUint32(0, bytes, true);
  return payload;
}

Deno.test("HELLO is answered, and the owner is greeted without one", () => {
  const { lab } = labOf();
  lab.run();
  assertEquals(lab.messages, [[0, HELLO, { hello: true }]]);
  const owned = new ConnectionLab((port) => new TestChannel(port), true);
  owned.connection.greet({ id: "x" });
  owned.open(1);
  owned.run();
  assertEquals(owned.messages, [[0, HELLO, { id: "x" }]]);
  assertEquals(owned.connection.isBusy, true);
});

Deno.test("input, its end and controls reach the channel, and messages reach the client", () => {
  const ports: ChannelPort[] = [], channels: TestChannel[] = [];
  const lab = new ConnectionLab((port) => {
    ports.push(port);
    const channel = new TestChannel(port);
    channels.push(channel);
    return channel;
  });
  lab.hello();
  lab.open(5, { op: "x" });
  lab.send(5, DATA, INPUT, new Uint8Array(10));
  lab.send(5, DATA, INPUT | END, new Uint8Array(3));
  lab.sendMessage(5, CONTROL, { signal: "SIGTERM" });
  lab.run();
  assertEquals(channels[0]?.seen, [
    "data 0 10",
    "data 0 3",
    "end 0",
    'control {"signal":"SIGTERM"}',
  ]);
  ports[0]?.event({ pid: 3 });
  ports[0]?.result({ code: 0 });
  ports[0]?.event({ late: true });
  lab.run();
  assertEquals(lab.messages.slice(1), [[5, EVENT, { pid: 3 }], [5, RESULT, { code: 0 }]]);
  // These crossed the result.
  lab.send(5, DATA, INPUT, new Uint8Array(1));
  lab.send(5, CREDIT, OUTPUT, credit(1));
  lab.sendMessage(5, CONTROL, {});
  lab.run();
  assertEquals(errorsOf(lab), []);
});

Deno.test("no more is sent than the client has granted, and other streams go on", () => {
  const { lab, channels } = labOf(3 * WINDOW_BYTES, 10);
  lab.open(1);
  lab.open(2);
  lab.run();
  assertEquals(lab.bytes.get("1.1"), WINDOW_BYTES);
  assertEquals([lab.bytes.get("2.1"), lab.ended.has("2.1")], [10, true]);
  lab.send(1, CREDIT, OUTPUT, credit(WINDOW_BYTES / 2));
  lab.run();
  assertEquals(lab.bytes.get("1.1"), 1.5 * WINDOW_BYTES);
  lab.send(1, CREDIT, OUTPUT, credit(4 * WINDOW_BYTES));
  lab.run();
  assertEquals([lab.bytes.get("1.1"), lab.ended.has("1.1")], [3 * WINDOW_BYTES, true]);
  assertEquals(channels[0]?.seen, ["all sent", "all sent"]);
});

Deno.test("a socket without room delays the output and loses nothing", () => {
  const { lab } = labOf(300_000, 300_000);
  lab.open(1);
  lab.open(2);
  lab.host.room = 0;
  lab.run();
  assertEquals(lab.messages.length, 0);
  for (let i = 0; i < 1000; i++) {
    lab.host.room = 777;
    lab.run();
  }
  assertEquals([lab.bytes.get("1.1"), lab.bytes.get("2.1")], [300_000, 300_000]);
});

Deno.test("the window of the input is granted again in larger pieces", () => {
  const ports: ChannelPort[] = [];
  const lab = new ConnectionLab((port) => {
    ports.push(port);
    return new TestChannel(port);
  });
  lab.hello();
  lab.open(1);
  for (let i = 0; i < 16; i++) lab.send(1, DATA, INPUT, new Uint8Array(WINDOW_BYTES / 16));
  lab.run();
  ports[0]?.grant(INPUT, WINDOW_BYTES / 8);
  lab.run();
  assertEquals(lab.credits, []);
  ports[0]?.grant(INPUT, WINDOW_BYTES / 8);
  lab.run();
  assertEquals(lab.credits, [[1, INPUT, WINDOW_BYTES / 4]]);
  lab.send(1, DATA, INPUT, new Uint8Array(WINDOW_BYTES / 4));
  lab.run();
  assertEquals(errorsOf(lab), []);
  lab.send(1, DATA, INPUT, new Uint8Array(1));
  lab.run();
  assertEquals(errorsOf(lab), [{
    code: "Protocol",
    message: "channel 1 got more data than it granted",
  }]);
  assertEquals([lab.isClosed, lab.host.closed.size], [true, 2]);
});

Deno.test("what breaks the protocol ends the connection and its channels", () => {
  const cases: [string, (lab: ConnectionLab) => void][] = [
    ["channel 1 is used again", (lab) => lab.open(1)],
    ["channel 0 is used again", (lab) => lab.open(0)],
    ["channel 3 is not open", (lab) => lab.send(3, DATA, INPUT, new Uint8Array(1))],
    ["channel 0 is not open", (lab) => lab.sendMessage(0, CONTROL, {})],
    ["a client sends no frame of type 7", (lab) => lab.sendMessage(1, RESULT, {})],
    ["a second HELLO", (lab) => lab.hello()],
    ["channel 1 got data on stream 1", (lab) => lab.send(1, DATA, OUTPUT, new Uint8Array(1))],
    ["channel 1 got credit for its input", (lab) => lab.send(1, CREDIT, INPUT, credit(1))],
    ["channel 1 got data after its end", (lab) => {
      lab.send(1, DATA, INPUT | END, new Uint8Array(0));
      lab.send(1, DATA, INPUT, new Uint8Array(1));
    }],
    ["a credit is too large", (lab) => {
      lab.send(1, CREDIT, OUTPUT, credit(0xffffffff));
      lab.send(1, CREDIT, OUTPUT, credit(0xffffffff));
    }],
    ["no JSON object", (lab) => lab.send(2, OPEN, 0, new TextEncoder().encode("7"))],
  ];
  for (const [message, act] of cases) {
    const { lab, channels } = labOf();
    lab.open(1);
    lab.run();
    act(lab);
    lab.run();
    const [error] = errorsOf(lab);
    assertEquals(JSON.stringify(error).includes(message), true, `${message}: ${error}`);
    assertEquals([lab.isClosed, channels[0]?.seen.at(-1)], [true, "gone"], message);
  }
});

Deno.test("the first frame is HELLO", () => {
  const lab = new ConnectionLab((port) => new TestChannel(port));
  lab.open(1);
  lab.run();
  assertEquals(errorsOf(lab), [{ code: "Protocol", message: "the first frame is no HELLO" }]);
});

Deno.test("a client that does not say HELLO is closed after a while", () => {
  const lab = new ConnectionLab((port) => new TestChannel(port));
  lab.run();
  assertEquals(lab.isClosed, false);
  lab.host.nowNs += 11e9;
  lab.run();
  assertEquals(errorsOf(lab), [{ code: "Protocol", message: "HELLO does not come" }]);
  assertEquals([lab.isClosed, lab.timers.size], [true, 0]);
});

Deno.test("a refused request ends its channel only", () => {
  const lab = new ConnectionLab((port, request) => {
    if (request.member("op").string() === "bad") {
      throw new RequestError("NotFound", "no such thing", "ENOENT", "/x");
    }
    return new TestChannel(port);
  });
  lab.hello();
  lab.open(1, { op: "bad" });
  lab.open(2, { op: "good" });
  lab.open(3, {});
  lab.run();
  assertEquals(lab.messages.slice(1), [
    [1, ERROR, { code: "NotFound", message: "no such thing", errno: "ENOENT", path: "/x" }],
    [3, ERROR, {
      code: "InvalidArgument",
      message: "request: op is missing, expected a string",
    }],
  ]);
  assertEquals(lab.connection.isBusy, true);
});

Deno.test("a client that goes away, or does not read, leaves nothing", () => {
  const { lab, channels } = labOf(10 * WINDOW_BYTES);
  lab.open(1);
  lab.host.room = 1000;
  lab.run();
  lab.host.isClientGone = true;
  lab.run();
  assertEquals([lab.isClosed, lab.host.closed.size, lab.timers.size], [true, 2, 0]);
  assertEquals(channels[0]?.seen.at(-1), "gone");
});

Deno.test("requests are not read while many answers wait for the client", () => {
  const lab = new ConnectionLab((port) => {
    const channel = new TestChannel(port);
    port.result({ text: "x".repeat(100_000) });
    return channel;
  });
  lab.hello();
  lab.host.room = 0;
  for (let i = 1; i <= 100; i++) lab.open(i);
  lab.run();
  const left = lab.host.incoming.length;
  assertEquals(left > 50, true, `${left} requests were not read`);
  for (let i = 0; i < 200; i++) {
    lab.host.room = 1 << 20;
    lab.run();
  }
  assertEquals(lab.messages.length, 101);
});

Deno.test("CONTROL that is not valid does not end the request", () => {
  const { lab, channels } = labOf();
  lab.open(1);
  lab.sendMessage(1, CONTROL, { wrong: true });
  lab.sendMessage(1, CONTROL, { right: true });
  lab.run();
  assertEquals(channels[0]?.seen, ['control {"right":true}']);
  const refused = { code: "InvalidArgument", message: "wrong" };
  assertEquals(lab.messages.slice(1), [[1, EVENT, { refused }]]);
});
