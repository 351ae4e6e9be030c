/** One event of fanotify(7) in a queue, and its bytes. The queue: group_file.ts. */

import { EFAULT } from "../../ffi/abi/errno.ts";
import {
  FAN_EVENT_INFO_TYPE_DFID,
  FAN_EVENT_INFO_TYPE_DFID_NAME,
  FAN_EVENT_INFO_TYPE_FID,
  FAN_EVENT_INFO_TYPE_NEW_DFID_NAME,
  FAN_EVENT_INFO_TYPE_OLD_DFID_NAME,
  FAN_EVENT_INFO_TYPE_PIDFD,
  FAN_ONDIR,
  FAN_RENAME,
  FAN_REPORT_DIR_FID,
  FAN_REPORT_FID,
  FAN_REPORT_NAME,
  FAN_REPORT_TARGET_FID,
  FANOTIFY_METADATA_VERSION,
  FanotifyEventInfoHeader,
  FanotifyEventMetadata,
} from "../../ffi/abi/fanotify.ts";
import { S_IFDIR, S_IFMT } from "../../ffi/abi/stat.ts";
import { FILEID_INO32_GEN, HANDLE_BYTES, HANDLE_MARK } from "../vfs/file_handles.ts";
import type { FileHandles } from "../vfs/file_handles.ts";
import type { Path } from "../vfs/dentry.ts";
import { BY_FS, BY_INODE, BY_TARGET, ENTRY_EVENTS, type FileEvent } from "../vfs/marks.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import type { TaskPid } from "../task/pid_namespace.ts";
import type { ThreadGroup } from "../task/thread_group.ts";
import type { PermissionRequest } from "./permission_request.ts";

/** Type of an event's only record: it follows from the mask of all merged events. */
const SINGLE = 0;

/**
 * A record with the handle of a file, or of a directory with the name of an entry, without a
 * descriptor.
 */
export class InfoRecord {
  readonly type: number;
  /** Ids of the file system and of the handle. */
  readonly fsid: number;
  readonly handle: number;
  /** Null: the record has no name. */
  readonly name: string | null;

  constructor(type: number, fsid: number, handle: number, name: string | null) {
    this.type = type;
    this.fsid = fsid;
    this.handle = handle;
    this.name = name;
  }

  get size(): number {
    const bytes = HEADER + 16 + HANDLE_BYTES + (this.name === null ? 0 : this.name.length + 1);
    return (bytes + 3) & ~3;
  }
}

export class FanEvent {
  mask: number;
  /** The file to open a descriptor of, with a reference, or null. */
  readonly path: Path | null;
  readonly records: readonly InfoRecord[];
  /** The thread or process that caused the event; for a pidfd the process. Null: an overflow. */
  readonly cause: TaskPid | null;
  readonly process: ThreadGroup | null;
  /** The permission request of the event: its task waits for an answer. */
  readonly question: PermissionRequest | null;
  /** Events may be merged only if their keys are equal. */
  readonly key: string;

  constructor(
    mask: number,
    path: Path | null,
    records: readonly InfoRecord[],
    cause: TaskPid | null,
    process: ThreadGroup | null,
    question: PermissionRequest | null,
  ) {
    this.mask = mask;
    this.path = path;
    this.records = records;
    this.cause = cause;
    this.process = process;
    this.question = question;
    this.key = `${cause?.nr},${mask & (FAN_ONDIR | FAN_RENAME)},${path?.mount.id},` +
      `${path?.dentry.name},` + records.map((r) => `${r.type} ${r.handle} ${r.name}`).join();
  }

  /** True if `other` can be merged into this event. */
  isSame(other: FanEvent): boolean {
    if (this.question !== null || other.question !== null || this.key !== other.key) return false;
    if (this.cause !== other.cause) return false;
    return this.path === null ? other.path === null : this.path.dentry === other.path?.dentry;
  }

  /** Bytes of the event as read. */
  size(hasPidfd: boolean): number {
    let n = FanotifyEventMetadata.size + (hasPidfd ? PIDFD_RECORD : 0);
    for (const record of this.records) n += record.size;
    return n;
  }
}

/**
 * The records of an event for a group with these FAN_REPORT_*_FID (fanotify_alloc_event and
 * copy_info_records).
 */
export function recordsOf(
  event: FileEvent,
  mask: number,
  match: number,
  mode: number,
  handles: FileHandles,
): InfoRecord[] {
  const isEntry = (mask & ENTRY_EVENTS) !== 0, onDir = event.isOnDirectory;
  const { inode, dentry, dir } = event, fsid = inode.fs.dev;
  const own = dentry !== null && dentry.inode === inode
    ? handles.numberOf(dentry)
    : handles.numberOfInode(inode);
  const above = dir !== null && dir.inode !== null ? handles.numberOf(dir) : -1;
  const reportsTarget = (mode & FAN_REPORT_TARGET_FID) !== 0;
  const object = isEntry && !reportsTarget ? above : own;
  const isDir = (inode.mode & S_IFMT) === S_IFDIR;
  const directory = isEntry || !isDir ? above : own;
  if ((mode & FAN_REPORT_DIR_FID) === 0 || directory < 0) {
    return [
      new InfoRecord(SINGLE, fsid, object, dotName(onDir, mode)),
    ];
  }
  const tellsChild = isEntry ? reportsTarget : (mode & FAN_REPORT_FID) !== 0 && !onDir;
  const child = tellsChild && object !== directory ? object : -1;
  const named = (mode & FAN_REPORT_NAME) !== 0 && (isEntry || !onDir);
  const records: InfoRecord[] = [];
  if ((mask & FAN_RENAME) !== 0) addPlaces(records, event, match, fsid, handles);
  else if (named) {
    records.push(new InfoRecord(FAN_EVENT_INFO_TYPE_DFID_NAME, fsid, directory, event.name));
  } else if (child >= 0) {
    records.push(new InfoRecord(FAN_EVENT_INFO_TYPE_DFID, fsid, directory, null));
  } else {
    return [
      new InfoRecord(SINGLE, fsid, directory, dotName(onDir, mode)),
    ];
  }
  if (child >= 0) records.push(new InfoRecord(FAN_EVENT_INFO_TYPE_FID, fsid, child, null));
  return records;
}

/** FAN_RENAME: the old and the new place, as far as marks exist for them. */
function addPlaces(
  records: InfoRecord[],
  event: FileEvent,
  match: number,
  fsid: number,
  handles: FileHandles,
): void {
  const { dir, newDir } = event;
  if (dir !== null && (match & (BY_FS | BY_INODE)) !== 0) {
    records.push(
      new InfoRecord(FAN_EVENT_INFO_TYPE_OLD_DFID_NAME, fsid, handles.numberOf(dir), event.name),
    );
  }
  if (newDir !== null && (match & (BY_FS | BY_TARGET)) !== 0) {
    const handle = handles.numberOf(newDir);
    records.push(
      new InfoRecord(FAN_EVENT_INFO_TYPE_NEW_DFID_NAME, fsid, handle, event.newName),
    );
  }
}

/** The type of an event's only record. */
function singleType(mask: number, mode: number): number {
  const onDir = (mask & FAN_ONDIR) !== 0;
  if ((mode & FAN_REPORT_DIR_FID) === 0) return FAN_EVENT_INFO_TYPE_FID;
  if ((mode & FAN_REPORT_NAME) !== 0 && onDir) return FAN_EVENT_INFO_TYPE_DFID_NAME;
  return (mask & ENTRY_EVENTS) !== 0 || onDir ? FAN_EVENT_INFO_TYPE_DFID : FAN_EVENT_INFO_TYPE_FID;
}

/** The name "." of an event on a directory itself, for a group that wants names. */
function dotName(onDir: boolean, mode: number): string | null {
  const wants = (mode & FAN_REPORT_DIR_FID) !== 0 && (mode & FAN_REPORT_NAME) !== 0;
  return wants && onDir ? "." : null;
}

const HEADER = FanotifyEventInfoHeader.size;
const PIDFD_RECORD = HEADER + 4;
const META = FanotifyEventMetadata, AT = META.at, INFO = FanotifyEventInfoHeader.at;
/** Space for the longest event: two names, a file and a pidfd. */
const bytes = new Uint8Array(1024);
const view = new DataView(bytes.buffer);

/**
 * Writes the event as read(2) gives it. `pidfd` null: the group wants none.
 * @returns its size, or -EFAULT if not all of it could be written
 */
export function writeEvent(
  io: IoCursor,
  event: FanEvent,
  mode: number,
  fd: number,
  pid: number,
  pidfd: number | null,
): number {
  const size = event.size(pidfd !== null);
  bytes.fill(0, 0, size);
  view.setUint32(AT.eventLen, size, true);
  view.setUint8(AT.vers, FANOTIFY_METADATA_VERSION);
  view.setUint16(AT.metadataLen, META.size, true);
  view.setUint32(AT.mask, event.mask, true);
  view.setInt32(AT.fd, fd, true);
  view.setInt32(AT.pid, pid, true);
  let at: number = META.size;
  for (const record of event.records) {
    const type = record.type === SINGLE ? singleType(event.mask, mode) : record.type;
    at += fillRecord(record, type, at);
  }
  if (pidfd !== null) {
    putHeader(at, FAN_EVENT_INFO_TYPE_PIDFD, PIDFD_RECORD);
    view.setInt32(at + HEADER, pidfd, true);
  }
  return io.putBytes(bytes, 0, size) < size ? -EFAULT : size;
}

function fillRecord(record: InfoRecord, type: number, at: number): number {
  putHeader(at, type, record.size);
  view.setUint32(at + HEADER, record.fsid, true);
  view.setUint32(at + HEADER + 8, HANDLE_BYTES, true);
  view.setInt32(at + HEADER + 12, FILEID_INO32_GEN, true);
  view.setUint32(at + HEADER + 16, record.handle, true);
  view.setUint32(at + HEADER + 20, HANDLE_MARK, true);
  const { name } = record, start = at + HEADER + 16 + HANDLE_BYTES;
  if (name !== null) {
    for (let i = 0; i < name.length; i++) bytes[start + i] = name.charCodeAt(i);
  }
  return record.size;
}

function putHeader(at: number, type: number, size: number): void {
  view.setUint8(at + INFO.infoType, type);
  view.setUint16(at + INFO.len, size, true);
}
