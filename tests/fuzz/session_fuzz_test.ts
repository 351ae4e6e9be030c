/**
 * Random frames of a client against a connection of the session protocol: valid ones, broken ones,
 * in pieces of any size, with a client that reads little or goes away. Nothing throws, no channel
 * gets more than was granted, and what is sent back is a valid stream of frames.
 */

import { assert, assertEquals } from "@std/assert";
import { Channel, type ChannelPort } from "../../oci/boot/session/channel.ts";
import { ConnectionLab } from "../../oci/boot/session/connection_testing.ts";
import {
  CONTROL,
  CREDIT,
  DATA,
  END,
  ERROR,
  OUTPUT,
  WINDOW_BYTES,
} from "../../oci/protocol/session/frame.ts";
import { readExecPlan } from "../../oci/boot/session/exec_plan.ts";
import { bytesOfWire, wireOf } from "../../oci/protocol/wire_text.ts";
import { readCreateRequest } from "../../oci/launch/session/create_request.ts";
import { JsonNode } from "../../oci/json_node.ts";
import { UserError } from "../../oci/user_error.ts";
import { runCases } from "../harness/fuzz_run.ts";
import type { Random } from "../harness/seeded.ts";

const PARTS = 2, STEPS = 60, CHANNELS = 6, BYTES = 2000;

/** A channel that does things at random, and checks what it gets. */
class RandomChannel extends Channel {
  readonly #random: Random;
  #left: number;
  #received = 0;
  #isOver = false;

  constructor(port: ChannelPort, random: Random) {
    super(port);
    this.#random = random;
    this.#left = random.below(2) === 0 ? 0 : random.below(3 * WINDOW_BYTES);
    if (this.#left > 0) port.wantsToSend(OUTPUT);
    if (random.below(8) === 0) throw new UserError("refused");
  }

  #act(): void {
    assert(!this.#isOver, "a channel that has ended was called");
    const { port } = this, random = this.#random;
    if (random.below(3) === 0) port.event({ n: random.below(100) });
    const choice = random.below(40);
    if (choice < 2) this.#end(() => port.result({}));
    else if (choice === 2) this.#end(() => port.fail({ code: "Failed", message: "x" }));
    else if (choice === 3) throw new UserError("a bad control");
  }

  #end(end: () => void): void {
    this.#isOver = true;
    end();
  }

  override onData(_stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#received += bytes.length;
    assert(this.#received <= WINDOW_BYTES, "more than the window");
    if (this.#random.below(2) === 0) {
      this.port.grant(0, this.#received);
      this.#received = 0;
    }
    this.#act();
  }
  override onEnd(): void {
    this.#act();
  }
  override onControl(): void {
    this.#act();
  }
  override produce(_stream: number, _address: number, max: number): number {
    assert(max > 0);
    if (this.#left === 0) return this.#random.below(2) - 1;
    const n = Math.min(max, this.#left, 1 + this.#random.below(1 << 17));
    this.#left -= n;
    return n;
  }
  override onGone(): void {
    this.#isOver = true;
  }
}

function runConnection(random: Random): void {
  const lab = new ConnectionLab((port) => new RandomChannel(port, random));
  if (random.below(10) > 0) lab.hello();
  let next = 1, sent = 0;
  for (let i = 0; i < STEPS && !lab.isClosed; i++) {
    const channel = random.below(10) === 0 ? random.below(9) : 1 + random.below(next);
    const stream = random.below(30) === 0 ? 1 + random.below(2) : 0;
    switch (random.below(9)) {
      case 0:
      case 1:
        if (next < CHANNELS || random.below(10) === 0) lab.open(next++, { op: "x" });
        break;
      case 2:
      case 3: {
        const bytes = random.below(BYTES);
        sent += bytes;
        lab.send(channel, DATA, stream | (random.below(9) === 0 ? END : 0), new Uint8Array(bytes));
        break;
      }
      case 4: {
        const payload = new Uint8Array(4);
        new DataView(payload.buffer).setUint32(0, random.below(1 << 20), true);
        lab.send(channel, CREDIT, stream === 0 ? OUTPUT : 0, payload);
        break;
      }
      case 5:
        lab.sendMessage(channel, CONTROL, { close: true });
        break;
      case 6:
        lab.host.room = random.below(3) === 0 ? Infinity : random.below(5000);
        break;
      case 7:
        sendBroken(lab, random, channel);
        break;
      default:
        lab.run();
    }
  }
  lab.host.room = Infinity;
  lab.run();
  for (const [key, bytes] of lab.bytes) {
    assert(bytes <= 3 * WINDOW_BYTES + (STEPS << 20), `${key} got ${bytes} for ${sent}`);
  }
  // A client that ends its input ends the connection, whatever it did before.
  lab.host.isClientGone = true;
  lab.run();
  assertEquals([lab.isClosed, lab.host.closed.size, lab.timers.size], [true, 2, 0]);
  const last = lab.messages.findIndex(([channel, type]) => channel === 0 && type === ERROR);
  assert(last < 0 || last === lab.messages.length - 1, "a message behind the error");
}

/** Mostly splits what was sent; now and then goes away, or sends what is no frame. */
function sendBroken(lab: ConnectionLab, random: Random, channel: number): void {
  const broken = drawBytes(random, 40);
  switch (random.below(36)) {
    case 0:
      lab.host.isClientGone = true;
      return;
    case 1:
      return lab.send(channel, random.below(256), random.below(256), broken);
    case 2:
      lab.host.incoming.push(broken);
      return;
    default:
      splitLast(lab, random);
  }
}

function splitLast(lab: ConnectionLab, random: Random): void {
  const { incoming } = lab.host, last = incoming.pop();
  if (last === undefined) return;
  const at = random.below(last.length + 1);
  incoming.push(last.slice(0, at), last.slice(at));
}

function drawBytes(random: Random, most: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Array.from({ length: random.below(most) }, () => random.below(256)));
}

const MEMBERS = [
  "protocol",
  "id",
  "labels",
  "rootfs",
  "mounts",
  "memoryBytes",
  "cpus",
  "pids",
  "env",
  "user",
  "cwd",
  "timeoutMs",
  "argv",
  "pty",
  "limits",
  "stdin",
  "detached",
  "maxOutputBytes",
  "__proto__",
];

function drawValue(random: Random, depth: number): unknown {
  switch (random.below(depth > 2 ? 6 : 8)) {
    case 0:
      return null;
    case 1:
      return random.below(2) === 0;
    case 2:
      return random.pick([0, 1, -1, 0.5, 1e300, 65535, 2 ** 32, 4 << 20]);
    case 3:
      return random.pick(["", "/", "/a", "none", "x\0y", "..", "a".repeat(300), "\udc80"]);
    case 4:
      return 1;
    case 5:
      return "/bin/true";
    case 6:
      return Array.from({ length: random.below(3) }, () => drawValue(random, depth + 1));
    default:
      return drawObject(random, depth + 1);
  }
}

function drawObject(random: Random, depth: number): object {
  const names = Array.from({ length: random.below(5) }, () => random.pick(MEMBERS));
  return JSON.parse(`{${
    names.map((name) => {
      return `${JSON.stringify(name)}:${JSON.stringify(drawValue(random, depth))}`;
    }).join(",")
  }}`);
}

/** Descriptions of a sandbox and of a program are read, or refused with the place. */
function runMessages(random: Random): void {
  for (
    const read of [
      () => readCreateRequest({ protocol: 1, ...drawObject(random, 0) }),
      () => readExecPlan(new JsonNode("request", "", { argv: ["/x"], ...drawObject(random, 0) })),
    ]
  ) {
    try {
      read();
    } catch (error) {
      assert(error instanceof UserError, `${error}`);
    }
  }
  const bytes = String.fromCharCode(...drawBytes(random, 12));
  const wire: unknown = JSON.parse(JSON.stringify(wireOf(bytes)));
  assertEquals(bytesOfWire(String(wire)), bytes);
}

Deno.test("frames of hostile clients end their connection at most", async () => {
  await runCases("session, frames", { ci: 2000, full: 200_000, parts: PARTS }, runConnection);
});

Deno.test("messages of hostile clients are read or refused", async () => {
  await runCases("session, messages", { ci: 10_000, full: 1_000_000, parts: PARTS }, runMessages);
});
