/** An open POSIX message queue, by mq_open(3) or by open(2) in the mqueue file system. */

import type { Account } from "../../core/account.ts";
import { stringToBytes } from "../../core/bytes.ts";
import type { WaitQueue } from "../../core/wait.ts";
import type { IoCursor } from "../../mm/io_cursor.ts";
import { touchFileAtime } from "../../vfs/atime.ts";
import { OpenFile } from "../../vfs/open_file.ts";
import type { MessageQueue } from "./message_queue.ts";

export class MqueueFile extends OpenFile {
  readonly inode: MessageQueue;

  constructor(account: Account, inode: MessageQueue, flags: number) {
    super(account, flags);
    this.inode = inode;
  }

  override get isSeekable(): boolean {
    return true;
  }
  override get waitQueue(): WaitQueue {
    return this.inode.waitQueue;
  }

  override read(io: IoCursor, offset: number): number {
    const text = stringToBytes(this.inode.text());
    const n = Math.min(io.remaining, Math.max(0, text.length - offset));
    if (n === 0) return 0;
    const r = io.putBytes(text, offset, n);
    if (r > 0) touchFileAtime(this);
    return r;
  }
  override truncate(size: number): number {
    return this.inode.truncate(size);
  }
  override poll(): number {
    return this.inode.poll();
  }

  override onFdClose(ownerFiles: object): number {
    if (this.inode.notifier?.hasTable(ownerFiles) === true) this.inode.dropNotifier();
    return 0;
  }
}
