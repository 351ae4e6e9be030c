/** The handler of each message type: data, two dense tables. */

import { EOPNOTSUPP } from "../../ffi/abi/errno.ts";
import * as C from "../protocol/constants.ts";
import { onGetattr, onSetattr, onStatfs } from "./on_attributes.ts";
import {
  onBindfd,
  onCreatefd,
  onGetxattr,
  onList,
  onListxattr,
  onMake,
  onOpenfd,
  onReaddirattr,
  onRemovexattr,
  onRenameat2,
  onSetxattr,
} from "./on_extension.ts";
import { onFsync, onLcreate, onLopen, onRead, onReaddir, onWrite } from "./on_file.ts";
import { onGetlock, onLock } from "./on_lock.ts";
import { onScan } from "./on_scan.ts";
import { onAttach, onAuth, onClunk, onFlush, onVersion } from "./on_session.ts";
import {
  onLink,
  onMkdir,
  onMknod,
  onReadlink,
  onRemove,
  onRename,
  onRenameat,
  onSymlink,
  onUnlinkat,
} from "./on_tree.ts";
import { onWalk, onWalkgetattr } from "./on_walk.ts";
import { onXattrcreate, onXattrwalk } from "./on_xattr.ts";
import type { Session } from "./session.ts";

/** Reads its request from `s.in`, appends its reply to `s.out` and returns 0; or returns -errno. */
type Handler = (s: Session) => number;

/** The answer to unknown messages: EOPNOTSUPP, on which Linux's client uses older messages. */
const onUnknown: Handler = () => -EOPNOTSUPP;

const BASE: readonly [number, Handler][] = [
  [C.TSTATFS, onStatfs],
  [C.TLOPEN, onLopen],
  [C.TLCREATE, onLcreate],
  [C.TSYMLINK, onSymlink],
  [C.TMKNOD, onMknod],
  [C.TRENAME, onRename],
  [C.TREADLINK, onReadlink],
  [C.TGETATTR, onGetattr],
  [C.TSETATTR, onSetattr],
  [C.TXATTRWALK, onXattrwalk],
  [C.TXATTRCREATE, onXattrcreate],
  [C.TREADDIR, onReaddir],
  [C.TFSYNC, onFsync],
  [C.TLOCK, onLock],
  [C.TGETLOCK, onGetlock],
  [C.TLINK, onLink],
  [C.TMKDIR, onMkdir],
  [C.TRENAMEAT, onRenameat],
  [C.TUNLINKAT, onUnlinkat],
  [C.TVERSION, onVersion],
  [C.TAUTH, onAuth],
  [C.TATTACH, onAttach],
  [C.TFLUSH, onFlush],
  [C.TWALK, onWalk],
  [C.TREAD, onRead],
  [C.TWRITE, onWrite],
  [C.TCLUNK, onClunk],
  [C.TREMOVE, onRemove],
];

const EXTENSION: readonly [number, Handler][] = [
  [C.TWALKGETATTR, onWalkgetattr],
  [C.TOPENFD, onOpenfd],
  [C.TCREATEFD, onCreatefd],
  [C.TMAKE, onMake],
  [C.TBINDFD, onBindfd],
  [C.TREADDIRATTR, onReaddirattr],
  [C.TRENAMEAT2, onRenameat2],
  [C.TGETXATTR, onGetxattr],
  [C.TSETXATTR, onSetxattr],
  [C.TLISTXATTR, onListxattr],
  [C.TREMOVEXATTR, onRemovexattr],
  [C.TLIST, onList],
  [C.TSCAN, onScan],
];

function table(rows: readonly (readonly [number, Handler])[]): Handler[] {
  const out: Handler[] = new Array(256).fill(onUnknown);
  for (const [type, handler] of rows) out[type] = handler;
  return out;
}

const plain = table(BASE);
const dvisor = table([...BASE, ...EXTENSION]);

/** The handler for a message type in a session. */
export function handlerOf(type: number, isDvisor: boolean): Handler {
  return (isDvisor ? dvisor : plain)[type] ?? onUnknown;
}
