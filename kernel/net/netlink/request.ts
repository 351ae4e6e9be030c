/**
 * A request of rtnetlink(7) for the handlers of its types: the fields of the header, and the body
 * behind it.
 */

import * as N from "../../../ffi/abi/netlink.ts";
import { AF_UNSPEC } from "../../../ffi/abi/socket.ts";
import { type Credentials, hasCap } from "../../cred/credentials.ts";
import type { SocketCaller } from "../message.ts";
import type { NetNamespace } from "../net_namespace.ts";
import type { Dump } from "./dump.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

export class RouteRequest {
  readonly net: NetNamespace;
  readonly caller: SocketCaller | null;
  /** Credentials of the task that made the socket; null: not checked. */
  private readonly opener: Credentials | null;
  readonly request: NetlinkRequest;
  readonly body: DataView;
  private readonly mayDump: boolean;
  /** NETLINK_GET_STRICT_CHK: the filters in a dump request count. */
  readonly isStrict: boolean;
  /** The dump that replies; null: the reply is what was written. */
  dump: Dump | null = null;
  /** The text of an error for NETLINK_EXT_ACK. */
  why: string = "";

  constructor(
    net: NetNamespace,
    caller: SocketCaller | null,
    opener: Credentials | null,
    request: NetlinkRequest,
    body: DataView,
    mayDump: boolean,
    isStrict: boolean = false,
  ) {
    this.net = net;
    this.caller = caller;
    this.opener = opener;
    this.request = request;
    this.body = body;
    this.mayDump = mayDump;
    this.isStrict = isStrict;
  }

  /**
   * Whether the request is a dump. In requests that change something NLM_F_DUMP's bits mean other
   * things.
   */
  get isDump(): boolean {
    return this.mayDump && (this.request.flags & N.NLM_F_DUMP) !== 0;
  }
  /**
   * Whether the sender and the task that made the socket both have the capability over `net`: a
   * privileged program whose output was redirected into a socket does not act for its user
   * (netlink_ns_capable of Linux, CVE-2014-0181).
   */
  isCapableOver(net: NetNamespace, capability: number): boolean {
    const { caller, opener } = this;
    return caller !== null && net.isCapable(caller.cred, capability) &&
      (opener === null || net.isCapable(opener, capability));
  }
  /** Whether both have the capability over the whole system (netlink_capable of Linux). */
  isCapable(capability: number): boolean {
    const { caller, opener } = this;
    return caller !== null && hasCap(caller.cred, capability) &&
      (opener === null || hasCap(opener, capability));
  }

  /** Reply with a list, sent in parts. */
  answerBy(dump: Dump): number {
    this.dump = dump;
    return 0;
  }

  /** Fails with an error and a text for it. */
  refuse(error: number, why: string): number {
    this.why = why;
    return error;
  }
  /** rtgen_family, ifi_family, ...: the first byte. */
  get family(): number {
    return this.body.byteLength > 0 ? this.body.getUint8(0) : AF_UNSPEC;
  }
  wantsFamily(family: number): boolean {
    return this.family === AF_UNSPEC || this.family === family;
  }
}

/** Of linux/net_namespace.h, and the value of a namespace without an id. */
const NETNSA_NSID = 1, NOT_ASSIGNED = 0xffffffff;

/** RTM_GETNSID: no network namespace has an id here. */
export function answerNoNsid(r: RouteRequest, out: NetlinkWriter): number {
  if (r.isDump) return 0;
  out.begin(r.request, N.RTM_NEWNSID, 0, N.Rtgenmsg.size);
  out.u32(NETNSA_NSID, NOT_ASSIGNED);
  out.end();
  return 0;
}

/** The bytes of an attribute behind `from`, or "". */
export function attributeBytes(body: DataView, from: number, type: number): string {
  for (let at = from; at + N.Rtattr.size <= body.byteLength;) {
    const length = body.getUint16(at + N.Rtattr.at.len, true);
    if (length < N.Rtattr.size || at + length > body.byteLength) return "";
    if (body.getUint16(at + N.Rtattr.at.type, true) === type) {
      let bytes = "";
      for (let i = at + N.Rtattr.size; i < at + length; i++) {
        bytes += String.fromCharCode(body.getUint8(i));
      }
      return bytes;
    }
    at += (length + 3) & ~3;
  }
  return "";
}
