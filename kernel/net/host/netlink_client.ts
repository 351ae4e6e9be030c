/**
 * A client of the host's rtnetlink(7), for dumps and single replies. Requests are built here and
 * contain no bytes of a guest, and none changes anything. The host replies within the call.
 */

import { EIO, EMFILE } from "../../../ffi/abi/errno.ts";
import * as N from "../../../ffi/abi/netlink.ts";
import { AF_NETLINK, MSG_DONTWAIT, SOCK_RAW } from "../../../ffi/abi/socket.ts";
import type { Host } from "../../core/host.ts";
import type { HostNetwork } from "../../core/host_network.ts";
import * as A from "./message_area.ts";

/** LIMIT: bytes of the replies to one request; some 10,000 routes. */
const MAX_ANSWER = 4 << 20;
const HEADER = N.Nlmsghdr.size;

export class NetlinkClient {
  private readonly host: Host;
  private readonly network: HostNetwork;
  private fd: number = -1;
  private seq: number = 0;
  /** The messages of the last reply, one after the other, in the first `length` bytes. */
  u8: Uint8Array<ArrayBuffer> = new Uint8Array(65536);
  dv: DataView<ArrayBuffer> = new DataView(this.u8.buffer);
  length: number = 0;

  constructor(host: Host, network: HostNetwork) {
    this.host = host;
    this.network = network;
  }

  /**
   * Sends a request and receives the reply, without the end of a dump.
   *
   * @param body the fixed part and the attributes behind the header @returns 0 or -errno
   */
  ask(type: number, flags: number, body: Uint8Array): number {
    if (this.fd < 0) {
      this.fd = this.network.socket(AF_NETLINK, SOCK_RAW, N.NETLINK_ROUTE);
      if (this.fd < 0) return this.fd;
    }
    this.length = 0;
    const r = this.request(type, flags, body);
    const failed = r < 0 ? r : this.collect((flags & N.NLM_F_DUMP) !== 0);
    // Later datagrams of a failed request must not be taken for the next reply.
    if (failed < 0) this.close();
    return failed;
  }

  private request(type: number, flags: number, body: Uint8Array): number {
    const { area } = this.network, { dv, u8 } = area, at = A.BOUNCE_AT, { at: field } = N.Nlmsghdr;
    this.seq = (this.seq + 1) >>> 0;
    dv.setUint32(at + field.len, HEADER + body.length, true);
    dv.setUint16(at + field.type, type, true);
    dv.setUint16(at + field.flags, N.NLM_F_REQUEST | flags, true);
    dv.setUint32(at + field.seq, this.seq, true);
    dv.setUint32(at + field.pid, 0, true);
    u8.set(body, at + HEADER);
    A.prepareSegment(area, at, HEADER + body.length);
    A.prepareMessage(area, 1, 0, 0);
    return this.network.sendmsg(this.fd, area.address + A.MSG_AT, MSG_DONTWAIT);
  }

  private collect(isDump: boolean): number {
    const { area } = this.network;
    for (;;) {
      A.prepareSegment(area, A.BOUNCE_AT, A.BOUNCE_BYTES);
      A.prepareMessage(area, 1, 0, 0);
      const n = this.network.recvmsg(this.fd, area.address + A.MSG_AT, MSG_DONTWAIT);
      if (n <= 0) return n === 0 ? -EIO : n;
      const r = this.takeAll(n, isDump);
      if (r <= 0) return r;
    }
  }

  /** Appends the messages of one datagram: 0 at the end, 1 if more follow, or -errno. */
  private takeAll(length: number, isDump: boolean): number {
    const { dv } = this.network.area, { at: field } = N.Nlmsghdr;
    for (let at = A.BOUNCE_AT; at + HEADER <= A.BOUNCE_AT + length;) {
      const size = dv.getUint32(at + field.len, true), type = dv.getUint16(at + field.type, true);
      if (size < HEADER || at + size > A.BOUNCE_AT + length) return -EIO;
      if (dv.getUint32(at + field.seq, true) === this.seq) {
        if (type === N.NLMSG_DONE) return 0;
        if (type === N.NLMSG_ERROR) return dv.getInt32(at + HEADER, true);
        if (this.length + size > MAX_ANSWER) return -EMFILE;
        this.keep(at, size);
        if (!isDump) return 0;
      }
      at += align(size);
    }
    return 1;
  }

  private keep(at: number, size: number): void {
    const next = this.length + align(size);
    if (next > this.u8.length) {
      const u8 = new Uint8Array(2 * next);
      u8.set(this.u8.subarray(0, this.length));
      this.u8 = u8;
      this.dv = new DataView(u8.buffer);
    }
    this.u8.set(this.network.area.u8.subarray(at, at + size), this.length);
    this.length = next;
  }

  private close(): void {
    if (this.fd >= 0) this.host.close(this.fd);
    this.fd = -1;
  }
}

function align(bytes: number): number {
  return (bytes + 3) & ~3;
}
