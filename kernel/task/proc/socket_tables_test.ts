import { assertEquals, assertMatch } from "@std/assert";
import { wholeText } from "../../fs/generated/stepped_text.ts";
import { AF_INET, AF_INET6, AF_UNIX, SOCK_DGRAM, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import type { NetTables } from "../../fs/procfs/net_tables.ts";
import { registerFamilies } from "../../net/families.ts";
import { Endpoint, LOOPBACK4 } from "../../net/inet/address.ts";
import { InetSocket } from "../../net/inet/inet_socket.ts";
import type { Socket } from "../../net/socket.ts";
import { UnixSocket } from "../../net/unix/unix_socket.ts";
import { CallLab } from "../../testing/call_lab.ts";
import { netTablesOf } from "./socket_tables.ts";

class Lab extends CallLab {
  readonly tables: NetTables;

  constructor() {
    super();
    registerFamilies(this.kernel.namespaces.net);
    this.tables = netTablesOf(this.kernel, this.kernel.namespaces.net);
  }

  open(family: number, type: number): Socket {
    const maker = this.kernel.namespaces.net.familyOf(family, type);
    if (typeof maker === "number") throw new Error("no family");
    const socket = maker.create(this.task, type, 0);
    if (typeof socket === "number") throw new Error("no socket");
    this.task.files.install(socket, false, 100);
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

Deno.test("UNIX sockets show their names; one with two descriptors is one", () => {
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

Deno.test("the loopback device is as its state says", () => {
  const lab = new Lab(), { lo: loopback } = lab.kernel.namespaces.net.links;
  loopback.mtu = 1500;
  loopback.isUp = false;
  const [lo] = lab.tables.devices.list();
  assertEquals([lo?.name, lo?.mtu, lo?.flags], ["lo", 1500, 8]);
});
