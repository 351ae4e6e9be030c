/**
 * A Sentry under an attacker's control, as commands of the host meet it on the control socket: a
 * program that accepts some connections and answers each with a mutation of a good answer, by a
 * seed. Not a test. Neighbour: broken_sentry_test.ts.
 */

import { MSG_DONTWAIT } from "../../ffi/abi/socket.ts";
import { SYS_accept4 } from "../../ffi/abi/syscall_numbers.ts";
import { allocBuffer } from "../../ffi/sys/cstring.ts";
import { recvFds, sendFds } from "../../ffi/sys/fdpass.ts";
import { close, pipe } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import type { Op } from "../../oci/protocol/control_protocol.ts";
import { listenForControl } from "../../oci/container/control_client.ts";
import { ContainerDir } from "../../oci/state/store.ts";
import { Random } from "../harness/seeded.ts";

/** The answers of a good Sentry. */
const GOOD: Readonly<Partial<Record<Op, object>>> = {
  state: { ok: true, status: "running" },
  exec: { ok: true, pid: 7 },
  ps: {
    ok: true,
    processes: [{ pid: 1, hostPid: 9, ppid: 0, uid: 0, threads: 1, ageMs: 5, command: "sh" }],
  },
  update: { ok: true, needsWitness: false },
  stats: {
    ok: true,
    stats: { processes: 1, threads: 1, cpuNs: 5, memoryBytes: 6, syscalls: 7, containedBugs: 0 },
  },
  debug: { ok: true, text: "container" },
  pause: { ok: false, message: "container not running", code: 1 },
};

/** Values that stand where others are expected. */
const ODD: readonly unknown[] = [
  ...[null, true, -1, 1e300, 0.5, 2 ** 53, "", "\x1b[2J", "../../etc", [], {}, [[[[]]]]],
  ...["x".repeat(70_000), Array(5000).fill(0), { __proto__: 1, constructor: 2, toString: 3 }],
];

/** Packets of up to this many bytes are received whole. */
const LONG = 100_000;
/** The most descriptors of one message. */
const FDS_MAX = 253;

/** One value of a tree, or the whole, becomes another one. */
function changed(value: unknown, random: Random): unknown {
  if (typeof value !== "object" || value === null || random.below(4) === 0) return random.pick(ODD);
  if (Array.isArray(value)) {
    return value.length === 0 ? random.pick(ODD) : value.map((item) => changed(item, random));
  }
  const entries = Object.entries(value), at = random.below(entries.length + 1);
  const odd = entries.map(([k, v], i) => [k, i === at ? changed(v, random) : v] as const);
  return Object.fromEntries(random.below(8) === 0 ? odd.slice(at) : odd);
}

/** Bytes that a broken Sentry sends in place of a message. */
export function brokenPacket(good: object, random: Random): Uint8Array<ArrayBuffer> {
  const text = random.below(3) === 0 ? good : changed(good, random);
  let bytes = new TextEncoder().encode(JSON.stringify(text));
  switch (random.below(6)) {
    case 0:
      bytes = bytes.slice(0, random.below(bytes.length + 1));
      break;
    case 1:
      for (let i = random.below(8); i >= 0; i--) {
        bytes[random.below(Math.max(1, bytes.length))] = random.below(256);
      }
      break;
    case 2:
      bytes = new TextEncoder().encode("[".repeat(random.below(LONG)));
      break;
    case 3:
      bytes = Uint8Array.from({ length: random.below(64) }, () => random.below(256));
  }
  const packet = allocBuffer(bytes.length);
  packet.set(bytes);
  return packet;
}

/** Sends a broken message, or more of them, or none; with descriptors or without. */
export function sayBroken(sock: number, good: object, random: Random): void {
  const ends = pipe(0), [fd = 0] = typeof ends === "number" ? [] : ends;
  const count = random.below(3) === 0 ? random.pick([0, 2, 40]) : 1;
  for (let i = 0; i < count; i++) {
    const packet = brokenPacket(good, random);
    const fds = Array(random.pick([0, 0, 0, 1, 2, FDS_MAX])).fill(fd);
    sendFds(sock, packet, packet.length === 0 ? [] : fds, MSG_DONTWAIT);
  }
  if (typeof ends !== "number") ends.forEach(close);
}

/** @param root of the states: it listens as the sandbox of the container "c" there */
function serve(root: string, connections: number, seed: number): void {
  const listening = listenForControl(new ContainerDir(root, "c"));
  console.log("ready");
  const random = new Random(seed), buffer = allocBuffer(65536);
  for (let i = 0; i < connections; i++) {
    const sock = syscall(SYS_accept4, listening, 0, 0, 0);
    // Some end without a read of the request.
    if (random.below(16) !== 0) {
      const r = recvFds(sock, buffer);
      if (typeof r !== "number") {
        const { op }: { op: Op } = JSON.parse(
          new TextDecoder().decode(buffer.subarray(0, r.len)),
        );
        sayBroken(sock, GOOD[op] ?? { ok: true }, random);
      }
    }
    close(sock);
  }
}

if (import.meta.main) {
  const [root = "", connections, seed] = Deno.args;
  serve(root, Number(connections), Number(seed));
}
