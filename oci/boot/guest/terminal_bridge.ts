/**
 * Connects the guest's terminal (kernel/console.ts) with the host terminal that the sandbox was
 * started from: input of the host terminal goes into the master, output of the guest goes to the
 * host terminal. The host terminal is in raw mode; the line discipline is the guest terminal's.
 *
 * Neighbour: host/terminal.ts, which the launcher uses.
 */

import { EAGAIN, EINTR } from "../../../ffi/abi/errno.ts";
import { POLLERR, POLLHUP, POLLIN, POLLOUT } from "../../../ffi/abi/poll.ts";
import { addressOf, allocBuffer } from "../../../ffi/sys/cstring.ts";
import { poll } from "../../../ffi/sys/files.ts";
import type { Host } from "../../../kernel/core/host.ts";
import { Waiter, type WaitQueue } from "../../../kernel/core/wait.ts";

/** Ctrl-D. */
const EOT = 4;
/** LIMIT: bytes that are buffered in each direction. */
const BUFFER_BYTES = 4096;
/**
 * LIMIT: bytes of one write. A terminal that poll(2) reports ready takes as many without blocking.
 */
const PIECE_BYTES = 512;
/** How long writing the rest of the output may take after the guest's end, in ms. */
const DRAIN_MS = 2000;

/** The master of the guest's terminal; kernel/console.ts implements it. */
export interface GuestConsole {
  readonly master: {
    /** Feeds `count` bytes of `src` to the terminal's input; returns how many it took. */
    type(src: Uint8Array, count: number): number;
    /**
     * Copies output into `dst`: returns bytes, 0 for none yet, or a negative number when no process
     * has the terminal open for writing.
     */
    fetch(dst: Uint8Array): number;
    resize(rows: number, columns: number): void;
    readonly waitQueue: WaitQueue;
  };
  /** Called when the host's terminal is gone. */
  hangUp(): void;
}

export class TerminalBridge {
  readonly #host: Host;
  readonly #console: GuestConsole;
  readonly #input: Input;
  readonly #output: Output;
  readonly #fromGuest: FromGuest;

  /** @param inFd, outFd the host's terminal, for reading and for writing: two descriptors */
  constructor(host: Host, console: GuestConsole, inFd: number, outFd: number) {
    this.#host = host;
    this.#console = console;
    this.#input = new Input(host, console, inFd);
    this.#output = new Output(host, console, outFd);
    this.#fromGuest = new FromGuest(this.#input, this.#output);
    console.master.waitQueue.add(this.#fromGuest, 0);
  }

  /** Called at the guest's end: writes its last output. */
  drain(): void {
    this.#output.drain();
  }

  /** Called when the host's terminal has another size. */
  resize(rows: number, columns: number): void {
    this.#console.master.resize(rows, columns);
  }

  /** Called when the host's terminal is no longer for the guest, before the guest's end. */
  hangUp(): void {
    this.close();
    this.#input.hangUp();
  }

  /** Closes the descriptors of the host's terminal. */
  close(): void {
    this.#fromGuest.unlink();
    for (const fd of [this.#input.fd, this.#output.fd]) {
      this.#host.unwatch(fd);
      this.#host.close(fd);
    }
  }
}

/** Keys: from the host to the guest. */
class Input extends Waiter {
  readonly fd: number;
  readonly #host: Host;
  readonly #console: GuestConsole;
  readonly #buffer: Uint8Array<ArrayBuffer> = allocBuffer(BUFFER_BYTES);
  readonly #address: number = addressOf(this.#buffer);
  /** Bytes at the start of `buffer` that the guest's terminal had no room for. */
  #left: number = 0;
  #isTyping: boolean = false;
  #isHungUp: boolean = false;

  constructor(host: Host, console: GuestConsole, fd: number) {
    super();
    this.#host = host;
    this.#console = console;
    this.fd = fd;
    host.watch(fd, POLLIN, this);
  }

  override onWake(_events: number): void {
    while (this.#left === 0) {
      const ready = this.#host.pollNow(this.fd, POLLIN);
      if (ready <= 0) break;
      let n = (ready & POLLIN) === 0 ? 0 : this.#host.read(this.fd, this.#address, BUFFER_BYTES);
      if (n === -EAGAIN || n === -EINTR) break;
      if (n === 0 && (ready & (POLLHUP | POLLERR)) === 0) {
        // Ctrl-D ended the input before the terminal was raw: the guest gets it as a character.
        this.#buffer[0] = EOT;
        n = 1;
      }
      if (n <= 0) return this.hangUp();
      this.#left = n;
      this.#push();
    }
    if (this.#left === 0) this.#host.arm(this.fd, POLLIN);
  }

  /** There are no more keys. */
  hangUp(): void {
    if (this.#isHungUp) return;
    this.#isHungUp = true;
    this.#console.hangUp();
  }

  /** Called when the guest's terminal may have room again. */
  resume(): void {
    // A write to the master makes echoes, whose wake-up arrives during the write.
    if (this.#left === 0 || this.#isTyping) return;
    this.#push();
    if (this.#left === 0) this.#host.arm(this.fd, POLLIN);
  }

  #push(): void {
    this.#isTyping = true;
    const taken = this.#console.master.type(this.#buffer, this.#left);
    this.#isTyping = false;
    this.#buffer.copyWithin(0, taken, this.#left);
    this.#left -= taken;
  }
}

/** Output: from the guest to the host. */
class Output extends Waiter {
  readonly fd: number;
  readonly #host: Host;
  readonly #console: GuestConsole;
  readonly #buffer: Uint8Array<ArrayBuffer> = allocBuffer(BUFFER_BYTES);
  readonly #address: number = addressOf(this.#buffer);
  /** Bytes of `buffer` from `at` to `end` are not written yet. */
  #at: number = 0;
  #end: number = 0;
  #isWatched: boolean = false;
  #isWaiting: boolean = false;
  #isBroken: boolean = false;
  #isPumping: boolean = false;

  constructor(host: Host, console: GuestConsole, fd: number) {
    super();
    this.#host = host;
    this.#console = console;
    this.fd = fd;
  }

  override onWake(_events: number): void {
    this.#isWaiting = false;
    this.pump();
  }

  /** Writes as much as there is and the host's terminal takes. */
  pump(): void {
    // A read from the master makes room for output, whose wake-up arrives during the read.
    if (this.#isPumping) return;
    this.#isPumping = true;
    while (!this.#isWaiting && this.#fill()) {
      if (!this.#flush()) this.#expect();
    }
    this.#isPumping = false;
  }

  drain(): void {
    const deadline = performance.now() + DRAIN_MS;
    while (this.#fill() && !this.#flush()) {
      const left = deadline - performance.now();
      if (left <= 0 || poll(this.fd, POLLOUT, left) <= 0) return;
    }
  }

  /** Whether there is something to write. */
  #fill(): boolean {
    if (this.#isBroken) return false;
    if (this.#at < this.#end) return true;
    this.#at = 0;
    this.#end = Math.max(0, this.#console.master.fetch(this.#buffer));
    return this.#end > 0;
  }

  /** False if the host's terminal takes no more now. */
  #flush(): boolean {
    while (this.#at < this.#end) {
      const ready = this.#host.pollNow(this.fd, POLLOUT);
      if (ready <= 0) return false;
      const n = this.#host.write(
        this.fd,
        this.#address + this.#at,
        Math.min(PIECE_BYTES, this.#end - this.#at),
      );
      if (n === -EAGAIN) return false;
      if (n < 0 && n !== -EINTR || (ready & (POLLERR | POLLHUP)) !== 0) {
        this.#isBroken = true;
        return true;
      }
      if (n > 0) this.#at += n;
    }
    return true;
  }

  #expect(): void {
    this.#isWaiting = true;
    if (this.#isWatched) this.#host.arm(this.fd, POLLOUT);
    else this.#isWatched = this.#host.watch(this.fd, POLLOUT, this) === 0;
  }
}

/** Wake-ups of the master: output, or room for input. */
class FromGuest extends Waiter {
  readonly #input: Input;
  readonly #output: Output;

  constructor(input: Input, output: Output) {
    super();
    this.#input = input;
    this.#output = output;
  }

  override onWake(_events: number): void {
    this.#output.pump();
    this.#input.resume();
  }
}
