import { assertEquals } from "@std/assert";
import * as I from "../../../ffi/abi/inet.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import * as S from "../../../ffi/abi/socket.ts";
import * as D from "../../../ffi/abi/sock_diag.ts";
import { inetAddress, NetLab, portOf, unixAddress } from "../net_testing.ts";

const HEADER = N.Nlmsghdr.size, ALL = 0xffffffff;

/** The replies to one request, without their headers; an error is its number. */
function ask(
  lab: NetLab,
  body: Uint8Array,
  flags: number = N.NLM_F_DUMP,
): (DataView | number)[] {
  const diag = lab.socket(S.AF_NETLINK, S.SOCK_DGRAM, N.NETLINK_SOCK_DIAG);
  const u8 = new Uint8Array(HEADER + body.length), dv = new DataView(u8.buffer);
  dv.setUint32(N.Nlmsghdr.at.len, u8.length, true);
  dv.setUint16(N.Nlmsghdr.at.type, D.SOCK_DIAG_BY_FAMILY, true);
  dv.setUint16(N.Nlmsghdr.at.flags, flags | N.NLM_F_REQUEST, true);
  u8.set(body, HEADER);
  lab.send(diag, String.fromCharCode(...u8));
  const found: (DataView | number)[] = [];
  for (let text = lab.receive(diag, 8192); text !== "EAGAIN"; text = lab.receive(diag, 8192)) {
    const answer = new DataView(Uint8Array.from(text, (c) => c.charCodeAt(0)).buffer);
    for (let at = 0; at < answer.byteLength;) {
      const length = answer.getUint32(at, true), type = answer.getUint16(at + 4, true);
      if (type === N.NLMSG_ERROR) found.push(answer.getInt32(at + HEADER, true));
      else if (type !== N.NLMSG_DONE) {
        found.push(new DataView(answer.buffer, at + HEADER, length - HEADER));
      }
      at += (length + 3) & ~3;
    }
  }
  return found;
}

function inetRequest(family: number, protocol: number, states: number, extra = 0): Uint8Array {
  const u8 = new Uint8Array(D.InetDiagReq.size + extra);
  u8[0] = family;
  u8[1] = protocol;
  new DataView(u8.buffer).setUint32(D.InetDiagReq.at.states, states, true);
  return u8;
}

Deno.test("internet sockets are listed by family, protocol and state", () => {
  const lab = new NetLab(), { at } = D.InetDiagMsg;
  const listener = lab.socket(S.AF_INET, S.SOCK_STREAM), udp = lab.socket(S.AF_INET, S.SOCK_DGRAM);
  lab.bind(listener, inetAddress("127.0.0.1", 0));
  listener.listen(lab, 7);
  lab.bind(udp, inetAddress("127.0.0.1", 0));
  lab.socket(S.AF_INET, S.SOCK_STREAM);
  const [row, ...others] = ask(lab, inetRequest(S.AF_INET, I.IPPROTO_TCP, ALL));
  if (!(row instanceof DataView)) throw new Error("no row");
  assertEquals(others, []);
  assertEquals([row.getUint8(at.state), row.getUint16(at.sport)], [I.TCP_LISTEN, portOf(listener)]);
  assertEquals(row.getUint32(at.src), 0x7f000001);
  assertEquals(row.getUint32(at.wqueue, true), 7);
  assertEquals(row.getUint32(at.inode, true), listener.inode.ino);
  const count = (protocol: number, states: number) =>
    ask(lab, inetRequest(S.AF_INET, protocol, states)).length;
  assertEquals(count(I.IPPROTO_TCP, 1 << I.TCP_ESTABLISHED), 0);
  assertEquals(count(I.IPPROTO_UDP, ALL), 1);
  assertEquals(ask(lab, inetRequest(S.AF_INET6, I.IPPROTO_TCP, ALL)), []);
});

Deno.test("UNIX sockets have their names", () => {
  const lab = new NetLab(), socket = lab.socket(S.AF_UNIX, S.SOCK_STREAM);
  lab.bind(socket, unixAddress("\0name"));
  const body = new Uint8Array(D.UnixDiagReq.size);
  body[0] = S.AF_UNIX;
  new DataView(body.buffer).setUint32(D.UnixDiagReq.at.states, ALL, true);
  new DataView(body.buffer).setUint32(D.UnixDiagReq.at.show, D.UDIAG_SHOW_NAME, true);
  const [row] = ask(lab, body);
  if (!(row instanceof DataView)) throw new Error("no row");
  assertEquals(row.getUint8(D.UnixDiagMsg.at.type), S.SOCK_STREAM);
  assertEquals(row.getUint32(D.UnixDiagMsg.at.ino, true), socket.inode.ino);
  const attribute = D.UnixDiagMsg.size;
  assertEquals([row.getUint16(attribute, true), row.getUint16(attribute + 2, true)], [9, 0]);
});

Deno.test("short requests, filters and other families are errors", () => {
  const lab = new NetLab();
  const errors = [
    ask(lab, new Uint8Array(0)),
    ask(lab, new Uint8Array([S.AF_INET])),
    ask(lab, inetRequest(S.AF_INET, I.IPPROTO_TCP, ALL, 8)),
    ask(lab, inetRequest(S.AF_INET, I.IPPROTO_TCP, ALL), 0),
    ask(lab, new Uint8Array([S.AF_PACKET, 0, 0, 0])),
  ];
  assertEquals(errors, [[-22], [-22], [], [-2], [-22]]);
});
