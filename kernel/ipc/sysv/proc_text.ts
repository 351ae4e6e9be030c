/** /proc/sysvipc: all objects of an IPC namespace as text (proc_sysvipc(5)). */

import { PAGE_SIZE } from "../../../ffi/abi/mman.ts";
import type { IpcNamespace } from "../ipc_namespace.ts";
import type { IpcObject } from "./ipc_object.ts";

function right(value: number, width: number): string {
  return String(value).padStart(width);
}

/** Key, identifier, mode. */
function head(o: IpcObject): string {
  return `${right(o.key, 10)} ${right(o.id, 10)}  ${o.mode.toString(8).padStart(4)} `;
}
function owners(o: IpcObject): string {
  return [o.uid, o.gid, o.cuid, o.cgid].map((id) => right(id, 5)).join(" ");
}
function times(...seconds: number[]): string {
  return seconds.map((sec) => right(sec, 10)).join(" ");
}

/** The text of /proc/sysvipc/shm. */
export function shmText(ipc: IpcNamespace): string {
  let text =
    "       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid" +
    "  cgid      atime      dtime      ctime                   rss                  swap\n";
  for (const s of ipc.shm.table.all()) {
    text += `${head(s)}${right(s.bytes, 21)} ${right(s.creatorPid, 5)} ${right(s.lastPid, 5)}  ` +
      `${right(s.attachments, 5)} ${owners(s)} ${times(s.atimeSec, s.dtimeSec, s.ctimeSec)} ` +
      `${right(s.memory.residentPages() * PAGE_SIZE, 21)} ${right(0, 21)}\n`;
  }
  return text;
}

/** The text of /proc/sysvipc/sem. */
export function semText(ipc: IpcNamespace): string {
  let text =
    "       key      semid perms      nsems   uid   gid  cuid  cgid      otime      ctime\n";
  for (const s of ipc.sem.table.all()) {
    text += `${head(s)}${right(s.count, 10)} ${owners(s)} ${times(s.otimeSec, s.ctimeSec)}\n`;
  }
  return text;
}

/** The text of /proc/sysvipc/msg. */
export function msgText(ipc: IpcNamespace): string {
  let text =
    "       key      msqid perms      cbytes       qnum lspid lrpid   uid   gid  cuid  cgid" +
    "      stime      rtime      ctime\n";
  for (const q of ipc.msg.table.all()) {
    text += `${head(q)} ${right(q.bytes, 10)} ${right(q.count, 10)} ${right(q.lastSender, 5)} ` +
      `${right(q.lastReceiver, 5)} ${owners(q)} ${times(q.stimeSec, q.rtimeSec, q.ctimeSec)}\n`;
  }
  return text;
}
