/** Stand-in for kernel/fs/hostfd: reads and writes one host descriptor, blocking. */

import { AnonInode, pipeFs } from "../../kernel/fs/anonfd/anon_inode.ts";
import type { IoCursor } from "../../kernel/mm/io_cursor.ts";
import type { MemoryContext } from "../../kernel/mm/memory_context.ts";
import { OpenFile } from "../../kernel/vfs/open_file.ts";

export class EarlyStdio extends OpenFile {
  override readonly inode: AnonInode = pipeFs.make(0o10600);
  constructor(readonly fd: number, readonly memory: MemoryContext, flags: number) {
    super(flags);
  }
  override read(io: IoCursor): number {
    const at = this.memory.bounce;
    const n = this.memory.host.read(this.fd, at, Math.min(io.remaining, 4096));
    return n <= 0 ? n : io.putHost(at, n);
  }
  override write(io: IoCursor): number {
    const at = this.memory.bounce;
    let done = 0;
    while (io.remaining > 0) {
      const n = io.takeHost(at, Math.min(io.remaining, 4096));
      if (n < 0) return done > 0 ? done : n;
      const w = this.memory.host.write(this.fd, at, n);
      if (w < 0) return done > 0 ? done : w;
      done += w;
    }
    return done;
  }
}
