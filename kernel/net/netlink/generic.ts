/**
 * Generic netlink: the families of a kernel by number, and the controller that lists them. Families
 * register from elsewhere (task/task_stats.ts).
 *
 * DIFFERS: no policies (CTRL_CMD_GETPOLICY) and no events.
 */

import { EINVAL, ENOENT, EOPNOTSUPP, EPERM, ERANGE } from "../../../ffi/abi/errno.ts";
import { CAP_NET_ADMIN } from "../../../ffi/abi/capability.ts";
import * as G from "../../../ffi/abi/genetlink.ts";
import { NLM_F_MULTI } from "../../../ffi/abi/netlink.ts";
import type { NetNamespace } from "../net_namespace.ts";
import { type Attributes, readAttributes, textOf } from "./attributes.ts";
import type { RouteRequest } from "./request.ts";
import type { NetlinkWriter } from "./writer.ts";

/** A command of a family. */
interface GenericOperation {
  readonly command: number;
  /** GENL_*: what the operation supports, and the privilege it needs. */
  readonly flags: number;
}

/** A family of messages with its commands. */
export interface GenericFamily {
  readonly id: number;
  readonly name: string;
  readonly version: number;
  readonly operations: readonly GenericOperation[];
  /** Carries out a command that the family has and the caller may give: 0 or -errno. */
  answer(
    command: number,
    attributes: Attributes,
    request: RouteRequest,
    out: NetlinkWriter,
  ): number;
}

/** The first number that Linux assigns to a registered family. */
const FIRST_ID = 0x1f;

/** The families of a kernel, which all namespaces share. */
export class GenericFamilies {
  readonly all: GenericFamily[] = [];

  /** The number for the next family. */
  get nextId(): number {
    return FIRST_ID + this.all.length;
  }
  add(family: GenericFamily): void {
    this.all.push(family);
  }
}

const controller: GenericFamily = {
  id: G.GENL_ID_CTRL,
  name: "nlctrl",
  version: 2,
  operations: [{
    command: G.CTRL_CMD_GETFAMILY,
    flags: G.GENL_CMD_CAP_DO | G.GENL_CMD_CAP_DUMP | G.GENL_CMD_CAP_HASPOL,
  }],
  answer: (_command, attributes, r, out) => answerController(attributes, r, out),
};

function familiesOf(net: NetNamespace): readonly GenericFamily[] {
  return [controller, ...net.shared.generic?.all ?? []];
}

/** Begins a message of a family, as a reply to `r` or as an event. */
export function beginGenericMessage(
  out: NetlinkWriter,
  r: RouteRequest["request"],
  family: Pick<GenericFamily, "id" | "version">,
  command: number,
  flags: number,
): void {
  const at = out.begin(r, family.id, flags, G.Genlmsghdr.size);
  out.u8[at + G.Genlmsghdr.at.cmd] = command;
  out.u8[at + G.Genlmsghdr.at.version] = family.version;
}

/** Writes the replies into `out`: 0 or -errno. */
export function answerGeneric(net: NetNamespace, r: RouteRequest, out: NetlinkWriter): number {
  const family = familiesOf(net).find(({ id }) => id === r.request.type);
  if (family === undefined) return -ENOENT;
  if (r.body.byteLength < G.Genlmsghdr.size) return -EINVAL;
  const command = r.body.getUint8(G.Genlmsghdr.at.cmd);
  const operation = family.operations.find((one) => one.command === command);
  const needed = r.isDump ? G.GENL_CMD_CAP_DUMP : G.GENL_CMD_CAP_DO;
  if (operation === undefined || (operation.flags & needed) === 0) return -EOPNOTSUPP;
  const isForAdmin = (operation.flags & G.GENL_ADMIN_PERM) !== 0;
  if (isForAdmin && !r.isCapable(CAP_NET_ADMIN)) return -EPERM;
  return family.answer(command, readAttributes(r.body, G.Genlmsghdr.size), r, out);
}

/** CTRL_CMD_GETFAMILY: one family by number or name, or all. */
function answerController(
  attributes: Attributes,
  r: RouteRequest,
  out: NetlinkWriter,
): number {
  const families = familiesOf(r.net);
  if (r.isDump) {
    for (const family of families) putFamily(family, r, out, NLM_F_MULTI);
    return 0;
  }
  const id = attributes.get(G.CTRL_ATTR_FAMILY_ID);
  const name = attributes.get(G.CTRL_ATTR_FAMILY_NAME);
  if (id !== undefined && id.length < 2) return -ERANGE;
  if (name !== undefined && (!name.includes("\0") || textOf(name).length >= G.GENL_NAMSIZ)) {
    return -EINVAL;
  }
  if (id === undefined && name === undefined) return -EINVAL;
  const number = id === undefined ? -1 : id.charCodeAt(0) | id.charCodeAt(1) << 8;
  const found = families.find((family) =>
    name === undefined ? family.id === number : family.name === textOf(name)
  );
  if (found === undefined) return -ENOENT;
  putFamily(found, r, out, 0);
  return 0;
}

function putFamily(
  family: GenericFamily,
  r: RouteRequest,
  out: NetlinkWriter,
  flags: number,
): void {
  beginGenericMessage(out, r.request, controller, G.CTRL_CMD_NEWFAMILY, flags);
  out.text(G.CTRL_ATTR_FAMILY_NAME, family.name);
  out.u16(G.CTRL_ATTR_FAMILY_ID, family.id);
  out.u32(G.CTRL_ATTR_VERSION, family.version);
  out.u32(G.CTRL_ATTR_HDRSIZE, 0);
  out.u32(G.CTRL_ATTR_MAXATTR, 0);
  const endAll = out.nestPlain(G.CTRL_ATTR_OPS);
  family.operations.forEach(({ command, flags }, i) => {
    const end = out.nestPlain(i + 1);
    out.u32(G.CTRL_ATTR_OP_ID, command);
    out.u32(G.CTRL_ATTR_OP_FLAGS, flags);
    end();
  });
  endAll();
  if (family === controller) putNotify(out);
  out.end();
}

/** The controller's multicast group, which gets no messages: families neither come nor go. */
function putNotify(out: NetlinkWriter): void {
  const endAll = out.nestPlain(G.CTRL_ATTR_MCAST_GROUPS), end = out.nestPlain(1);
  out.u32(G.CTRL_ATTR_MCAST_GRP_ID, G.GENL_ID_CTRL);
  out.text(G.CTRL_ATTR_MCAST_GRP_NAME, "notify");
  end();
  endAll();
}
