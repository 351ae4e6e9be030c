/**
 * Every message type by number: its name and its class. Data only.
 *
 * Server, client and tests take their message objects from the family files directly; this list
 * serves what needs all of them: log lines, and the tests that mutate each message.
 */

import { AttrReply, Rstatfs, Tgetattr, Tsetattr } from "./attributes.ts";
import * as C from "./constants.ts";
import {
  FidNameMessage,
  Rlist,
  Rwalkgetattr,
  Tbindfd,
  Tcreatefd,
  Tgetxattr,
  Tlist,
  Tmake,
  Topenfd,
  Trenameat2,
  Tsetxattr,
  Twalkgetattr,
} from "./extension.ts";
import { DataReply, OpenReply, ReadRequest, Rwrite, Tfsync, Tlcreate, Tlopen } from "./file.ts";
import { Twrite } from "./file.ts";
import { Rgetlock, Rlock, Tgetlock, Tlock } from "./lock.ts";
import { EmptyMessage, FidMessage, type Message } from "./message.ts";
import { Tscan } from "./scan.ts";
import { QidReply, Rlerror, Tattach, Tauth, Tflush, Version } from "./session.ts";
import {
  Rreadlink,
  Tlink,
  Tmkdir,
  Tmknod,
  Trename,
  Trenameat,
  Tsymlink,
  Tunlinkat,
} from "./tree.ts";
import { Rwalk, Twalk } from "./walk.ts";
import { Rxattrwalk, Txattrcreate, Txattrwalk } from "./xattr.ts";

/** One message type. */
interface CatalogueEntry {
  readonly name: string;
  readonly type: number;
  make(): Message;
}

function entry(name: string, type: number, make: (type: number) => Message): CatalogueEntry {
  return { name, type, make: () => make(type) };
}

const empty = (type: number) => new EmptyMessage(type);
const fid = (type: number) => new FidMessage(type);
const data = (type: number) => new DataReply(type);
const qid = (type: number) => new QidReply(type);
const attr = (type: number) => new AttrReply(type);
const open = (type: number) => new OpenReply(type);

export const CATALOGUE: readonly CatalogueEntry[] = [
  entry("Rlerror", C.RLERROR, () => new Rlerror()),
  entry("Tstatfs", C.TSTATFS, fid),
  entry("Rstatfs", C.TSTATFS + 1, () => new Rstatfs()),
  entry("Tlopen", C.TLOPEN, () => new Tlopen()),
  entry("Rlopen", C.TLOPEN + 1, open),
  entry("Tlcreate", C.TLCREATE, () => new Tlcreate()),
  entry("Rlcreate", C.TLCREATE + 1, open),
  entry("Tsymlink", C.TSYMLINK, () => new Tsymlink()),
  entry("Rsymlink", C.TSYMLINK + 1, qid),
  entry("Tmknod", C.TMKNOD, () => new Tmknod()),
  entry("Rmknod", C.TMKNOD + 1, qid),
  entry("Trename", C.TRENAME, () => new Trename()),
  entry("Rrename", C.TRENAME + 1, empty),
  entry("Treadlink", C.TREADLINK, fid),
  entry("Rreadlink", C.TREADLINK + 1, () => new Rreadlink()),
  entry("Tgetattr", C.TGETATTR, () => new Tgetattr()),
  entry("Rgetattr", C.TGETATTR + 1, attr),
  entry("Tsetattr", C.TSETATTR, () => new Tsetattr()),
  entry("Rsetattr", C.TSETATTR + 1, empty),
  entry("Txattrwalk", C.TXATTRWALK, () => new Txattrwalk()),
  entry("Rxattrwalk", C.TXATTRWALK + 1, () => new Rxattrwalk()),
  entry("Txattrcreate", C.TXATTRCREATE, () => new Txattrcreate()),
  entry("Rxattrcreate", C.TXATTRCREATE + 1, empty),
  entry("Treaddir", C.TREADDIR, () => new ReadRequest(C.TREADDIR)),
  entry("Rreaddir", C.TREADDIR + 1, data),
  entry("Tfsync", C.TFSYNC, () => new Tfsync()),
  entry("Rfsync", C.TFSYNC + 1, empty),
  entry("Tlock", C.TLOCK, () => new Tlock()),
  entry("Rlock", C.TLOCK + 1, () => new Rlock()),
  entry("Tgetlock", C.TGETLOCK, () => new Tgetlock()),
  entry("Rgetlock", C.TGETLOCK + 1, () => new Rgetlock()),
  entry("Tlink", C.TLINK, () => new Tlink()),
  entry("Rlink", C.TLINK + 1, empty),
  entry("Tmkdir", C.TMKDIR, () => new Tmkdir()),
  entry("Rmkdir", C.TMKDIR + 1, qid),
  entry("Trenameat", C.TRENAMEAT, () => new Trenameat()),
  entry("Rrenameat", C.TRENAMEAT + 1, empty),
  entry("Tunlinkat", C.TUNLINKAT, () => new Tunlinkat()),
  entry("Runlinkat", C.TUNLINKAT + 1, empty),
  entry("Tversion", C.TVERSION, () => new Version(C.TVERSION)),
  entry("Rversion", C.TVERSION + 1, () => new Version(101)),
  entry("Tauth", C.TAUTH, () => new Tauth()),
  entry("Rauth", C.TAUTH + 1, qid),
  entry("Tattach", C.TATTACH, () => new Tattach()),
  entry("Rattach", C.TATTACH + 1, qid),
  entry("Tflush", C.TFLUSH, () => new Tflush()),
  entry("Rflush", C.TFLUSH + 1, empty),
  entry("Twalk", C.TWALK, () => new Twalk()),
  entry("Rwalk", C.TWALK + 1, () => new Rwalk()),
  entry("Tread", C.TREAD, () => new ReadRequest(C.TREAD)),
  entry("Rread", C.TREAD + 1, data),
  entry("Twrite", C.TWRITE, () => new Twrite()),
  entry("Rwrite", C.TWRITE + 1, () => new Rwrite()),
  entry("Tclunk", C.TCLUNK, fid),
  entry("Rclunk", C.TCLUNK + 1, empty),
  entry("Tremove", C.TREMOVE, fid),
  entry("Rremove", C.TREMOVE + 1, empty),
  entry("Twalkgetattr", C.TWALKGETATTR, () => new Twalkgetattr()),
  entry("Rwalkgetattr", C.TWALKGETATTR + 1, () => new Rwalkgetattr()),
  entry("Topenfd", C.TOPENFD, () => new Topenfd()),
  entry("Ropenfd", C.TOPENFD + 1, attr),
  entry("Tcreatefd", C.TCREATEFD, () => new Tcreatefd()),
  entry("Rcreatefd", C.TCREATEFD + 1, attr),
  entry("Tbindfd", C.TBINDFD, () => new Tbindfd()),
  entry("Rbindfd", C.TBINDFD + 1, attr),
  entry("Tmake", C.TMAKE, () => new Tmake()),
  entry("Rmake", C.TMAKE + 1, attr),
  entry("Treaddirattr", C.TREADDIRATTR, () => new ReadRequest(C.TREADDIRATTR)),
  entry("Rreaddirattr", C.TREADDIRATTR + 1, data),
  entry("Trenameat2", C.TRENAMEAT2, () => new Trenameat2()),
  entry("Rrenameat2", C.TRENAMEAT2 + 1, empty),
  entry("Tgetxattr", C.TGETXATTR, () => new Tgetxattr()),
  entry("Rgetxattr", C.TGETXATTR + 1, data),
  entry("Tsetxattr", C.TSETXATTR, () => new Tsetxattr()),
  entry("Rsetxattr", C.TSETXATTR + 1, empty),
  entry("Tlistxattr", C.TLISTXATTR, fid),
  entry("Rlistxattr", C.TLISTXATTR + 1, data),
  entry("Tremovexattr", C.TREMOVEXATTR, (type) => new FidNameMessage(type)),
  entry("Rremovexattr", C.TREMOVEXATTR + 1, empty),
  entry("Tlist", C.TLIST, () => new Tlist()),
  entry("Rlist", C.TLIST + 1, () => new Rlist()),
  entry("Tscan", C.TSCAN, () => new Tscan()),
  entry("Rscan", C.TSCAN + 1, data),
];

const NAMES: string[] = [];
for (const e of CATALOGUE) NAMES[e.type] = e.name;

/** "Twalk" for 110; "type 3" for an unknown number. */
export function messageName(type: number): string {
  return NAMES[type] ?? `type ${type}`;
}
