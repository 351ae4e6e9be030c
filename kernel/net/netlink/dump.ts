/**
 * Dumps of netlink(7): a list that is sent in parts. Each part is made when the reader has taken
 * the one before, so that neither a turn nor memory grows with the list.
 */

import { AF_INET, AF_INET6 } from "../../../ffi/abi/socket.ts";
import type { Link } from "../link/link.ts";
import type { LinkTable } from "../link/link_table.ts";
import type { Socket } from "../socket.ts";
import { type SocketIndex, SocketWalk } from "../socket_index.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkRequest, NetlinkWriter } from "./writer.ts";

/** LIMIT: messages of one part, and objects looked at for it. */
export const MESSAGES = 64, LOOKS = 2048;
/** A part with this many bytes is complete. */
const PART_BYTES = 4096;
const NONE: readonly never[] = [];

/** A list that is sent in parts. */
export abstract class Dump {
  readonly request: NetlinkRequest;

  constructor(request: NetlinkRequest) {
    this.request = request;
  }

  /** Changes when the list changes in a way that Linux marks with NLM_F_DUMP_INTR. */
  get version(): number {
    return 0;
  }
  /** Writes a part, which may be empty. False: it is the last. */
  abstract step(out: NetlinkWriter): boolean;
}

/** The families that a rtnetlink request wants, in the order of the list. */
export function familiesOf(r: RouteRequest): number[] {
  return [AF_INET, AF_INET6].filter((family) => r.wantsFamily(family));
}

/** A dump of items of the links of a namespace, by family and position. */
export abstract class LinkDump<T> extends Dump {
  protected readonly table: LinkTable;
  private readonly families: readonly number[];
  /** The only link whose items are listed, or 0. */
  private readonly index: number;
  private pass: number = 0;
  private link: number = 0;
  private item: number = 0;

  constructor(
    request: NetlinkRequest,
    table: LinkTable,
    families: readonly number[],
    index: number = 0,
  ) {
    super(request);
    this.table = table;
    this.families = families;
    this.index = index;
  }

  protected abstract itemsOf(link: Link): readonly T[];
  /** Writes an item; false: it is not of that family. */
  protected abstract put(out: NetlinkWriter, link: Link, item: T, family: number): boolean;

  override step(out: NetlinkWriter): boolean {
    let looks = LOOKS, messages = MESSAGES;
    while (this.pass < this.families.length) {
      const link = this.table.links[this.link], family = this.families[this.pass]!;
      if (link === undefined) {
        this.pass++;
        this.link = this.item = 0;
        continue;
      }
      const items = this.index === 0 || this.index === link.index ? this.itemsOf(link) : NONE;
      for (; this.item < items.length; this.item++, looks--) {
        if (looks <= 0 || messages <= 0) return true;
        if (this.put(out, link, items[this.item]!, family)) messages--;
      }
      this.link++;
      this.item = 0;
      if (--looks <= 0) return true;
    }
    return false;
  }
}

/** Several dumps, one after the other. */
export class DumpSequence extends Dump {
  private readonly parts: readonly Dump[];
  private at: number = 0;

  constructor(request: NetlinkRequest, parts: readonly Dump[]) {
    super(request);
    this.parts = parts;
  }

  override step(out: NetlinkWriter): boolean {
    const start = out.length;
    for (; this.at < this.parts.length; this.at++) {
      if (out.length - start >= PART_BYTES || this.parts[this.at]!.step(out)) return true;
    }
    return false;
  }
}

/** A dump of sockets by inode number. */
export abstract class SocketDump extends Dump {
  private readonly walk: SocketWalk;

  constructor(request: NetlinkRequest, sockets: SocketIndex) {
    super(request);
    this.walk = new SocketWalk(sockets);
  }

  /** The number of sockets that one part looks at. */
  protected get looks(): number {
    return LOOKS;
  }
  /** Writes a socket; false: it does not belong to the list. */
  protected abstract put(out: NetlinkWriter, socket: Socket): boolean;

  override step(out: NetlinkWriter): boolean {
    const { walk } = this;
    walk.begin(this.looks);
    for (let left = MESSAGES; left > 0;) {
      const socket = walk.next();
      if (socket === null) break;
      if (this.put(out, socket)) left--;
    }
    return !walk.isAtEnd;
  }
}
