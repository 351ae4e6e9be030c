/**
 * The client against servers that send wrong replies, break off or die. Their replies are queued
 * before the request is made.
 */

import { assert, assertEquals, assertThrows } from "@std/assert";
import { EIO, ENOENT } from "../../ffi/abi/errno.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { sendFds } from "../../ffi/sys/fdpass.ts";
import { close, eventfd, read, write } from "../../ffi/sys/files.ts";
import { AttrReply } from "../protocol/attributes.ts";
import { CATALOGUE } from "../protocol/catalogue.ts";
import * as C from "../protocol/constants.ts";
import { Rwalkgetattr } from "../protocol/extension.ts";
import { DataReply } from "../protocol/file.ts";
import { EmptyMessage, encode, FidMessage, type Message } from "../protocol/message.ts";
import { Rlerror, Version } from "../protocol/session.ts";
import { Rreadlink } from "../protocol/tree.ts";
import { ProtocolError, Writer } from "../protocol/wire.ts";
import { socketPair, withServer } from "../server/testing.ts";
import { GoferClient, NOFID, Tsetattr } from "./gofer_client.ts";
import { scan, SCAN_ATTRS, SCAN_DEEP } from "./scan.ts";
import { list, LIST_ALL, LIST_DIRS, nextEntry, walkList } from "./listing.ts";

const CALL_TAG = 0;

/** The server's end of the socket: messages are put there before the client's request. */
class Liar {
  readonly client: GoferClient;
  readonly #fd: number;
  readonly #writer = new Writer(allocBuffer(65536));
  #isOpen = true;

  constructor(offersExtension = true) {
    const [ours, theirs] = socketPair();
    this.#fd = theirs;
    this.client = new GoferClient(ours, { msize: 65536, offersExtension });
  }

  bytesOf(m: Message, tag = CALL_TAG): Uint8Array<ArrayBuffer> {
    this.#writer.reset();
    return new Uint8Array(this.#writer.u8.subarray(0, encode(this.#writer, tag, m)));
  }

  say(bytes: Uint8Array, fds: number[] = []): void {
    assertEquals(sendFds(this.#fd, bytes, fds), bytes.length);
  }

  /** Negotiates the extension. */
  start(version: string = C.VERSION_DVISOR, msize = 65536): number {
    const m = new Version(101);
    m.msize = msize;
    m.version.set(version);
    this.say(this.bytesOf(m));
    return this.client.start();
  }

  hangUp(): void {
    if (this.#isOpen) close(this.#fd);
    this.#isOpen = false;
  }

  end(): void {
    this.client.close();
    this.hangUp();
  }
}

function withLiar(body: (l: Liar) => void): () => void {
  return () => {
    const l = new Liar();
    try {
      body(l);
    } finally {
      l.end();
    }
  };
}

function openFds(): number {
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/** Every request that a client can make, for servers with arbitrary replies. */
function everyRequest(c: GoferClient): (() => unknown)[] {
  return [
    () => c.attach(1, "0"),
    () => c.walkGetattr(0, 5, ["a", "b"], 0, 0),
    () => c.openFd(1, 0),
    () => c.createFd(1, NOFID, "x", 0, 0, 0, 0),
    () => c.mkdir(1, NOFID, "x", 0, 0, 0),
    () => c.link(1, 2, "x"),
    () => c.rename(1, "a", 2, "b"),
    () => c.rename(1, "a", 2, "b", 1),
    () => c.unlink(1, "x", 0),
    () => c.getattr(1),
    () => c.setattr(new Tsetattr()),
    () => c.statfs(1),
    () => c.readlink(1),
    () => entries(c, c.readdir(1, 0, 0, 1000)),
    () => entries(c, c.readdirAttr(1, 0, 0, 1000)),
    () => {
      const r = list(c, 1, 0, 0, LIST_ALL);
      while (r >= 0 && nextEntry(c));
    },
    () => {
      const walked = { walked: 0, listed: 0 };
      walkList(c, 0, 5, ["a"], LIST_DIRS, walked);
      while (walked.listed >= 0 && nextEntry(c));
    },
    () => scan(c, 1, ["a", "b"], SCAN_DEEP | SCAN_ATTRS, 100, 1000),
    () => c.fsync(1, true),
    () => c.lopen(1, 0),
    () => c.read(1, 0, 100),
    () => c.write(1, 0, new Uint8Array(10), 0, 10),
    () => c.getxattr(1, "user.a"),
    () => c.setxattr(1, "user.a", new Uint8Array(3), 0),
    () => c.listxattr(1),
    () => c.removexattr(1, "user.a"),
  ];
}

function entries(c: GoferClient, r: number): void {
  try {
    while (r > 0 && c.entries.next());
  } catch (e) {
    assert(e instanceof ProtocolError);
  }
}

Deno.test(
  "a server that hangs up makes every request EIO",
  withLiar((l) => {
    assertEquals(l.start(), 0);
    assertEquals(l.client.dead, false);
    l.hangUp();
    for (const request of everyRequest(l.client)) {
      const r = request();
      assert(r === -EIO || r === undefined, String(r));
    }
    assert(l.client.dead);
    assert(l.client.connection.reason !== "");
    l.client.clunk(3);
    assertEquals(l.client.connection.poll(), -1);
    assertEquals(l.client.connection.submit(new FidMessage(C.TCLUNK)), -EIO);
  }),
);

Deno.test("versions and sizes that were not offered end the connection", () => {
  for (
    const [version, msize] of [["9P2000", 65536], ["9P2000.L", 65537], ["9P2000.L", 100]] as const
  ) {
    const l = new Liar();
    assertEquals(l.start(version, msize), -EIO);
    assert(l.client.dead);
    l.end();
  }
  const l = new Liar(false); // an extension that was not offered
  assertEquals(l.start(C.VERSION_DVISOR), -EIO);
  l.end();
});

Deno.test(
  "errors are passed on, but only those that exist",
  withLiar((l) => {
    l.start();
    const e = new Rlerror();
    e.ecode = ENOENT;
    l.say(l.bytesOf(e));
    assertEquals(l.client.getattr(1), -ENOENT);
    e.ecode = 0;
    l.say(l.bytesOf(e));
    assertEquals(l.client.getattr(1), -EIO);
    assert(l.client.dead);
  }),
);

Deno.test(
  "replies of the wrong kind, size or tag end the connection",
  () => {
    const attr = new AttrReply(C.TGETATTR + 1);
    const cases: ((l: Liar) => Uint8Array)[] = [
      (l) => l.bytesOf(new EmptyMessage(C.TCLUNK + 1)),
      (l) => l.bytesOf(new EmptyMessage(C.TGETATTR + 1)),
      (l) => l.bytesOf(new EmptyMessage(C.RLERROR)),
      () => new Uint8Array([3, 0, 0, 0, 25, 0, 0]),
      () => new Uint8Array([255, 255, 255, 255, 25, 0, 0]),
      (l) => new Uint8Array([...l.bytesOf(attr, 9), ...l.bytesOf(attr, 9)]),
    ];
    for (const make of cases) {
      const l = new Liar();
      l.start();
      l.say(make(l));
      assertEquals(l.client.getattr(1), -EIO);
      assert(l.client.dead);
      l.end();
    }
  },
);

Deno.test("descriptors come with the reply that promises them, or not at all", () => {
  const before = openFds();
  const good = new Liar();
  good.start();
  const fd = eventfd();
  good.say(good.bytesOf(new AttrReply(C.TOPENFD + 1)), [fd]);
  const got = good.client.openFd(1, 0);
  assert(got >= 0 && got !== fd);
  close(got);
  // an unused descriptor is closed with the next request
  const walk = new Rwalkgetattr();
  walk.hasFd = true;
  walk.count = 1;
  good.say(good.bytesOf(walk), [fd]);
  assertEquals(good.client.walkGetattr(1, NOFID, ["x"]), 1);
  good.say(good.bytesOf(new AttrReply(C.TGETATTR + 1)));
  assertEquals(good.client.getattr(1), 0);
  good.end();

  const missing = new Liar();
  missing.start();
  missing.say(missing.bytesOf(new AttrReply(C.TOPENFD + 1)));
  assertEquals(missing.client.openFd(1, 0), -EIO);
  assert(missing.client.dead);
  missing.end();

  const flood = new Liar();
  flood.start();
  flood.say(flood.bytesOf(new AttrReply(C.TGETATTR + 1)), new Array(60).fill(fd));
  assertEquals(flood.client.getattr(1), -EIO);
  assert(flood.client.dead);
  flood.end();
  close(fd);
  assertEquals(openFds(), before);
});

Deno.test("more data, entries or attributes than requested end the connection", () => {
  const read = new Liar();
  read.start();
  const data = new DataReply(C.TREAD + 1);
  data.data.set("x".repeat(11));
  read.say(read.bytesOf(data));
  assertEquals(read.client.read(1, 0, 10), -EIO);
  read.end();
  const walked = new Liar();
  walked.start();
  const walk = new Rwalkgetattr();
  walk.count = 3;
  walked.say(walked.bytesOf(walk));
  assertEquals(walked.client.walkGetattr(1, NOFID, ["one", "two"]), -EIO);
  walked.end();
});

Deno.test("seeded garbage as replies: results, -EIO, and never an exception", () => {
  let x = 987654321;
  const random = (below: number): number => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) % below;
  };
  const replies = CATALOGUE.filter((e) => e.name.startsWith("R"));
  let survived = 0;
  for (let round = 0; round < 1500; round++) {
    const l = new Liar();
    l.start();
    const requests = everyRequest(l.client);
    const i = random(requests.length);
    // the reply that fits this request, or another one, perhaps broken
    const m = replies[random(replies.length)]?.make() ?? new Rlerror();
    const bytes = l.bytesOf(m);
    for (let k = random(4); k > 0; k--) bytes[random(bytes.length)] = random(256);
    const extra = random(3) === 0 ? bytes.subarray(0, random(bytes.length) + 1) : bytes;
    l.say(extra);
    l.hangUp();
    requests[i]?.();
    if (!l.client.dead) survived++;
    l.end();
  }
  assert(survived < 1500);
});

Deno.test(
  "a target is a byte string, a name that is text is the caller's mistake",
  withLiar((l) => {
    l.start();
    const r = new Rreadlink();
    r.target.set("caf\xe9");
    l.say(l.bytesOf(r));
    assertEquals(l.client.readlink(1), "caf\xe9");
    assertThrows(() => l.client.unlink(0, "☃", 0), ProtocolError);
    assertEquals(l.client.dead, false);
    l.say(l.bytesOf(r));
    assertEquals(l.client.readlink(1), "caf\xe9");
  }),
);

Deno.test("requests run side by side by submit and poll, and calls in between", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  Deno.writeTextFileSync(`${dir}/f`, "text");
  try {
    await withServer({ roots: [{ path: dir, isReadOnly: false }] }, {}, (c) => {
      const wire = c.connection;
      const waiting = new Set<number>();
      const statfs = new FidMessage(C.TSTATFS);
      for (let i = 0; i < 300; i++) {
        statfs.fid = i % 2 === 0 ? 0 : 77;
        const tag = wire.submit(statfs);
        assert(tag > 0, `submit: ${tag}`);
        waiting.add(tag);
        if (i % 50 === 0) assertEquals(c.getattr(0), 0);
      }
      let failed = 0;
      const deadline = Date.now() + 20_000;
      while (waiting.size > 0 && Date.now() < deadline) {
        const tag = wire.poll();
        if (tag < 0) continue;
        assert(waiting.delete(tag), `tag ${tag}`);
        if (wire.replyType === C.RLERROR) failed++;
      }
      assertEquals([waiting.size, failed], [0, 150]);
      assertEquals(c.getattr(0), 0);
    });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});

Deno.test("a flood of requests with descriptors does not lock both sides up", async () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
  Deno.writeTextFileSync(`${dir}/f`, "text");
  try {
    await withServer({ roots: [{ path: dir, isReadOnly: false }] }, {}, (c) => {
      assertEquals(c.walkGetattr(0, 1, ["f"]), 1);
      const before = openFds();
      const topenfd = CATALOGUE.find((e) => e.name === "Topenfd")?.make() ?? new EmptyMessage(0);
      Object.assign(topenfd, { fid: 1 });
      let sent = 0;
      while (c.connection.submit(topenfd) > 0) sent++;
      assertEquals(sent, 1024);
      let got = 0;
      const deadline = Date.now() + 20_000;
      while (got < sent && Date.now() < deadline) {
        if (c.connection.poll() < 0) continue;
        const fd = c.takeFd();
        assert(fd >= 0);
        const byte = allocBuffer(128);
        assertEquals(read(fd, addressOf(byte), 4), 4);
        assert(write(fd, addressOf(byte), 1) < 0);
        close(fd);
        got++;
      }
      assertEquals(got, sent);
      assertEquals(openFds(), before);
    });
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
