/** A session driven directly, without a socket: the effects of hostile and broken requests. */

import { assert, assertEquals } from "@std/assert";
import { EBADF, EINVAL, EOPNOTSUPP, EPROTO } from "../../ffi/abi/errno.ts";
import { allocBuffer } from "../../ffi/sys/cstring.ts";
import { openRoot } from "../backend/export_root.ts";
import { closeFd } from "../backend/host_calls.ts";
import * as C from "../protocol/constants.ts";
import { EmptyMessage, encode, FidMessage, type Message } from "../protocol/message.ts";
import { Rlerror, Tattach, Tflush, Version } from "../protocol/session.ts";
import { Rwalk, Twalk } from "../protocol/walk.ts";
import { Txattrwalk } from "../protocol/xattr.ts";
import { Reader, Writer } from "../protocol/wire.ts";
import { allRequests, fillPlausibly, randomFrom } from "./requests_testing.ts";
import { Service } from "./service.ts";
import { Session } from "./session.ts";
import { isRoot, named } from "../../tests/harness/machine.ts";

const MSIZE = 65536;

/** A session over a directory, and the two ends of its buffers. */
class Bench {
  readonly dir: string;
  readonly service: Service;
  readonly session: Session;
  readonly input = allocBuffer(MSIZE);
  readonly out = new Writer(allocBuffer(2 * MSIZE));
  readonly #writer = new Writer(this.input);

  constructor() {
    this.dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
    Deno.mkdirSync(`${this.dir}/d/e`, { recursive: true });
    Deno.writeTextFileSync(`${this.dir}/d/f`, "text");
    Deno.symlinkSync("/", `${this.dir}/d/up`);
    const roots = [openRoot(this.dir, false)];
    this.service = new Service({ roots, msizeMax: MSIZE, fidsMax: 1000 });
    this.session = new Session(this.service, this.input, this.out, true);
  }

  /** Sends a message; the reply's type. The reader stands at the reply's body. */
  send(m: Message, tag = 1): number {
    this.#writer.reset();
    return this.sendBytes(encode(this.#writer, tag, m));
  }

  readonly reply = new Reader();

  /** Sends what is in `input`. */
  sendBytes(size: number): number {
    this.out.reset();
    this.session.handle(0, size);
    const { dv, pos } = this.out;
    assertEquals(dv.getUint32(0, true), pos, "exactly one whole reply");
    assert(pos <= this.session.msize);
    this.reply.open(this.out.u8, dv, 7, pos);
    for (const fd of this.session.donated.splice(0)) closeFd(fd);
    return dv.getUint8(4);
  }

  /** Sends a message that must fail; its errno. */
  errorOf(m: Message): number {
    assertEquals(this.send(m), C.RLERROR);
    return this.reply.getU32();
  }

  start(version = C.VERSION_DVISOR): string {
    const m = new Version(C.TVERSION);
    m.msize = MSIZE;
    m.version.set(version);
    assertEquals(this.send(m, C.NOTAG), C.TVERSION + 1);
    const answer = new Version(101);
    answer.read(this.reply);
    return answer.version.toByteString();
  }

  attach(fid = 0, root = ""): void {
    assertEquals(this.send(attachment(fid, root)), C.TATTACH + 1);
  }

  close(): void {
    this.session.close();
    this.service.close();
    Deno.removeSync(this.dir, { recursive: true });
  }
}

function attachment(fid: number, root: string): Tattach {
  const m = new Tattach();
  m.fid = fid;
  m.aname.set(root);
  return m;
}

function walkTo(fid: number, newFid: number, ...names: string[]): Twalk {
  const m = new Twalk();
  m.fid = fid;
  m.newFid = newFid;
  m.names.set(names);
  return m;
}

function fidMessage(type: number, fid: number): FidMessage {
  const m = new FidMessage(type);
  m.fid = fid;
  return m;
}

function withBench(body: (b: Bench) => void): () => void {
  return () => {
    const b = new Bench();
    try {
      body(b);
    } finally {
      b.close();
    }
  };
}

Deno.test(
  "versions are settled, and nothing works before",
  withBench((b) => {
    assertEquals(b.errorOf(attachment(0, "")), EPROTO);
    assertEquals(b.start("9P2000"), "unknown");
    assertEquals(b.errorOf(attachment(0, "")), EPROTO);
    assertEquals(b.start("9P2000.L"), "9P2000.L");
    assertEquals(b.start("9P2000.L.someone"), "9P2000.L");
    assertEquals(b.start(), C.VERSION_DVISOR);
    b.attach();
    b.start(); // a new version clunks everything
    assertEquals(b.errorOf(fidMessage(C.TCLUNK, 0)), EBADF);
    const tiny = new Version(C.TVERSION);
    tiny.msize = 100;
    tiny.version.set("9P2000.L");
    assertEquals(b.errorOf(tiny), EINVAL);
  }),
);

Deno.test(
  "attach knows roots by number only",
  withBench((b) => {
    b.start();
    b.attach(0, "0");
    b.attach(1, "/");
    for (const name of ["1", "00001", "../x", "/etc", "-1", "0x0"]) {
      assertEquals(b.errorOf(attachment(2, name)), 2, name);
    }
    assertEquals(b.errorOf(attachment(0, "0")), EINVAL);
    assertEquals(b.errorOf(attachment(C.NOFID, "0")), EINVAL);
  }),
);

Deno.test(
  "a walk is all or nothing for newfid, and returns how far it came",
  withBench((b) => {
    b.start();
    b.attach();
    assertEquals(b.send(walkTo(0, 1, "d", "gone")), C.TWALK + 1);
    const r = new Rwalk();
    r.read(b.reply);
    assertEquals(r.count, 1);
    assertEquals(b.errorOf(fidMessage(C.TCLUNK, 1)), EBADF);
    assertEquals(b.errorOf(walkTo(0, 1, "gone")), 2);
    assertEquals(b.send(walkTo(0, 1, "d", "e")), C.TWALK + 1);
    assertEquals(b.errorOf(walkTo(0, 1, "d")), EINVAL);
    assertEquals(b.send(walkTo(1, 1, "..", "f")), C.TWALK + 1);
    assertEquals(b.errorOf(walkTo(1, 2, "x")), 20);
    assertEquals(b.errorOf(walkTo(9, 2, "x")), EBADF);
  }),
);

Deno.test(
  "the extension is closed to clients that did not request it",
  withBench((b) => {
    b.start("9P2000.L");
    b.attach();
    assertEquals(b.errorOf(fidMessage(C.TLISTXATTR, 0)), EOPNOTSUPP);
    b.start();
    b.attach();
    assertEquals(b.send(fidMessage(C.TLISTXATTR, 0)), C.TLISTXATTR + 1);
    assertEquals(b.errorOf(new EmptyMessage(3)), EOPNOTSUPP);
    assertEquals(b.errorOf(new EmptyMessage(C.TWALK + 1)), EOPNOTSUPP);
  }),
);

Deno.test(
  "streams of attribute values are few",
  withBench((b) => {
    b.start("9P2000.L");
    b.attach();
    const m = new Txattrwalk();
    for (let i = 1; i <= 64; i++) {
      m.newFid = i;
      assertEquals(b.send(m), C.TXATTRWALK + 1);
    }
    m.newFid = 65;
    assertEquals(b.errorOf(m), 24);
    b.send(fidMessage(C.TCLUNK, 7));
    assertEquals(b.send(m), C.TXATTRWALK + 1);
    assertEquals(b.errorOf(walkTo(5, 100)), EBADF);
  }),
);

Deno.test(
  "flush is answered, whatever it names",
  withBench((b) => {
    b.start();
    const m = new Tflush();
    m.oldTag = 77;
    assertEquals(b.send(m), C.TFLUSH + 1);
  }),
);

Deno.test(
  "rename and remove by fid find the file's directory, or refuse",
  withBench((b) => {
    b.start("9P2000.L");
    b.attach();
    b.send(walkTo(0, 1, "d", "f"));
    Deno.renameSync(`${b.dir}/d/f`, `${b.dir}/d/elsewhere`);
    Deno.writeTextFileSync(`${b.dir}/d/f`, "another file");
    assertEquals(b.errorOf(fidMessage(C.TREMOVE, 1)), 2);
    assert(Deno.statSync(`${b.dir}/d/f`).isFile);
    b.send(walkTo(0, 1, "d", "f"));
    assertEquals(b.send(fidMessage(C.TREMOVE, 1)), C.TREMOVE + 1);
    assertEquals(b.errorOf(fidMessage(C.TREMOVE, 0)), 16);
  }),
);

// as root, since the requests also take away permissions
const notRoot = isRoot ? null : "needs root";

Deno.test(named("20,000 seeded requests, half broken, leave the session in order", notRoot), () => {
  const outside = Deno.makeTempDirSync({ prefix: "dvisor-gofer-out-" });
  Deno.writeTextFileSync(`${outside}/witness`, "untouched");
  const seed = 20260601;
  const random = randomFrom(seed);
  const b = new Bench();
  try {
    const requests = allRequests();
    const writer = new Writer(b.input);
    const seen = new Map<number, number>();
    for (let round = 0; round < 20_000; round++) {
      if (round % 100 === 0) {
        for (const e of Deno.readDirSync(b.dir)) {
          Deno.removeSync(`${b.dir}/${e.name}`, { recursive: true });
        }
        Deno.mkdirSync(`${b.dir}/d/e`, { recursive: true });
        Deno.symlinkSync(outside, `${b.dir}/d/up`);
        b.start(random(2) === 0 ? C.VERSION_DVISOR : C.VERSION_9P2000L);
        Deno.writeTextFileSync(`${b.dir}/d/f`, "text");
      }
      for (const [fid, path] of [[0, []], [1, ["d"]], [2, ["d", "f"]]] as const) {
        if (random(10) === 0) b.session.fids.drop(fid);
        if (b.session.fids.get(fid) === null) {
          b.send(fid === 0 ? attachment(0, "0") : walkTo(0, fid, ...path));
        }
      }
      const m = requests[random(requests.length)];
      if (m === undefined || (m.type === C.TVERSION && random(50) !== 0)) continue;
      fillPlausibly(m, random);
      if ("count" in m && m.count === 0) m.count = 4000;
      writer.reset();
      const size = encode(writer, 3, m);
      // ASCII, since Deno's own calls remove the tree
      if (random(2) === 0 && size > 7) b.input[7 + random(size - 7)] = random(128);
      const type = b.sendBytes(size);
      seen.set(type, (seen.get(type) ?? 0) + 1);
      assert(type === C.RLERROR || type === m.type + 1, `seed ${seed}, round ${round}`);
      if (type === C.RLERROR) assertEquals(decodeError(b), true, `seed ${seed}, round ${round}`);
    }
    assert(seen.size > 33, `only ${[...seen.keys()]} were seen`);
    assertEquals(Deno.readTextFileSync(`${outside}/witness`), "untouched");
    assertEquals([...Deno.readDirSync(outside)].length, 1);
  } finally {
    b.close();
    Deno.removeSync(outside, { recursive: true });
  }
});

function decodeError(b: Bench): boolean {
  const e = new Rlerror();
  e.read(b.reply);
  return e.ecode > 0 && e.ecode < 4096;
}
