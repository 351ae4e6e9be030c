/**
 * The channel of a file request (messages.ts): checks the members of the request and makes the
 * class that does it. All of them act as a user of the guest, by the kernel's own VFS calls.
 */

import { O_APPEND, O_CREAT, O_EXCL, O_TRUNC, O_WRONLY } from "../../../../ffi/abi/fcntl.ts";
import type { Credentials } from "../../../../kernel/cred/credentials.ts";
import type { SandboxKernel } from "../../../../kernel/kernel.ts";
import type { Container } from "../../../../kernel/task/container.ts";
import { shownPath } from "../../../file_error.ts";
import type { JsonNode } from "../../../json_node.ts";
import type { Op } from "../../../protocol/session/messages.ts";
import type { Channel, ChannelPort } from "../channel.ts";
import { bytesOfWire } from "../../../protocol/wire_text.ts";
import * as calls from "./call_channel.ts";
import { DiffChannel } from "./diff_channel.ts";
import type { FileChannel, FileRequest, GuestPath } from "./file_channel.ts";
import { ListChannel } from "./list_directory.ts";
import { MakeDirectoriesChannel } from "./make_directories.ts";
import { ReadFileChannel } from "./read_file.ts";
import { RemoveTreeChannel } from "./remove_tree.ts";
import { RequestCaller } from "./request_caller.ts";
import { WatchChannel } from "./watch_channel.ts";
import { WriteFileChannel } from "./write_file.ts";

/** What file requests need of a session. */
export interface FileSession {
  readonly kernel: SandboxKernel;
  readonly container: Container;
  /** Places for mounts that were made in the root's overlay; byte strings. */
  readonly ownPaths: ReadonlySet<string>;
  /** The user that a member names; of an absent one the session's. @throws UserError */
  userOf(node: JsonNode): { readonly cred: Credentials };
}

/** Makes a channel for a request whose members are checked; `path` is the member of that name. */
type Opener = (request: FileRequest, node: JsonNode, session: FileSession) => FileChannel;

/** The requests that `openFileChannel` takes. */
export const FILE_OPS = [
  "readFile",
  "writeFile",
  "stat",
  "list",
  "mkdir",
  "remove",
  "rename",
  "chmod",
  "symlink",
  "readlink",
  "watch",
  "diff",
] as const satisfies readonly Op[];
export type FileOp = (typeof FILE_OPS)[number];

const MODE_MAX = 0o7777, DIRECTORY_MODE_MAX = 0o1777;

const OPENERS: Readonly<Record<FileOp, Opener>> = {
  readFile: (request, node) => {
    const { MAX_SAFE_INTEGER: max } = Number;
    const offset = node.member("offset").optional(0, (n) => n.integer(0, max));
    const length = node.member("length").optional(Infinity, (n) => n.integer(0, max));
    return new ReadFileChannel(request, pathOf(node.member("path")), offset, length);
  },
  writeFile: (request, node) => {
    const append = flag(node.member("append")), createNew = flag(node.member("createNew"));
    const flags = O_WRONLY | O_CREAT | (append ? O_APPEND : O_TRUNC) | (createNew ? O_EXCL : 0);
    const mode = modeOf(request, node.member("mode"), 0o666, MODE_MAX);
    return new WriteFileChannel(request, pathOf(node.member("path")), flags, mode);
  },
  stat: (request, node) => {
    const path = pathOf(node.member("path"));
    const follow = node.member("follow").optional(true, (n) => n.boolean());
    return new calls.CallChannel(request, "cannot stat", path, calls.statCall(path.bytes, follow));
  },
  list: (request, node) => new ListChannel(request, pathOf(node.member("path"))),
  mkdir: (request, node) => {
    const path = pathOf(node.member("path"));
    const mode = modeOf(request, node.member("mode"), 0o777, DIRECTORY_MODE_MAX);
    if (flag(node.member("recursive"))) return new MakeDirectoriesChannel(request, path, mode);
    const call = calls.mkdirCall(path.bytes, mode);
    return new calls.CallChannel(request, "cannot make the directory", path, call);
  },
  remove: (request, node) => {
    const path = pathOf(node.member("path"));
    if (flag(node.member("recursive"))) return new RemoveTreeChannel(request, path);
    return new calls.CallChannel(request, "cannot remove", path, calls.removeCall(path.bytes));
  },
  rename: (request, node) => {
    const from = pathOf(node.member("from")), to = pathOf(node.member("to"));
    const call = calls.renameCall(from.bytes, to.bytes);
    const rest = ` to ${shownPath(to.text)}`;
    return new calls.CallChannel(request, "cannot rename", from, call, rest);
  },
  chmod: (request, node) => {
    const path = pathOf(node.member("path")), mode = node.member("mode").integer(0, MODE_MAX);
    const call = calls.chmodCall(path.bytes, mode);
    return new calls.CallChannel(request, "cannot change the mode of", path, call);
  },
  symlink: (request, node) => {
    const path = pathOf(node.member("path"));
    const call = calls.symlinkCall(bytesOfWire(node.member("target").string()), path.bytes);
    return new calls.CallChannel(request, "cannot make the link", path, call);
  },
  readlink: (request, node) => {
    const path = pathOf(node.member("path"));
    const call = calls.readlinkCall(path.bytes);
    return new calls.CallChannel(request, "cannot read the link", path, call);
  },
  watch: (request, node) => {
    const isRecursive = flag(node.member("recursive"));
    return new WatchChannel(request, pathOf(node.member("path")), isRecursive);
  },
  diff: (request, _node, { container, ownPaths }) =>
    new DiffChannel(request, container.mounts.root.fs, ownPaths),
};

/**
 * The channel of a request. It ends in a later turn of the loop, never before this returns.
 *
 * @throws UserError for a request that is not valid
 */
export function openFileChannel(
  session: FileSession,
  port: ChannelPort,
  request: JsonNode,
  op: FileOp,
): Channel {
  const { kernel, container } = session, { cred } = session.userOf(request.member("user"));
  const caller = new RequestCaller(container, cred);
  let channel: Channel | null = null;
  try {
    channel = OPENERS[op]({ port, deferred: kernel.vfs.deferred, caller }, request, session);
    return channel;
  } finally {
    if (channel === null) caller.close();
  }
}

function pathOf(node: JsonNode): GuestPath {
  const text = node.absolutePath();
  return { text, bytes: bytesOfWire(text) };
}

function flag(node: JsonNode): boolean {
  return node.optional(false, (n) => n.boolean());
}

/** A mode that is named is exact; another one is without the bits of the umask. */
function modeOf(request: FileRequest, node: JsonNode, byDefault: number, max: number): number {
  if (node.isAbsent) return byDefault;
  request.caller.fs.umask = 0;
  return node.integer(0, max);
}
