/**
 * Hostile 9P clients at a confined `dvisor-gofer --listen`: requests of every type with plausible
 * and wild content, broken frames, noise, clients that never read or go away in the middle, while
 * the host removes what is served. The server stays up, serves a well-behaved client beside them,
 * holds no more than its limits say and nothing at the end, and whatever is beside its root is
 * untouched. The seed is printed with every failure; DVISOR_SEED sets it, DVISOR_FUZZ_SECONDS the
 * time.
 */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { allocBuffer } from "../../ffi/sys/cstring.ts";
import * as C from "../../gofer/protocol/constants.ts";
import { encode } from "../../gofer/protocol/message.ts";
import { Tattach, Version } from "../../gofer/protocol/session.ts";
import { Twalk } from "../../gofer/protocol/walk.ts";
import { Writer } from "../../gofer/protocol/wire.ts";
import {
  allRequests,
  breakMessage,
  fillPlausibly,
  type Random,
  randomFrom,
} from "../../gofer/server/requests_testing.ts";
import { ROOT } from "../harness/dvisor.ts";
import { fuzzSeconds, fuzzSeed } from "../harness/fuzz_run.ts";
import { isFull, isRoot, named } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";

const SECONDS = fuzzSeconds() ?? (isFull ? 600 : 4);
const seed = fuzzSeed();

const CLIENTS = 6;
const FIDS = 64;
const MSIZE = 65536;
/** LIMIT: memory of the server at any time, in kB; Deno itself takes about 90,000. */
const RSS_MAX_KB = 400_000;
/** LIMIT: descriptors: four a fid, one a connection, and those of Deno, roots and listeners. */
const FDS_MAX = 60 + (CLIENTS + 2) * (4 * FIDS + 4);

const requests = allRequests();
/** Bytes that all clients sent. */
const sent = { messages: 0, bytes: 0 };

/** The bytes of some requests, one behind the other: what one hostile client says in one go. */
function burst(random: Random, writer: Writer, mayLie: boolean): Uint8Array<ArrayBuffer> {
  const parts: number[] = [];
  if (random(100) === 0) parts.push(...opening(random, writer));
  for (let i = random(12); i >= 0; i--) {
    writer.reset();
    let size = 0;
    if (random(3) === 0) size = encode(writer, random(65536), rebind(random));
    else {
      const m = requests[random(requests.length)];
      if (m === undefined || (m.type === C.TVERSION && random(400) !== 0)) continue;
      fillPlausibly(m, random);
      if ("count" in m && m.count === 0) m.count = random(100_000);
      size = encode(writer, random(65536), m);
    }
    sent.messages++;
    if (random(4) === 0) size = breakMessage(writer.u8, size, random, mayLie);
    for (let at = 0; at < size; at++) parts.push(writer.u8[at] ?? 0);
  }
  if (mayLie && random(60) === 0) { for (let i = random(50); i >= 0; i--) parts.push(random(256)); }
  return new Uint8Array(parts);
}

/** A walk that leaves one more fid, with a number that others use too. */
function rebind(random: Random): Twalk {
  const m = new Twalk();
  m.fid = random(3);
  m.newFid = random(4) > 0 ? random(2 * FIDS) : random(3);
  m.names.set(
    [[], ["d"], ["d", "f"], ["d", "e", ".."], ["d", "up"], ["..", ".."]][random(6)] ?? [],
  );
  return m;
}

function opening(random: Random, writer: Writer): number[] {
  writer.reset();
  const version = new Version(C.TVERSION);
  version.msize = random(8) === 0 ? random(2 ** 31) : MSIZE;
  version.version.set(random(2) === 0 ? C.VERSION_DVISOR : C.VERSION_9P2000L);
  const attach = new Tattach();
  attach.nUname = random(3) === 0 ? 1000 : C.NONUNAME;
  const a = encode(writer, C.NOTAG, version), b = encode(writer, 1, attach);
  return [...writer.u8.subarray(0, a + b)];
}

/** One hostile client: it sends, mostly reads, and ends in the middle of a request. */
async function attack(path: string, random: Random): Promise<void> {
  const writer = new Writer(allocBuffer(1 << 20));
  const connection = await Deno.connect({ transport: "unix", path });
  const isDeaf = random(10) === 0, mayLie = random(3) === 0;
  const reading = isDeaf ? Promise.resolve() : drain(connection);
  try {
    await connection.write(new Uint8Array(opening(random, writer)));
    for (let i = random(80); i >= 0; i--) {
      const data = burst(random, writer, mayLie);
      sent.bytes += data.length;
      await Promise.race([connection.write(data), later(isDeaf ? 50 : 3000)]);
    }
  } catch {
    // The server closes a connection with a broken frame.
  } finally {
    try {
      connection.close();
    } catch { /* a write under way closed it */ }
    await reading;
  }
}

function later(ms: number): Promise<void> {
  return new Promise((resolve) => Deno.unrefTimer(setTimeout(resolve, ms)));
}

async function drain(connection: Deno.Conn): Promise<void> {
  const buffer = new Uint8Array(1 << 18);
  try {
    while (await connection.read(buffer) !== null);
  } catch { /* it was closed */ }
}

/** A well-behaved client: the type of the reply to an attach. */
async function probe(path: string): Promise<number> {
  const writer = new Writer(allocBuffer(4096));
  const connection = await Deno.connect({ transport: "unix", path });
  const buffer = new Uint8Array(4096);
  let got = 0;
  try {
    await connection.write(new Uint8Array(opening(() => 1, writer)));
    while (got < 21 + 20) got += await connection.read(buffer.subarray(got)) ?? 1000;
    return buffer[got - 20 + 4] ?? 0;
  } finally {
    connection.close();
  }
}

async function refill(top: string): Promise<void> {
  // Names need not be UTF-8, and modes allow nothing: no work for Deno's own calls.
  await new Deno.Command("sh", {
    args: [
      "-c",
      `rm -rf root/* root/.[!.]*; mkdir -p root/d/e && echo text > root/d/f &&
      ln -sfn ../../outside root/d/up && chmod 755 root root/d`,
    ],
    cwd: top,
    stderr: "null",
  }).output();
}

/** Names, contents and attributes of the files beside the root. */
async function witness(top: string): Promise<string> {
  const { stdout } = await new Deno.Command("sh", {
    args: [
      "-c",
      "ls -laR --time-style=full-iso outside | grep -v ' \\.\\.$'; cat outside/file; getfattr -dR outside",
    ],
    cwd: top,
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout);
}

function openFiles(pid: number): number {
  return [...Deno.readDirSync(`/proc/${pid}/fd`)].length;
}

function rssKb(pid: number): number {
  return Number(/VmRSS:\s+(\d+)/.exec(Deno.readTextFileSync(`/proc/${pid}/status`))?.[1]);
}

async function serve(top: string): Promise<Deno.ChildProcess> {
  const args = ["run", "-A", "--no-check", `${ROOT}/gofer/main.ts`, "--require-confinement"];
  args.push("--listen", `unix:${top}/socket`, "--root", `${top}/root`);
  args.push("--max-fids", String(FIDS), "--msize", String(MSIZE));
  const child = new Deno.Command(Deno.execPath(), {
    args,
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.getReader();
  assertStringIncludes(new TextDecoder().decode((await reader.read()).value), "serving");
  reader.releaseLock();
  return child;
}

Deno.test({
  ...named(`hostile 9P clients, ${SECONDS} s`, isRoot ? null : "not root"),
  fn: async () => {
    const top = Deno.makeTempDirSync({ prefix: "dvisor-test-fuzz-" });
    Deno.mkdirSync(`${top}/root`);
    Deno.mkdirSync(`${top}/outside`);
    Deno.writeTextFileSync(`${top}/outside/file`, "SECRET");
    await refill(top);
    const before = await witness(top);
    const child = await serve(top);
    const complaints = child.stderr.pipeTo(new WritableStream({}));
    const path = `${top}/socket`;
    const { pid } = child;
    try {
      assertEquals(await probe(path), C.TATTACH + 1);
      const fdsBefore = openFiles(pid);
      const end = Date.now() + SECONDS * 1000;
      let rounds = 0, fdsMost = 0, rssMost = 0;
      for (; Date.now() < end; rounds++) {
        const attacks = Array.from({ length: CLIENTS }, (_, i) => {
          return attack(path, randomFrom(seed + 7919 * (rounds * CLIENTS + i)));
        });
        const sampler = setInterval(() => fdsMost = Math.max(fdsMost, openFiles(pid)), 5);
        const hint = `seed ${seed}, round ${rounds}`;
        assertEquals(await probe(path), C.TATTACH + 1, hint);
        await Promise.all(attacks);
        clearInterval(sampler);
        rssMost = Math.max(rssMost, rssKb(pid));
        if (rounds % 5 === 0) await refill(top);
        if (rounds % 50 === 0) assertEquals(await witness(top), before, hint);
      }
      const hint = `seed ${seed}, ${rounds} rounds`;
      const { messages, bytes } = sent;
      console.log(`${hint}, ${messages} messages, ${bytes} bytes`);
      console.log(`most descriptors ${fdsMost}, most kB ${rssMost}`);
      assert(rounds > 0 && messages > 1000);
      assert(fdsMost <= FDS_MAX, `${hint}: ${fdsMost} descriptors`);
      assert(rssMost <= RSS_MAX_KB, `${hint}: ${rssMost} kB`);
      const isClean = await eventually(() => openFiles(pid) <= fdsBefore, 5000);
      assert(isClean, `${hint}: ${openFiles(pid)} descriptors are left, ${fdsBefore} were there`);
      assertEquals(await witness(top), before, hint);
    } finally {
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 0, `seed ${seed}: the server did not end well`);
      await complaints;
      await new Deno.Command("rm", { args: ["-rf", top] }).output();
    }
  },
});
