import { TEST_ACCOUNT } from "../core/account_testing.ts";
import type { Account } from "../core/account.ts";
import { assertEquals, assertMatch } from "@std/assert";
import { EAGAIN, EPERM } from "../../ffi/abi/errno.ts";
import { GeneratedFs } from "../fs/generated/generated_fs.ts";
import { RowFile } from "../fs/generated/row_file.ts";
import { type TextSteps, wholeText } from "../fs/generated/stepped_text.ts";
import { TextInode } from "../fs/generated/text_inode.ts";
import { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from "../../ffi/abi/socket.ts";
import type { NetTables } from "./fs/net_tables.ts";
import { registerFamilies } from "../net/families.ts";
import { Endpoint, LOOPBACK4 } from "../net/inet/address.ts";
import { InetSocket } from "../net/inet/inet_socket.ts";
import type { Socket } from "../net/socket.ts";
import { UnixSocket } from "../net/unix/unix_socket.ts";
import type { Inode } from "../vfs/inode.ts";
import { FakeHost } from "../testing/fake_host.ts";
import { Vfs } from "../vfs/vfs.ts";
import { BufferCursor } from "../vfs/vfs_testing.ts";
import { CallLab } from "../testing/call_lab.ts";
import { netTablesOf } from "./socket_tables.ts";

class Lab extends CallLab {
  readonly tables: NetTables;

  constructor() {
    super();
    registerFamilies(this.kernel.namespaces.net);
    this.tables = netTablesOf(this.kernel.namespaces.net);
  }

  open(family: number, type: number): Socket {
    const maker = this.kernel.namespaces.net.familyOf(family, type);
    if (typeof maker === "number") throw new Error("no family");
    const socket = maker.create(this.task, type, 0);
    if (typeof socket === "number") throw new Error("no socket");
    socket.cred = this.task.cred;
    this.task.files.install(socket, false, 10_000);
    return socket;
  }

  rows(name: string): string[] {
    return wholeText(this.tables.text(name)).trimEnd().split("\n").slice(1);
  }
}

Deno.test("bound datagram sockets are in their table, unconnected stream sockets are not", () => {
  const lab = new Lab();
  const udp = lab.open(AF_INET, SOCK_DGRAM), udp6 = lab.open(AF_INET6, SOCK_DGRAM);
  lab.open(AF_INET, SOCK_STREAM);
  if (!(udp instanceof InetSocket) || !(udp6 instanceof InetSocket)) throw new Error("not inet");
  assertEquals(lab.rows("udp"), []);
  udp.local = new Endpoint(LOOPBACK4, 0x1f90);
  udp6.local = new Endpoint(LOOPBACK4, 53);
  const [row = ""] = lab.rows("udp");
  assertEquals(row.slice(0, 40), "    0: 0100007F:1F90 00000000:0000 07 00");
  assertEquals(row.length <= 127, true);
  const [row6 = ""] = lab.rows("udp6");
  assertMatch(row6, /^ {4}0: 0000000000000000FFFF00000100007F:0035 0{32}:0000 07 /);
  assertEquals(lab.rows("tcp"), []);
});

Deno.test("UNIX sockets show their names; a socket with two descriptors is listed once", () => {
  const lab = new Lab();
  const socket = lab.open(AF_UNIX, SOCK_STREAM);
  if (!(socket instanceof UnixSocket)) throw new Error("not unix");
  lab.task.files.install(socket.hold(), false, 100);
  socket.name = "\0abstract";
  const ino = socket.inode.ino;
  assertEquals(lab.rows("unix"), [
    `${ino.toString(16).padStart(16, "0")}: 00000002 00000000 00000000 0001 01  ${ino} @abstract`,
  ]);
  assertEquals(wholeText(lab.tables.text("sockstat")).split("\n")[0], "sockets: used 1");
});

Deno.test("the loopback device follows its state", () => {
  const lab = new Lab(), { lo: loopback } = lab.kernel.namespaces.net.links;
  loopback.mtu = 1500;
  loopback.isUp = false;
  const [lo] = lab.tables.devices.list();
  assertEquals([lo?.name, lo?.mtu, lo?.flags], ["lo", 1500, 8]);
});

Deno.test("a step of a table makes a bounded number of rows", () => {
  const lab = new Lab();
  for (let i = 0; i < 3000; i++) lab.open(AF_UNIX, SOCK_DGRAM);
  const steps = lab.tables.text("unix");
  if (typeof steps === "string") throw new Error("made at once");
  let rows = -1, turns = 0;
  for (let hasMore = true; hasMore; turns++) {
    hasMore = steps.step();
    const made = steps.text.split("\n").length - 1;
    assertEquals(made <= 129, true);
    rows += made;
    steps.text = "";
  }
  assertEquals([rows, turns], [3000, 24]);
  const counts = lab.tables.text("protocols");
  if (typeof counts === "string") throw new Error("made at once");
  assertEquals([counts.step(), counts.step()], [true, false]);
  assertMatch(counts.text, /\nUNIX +\d+ +3000 /);
});

Deno.test("a file of rows gives them as it is read, and the rows of now from the beginning", () => {
  const lab = new Lab(), seen: string[] = [];
  for (let i = 0; i < 1000; i++) lab.open(AF_UNIX, SOCK_DGRAM);
  const file = new UnixRows(TEST_ACCOUNT, lab.tables), all = wholeText(lab.tables.text("unix"));
  const read = (offset: number): string => {
    const io = new BufferCursor(new Uint8Array(65536));
    for (let n = file.read(io, offset); n < 0; n = file.read(io, offset)) {
      assertEquals([n, file.needsTurn], [-EAGAIN, true]);
      seen.push("turn");
    }
    return String.fromCharCode(...io.buffer.subarray(0, io.done));
  };
  let text = "";
  for (let part = read(0); part !== ""; part = read(text.length)) text += part;
  assertEquals([text === all, seen.length], [true, 0]);
  assertEquals(all.substring(40_000).startsWith(read(40_000)), true);
  assertEquals(seen.length > 1, true);
  lab.open(AF_UNIX, SOCK_DGRAM);
  assertEquals(read(0), all.substring(0, read(0).length));
  assertEquals(read(all.length).split("\n").length, 2);
  file.drop();
});

/** An open /proc/net/unix. */
class UnixRows extends RowFile {
  private readonly tables: NetTables;

  constructor(account: Account, tables: NetTables) {
    super(account, new NoText(new NoFs(new Vfs(new FakeHost())), 5, 0o444), 0);
    this.tables = tables;
  }
  protected override begin(): string | TextSteps {
    return this.tables.text("unix");
  }
}

class NoText extends TextInode {
  override render(): string {
    return "";
  }
}

class NoFs extends GeneratedFs {
  override readonly type = "proc";
  override readonly magic = 0;
  override readonly createError = -EPERM;
  override readonly makeError = -EPERM;
  override readonly root: Inode = new NoText(this, 1, 0o444);
}
