/**
 * The limits of System V IPC and POSIX message queues: settings of /proc/sys/kernel and
 * /proc/sys/fs/mqueue (proc(5)). They are read each time, because root may change them.
 */

/** The store of settings: the text by path below /proc/sys. */
export interface IpcSettings {
  get(path: string): string;
}

export class IpcLimits {
  private readonly settings: IpcSettings;

  constructor(settings: IpcSettings) {
    this.settings = settings;
  }

  get shmmax(): number {
    return this.number("kernel/shmmax");
  }
  /** In pages. */
  get shmall(): number {
    return this.number("kernel/shmall");
  }
  get shmmni(): number {
    return this.number("kernel/shmmni");
  }
  /** Semaphores of a set, and of all sets; operations of a call; sets. */
  get semmsl(): number {
    return this.number("kernel/sem", 0);
  }
  get semmns(): number {
    return this.number("kernel/sem", 1);
  }
  get semopm(): number {
    return this.number("kernel/sem", 2);
  }
  get semmni(): number {
    return this.number("kernel/sem", 3);
  }
  /** Bytes of a message, default bytes of a queue; queues. */
  get msgmax(): number {
    return this.number("kernel/msgmax");
  }
  get msgmnb(): number {
    return this.number("kernel/msgmnb");
  }
  get msgmni(): number {
    return this.number("kernel/msgmni");
  }
  /** POSIX queues; messages and bytes of a message: maximum, and default of mq_open(3). */
  get queuesMax(): number {
    return this.number("fs/mqueue/queues_max");
  }
  get mqMsgMax(): number {
    return this.number("fs/mqueue/msg_max");
  }
  get mqMsgSizeMax(): number {
    return this.number("fs/mqueue/msgsize_max");
  }
  get mqMsgDefault(): number {
    return this.number("fs/mqueue/msg_default");
  }
  get mqMsgSizeDefault(): number {
    return this.number("fs/mqueue/msgsize_default");
  }

  private number(path: string, word: number = 0): number {
    return Number(this.settings.get(path).split("\t")[word] ?? 0);
  }
}
