/**
 * The standard streams of a guest process: those of this process, or a terminal that a client gets
 * over a socket.
 */

import {
  AT_FDCWD,
  F_GETFD,
  FD_CLOEXEC,
  O_CLOEXEC,
  O_NOCTTY,
  O_NONBLOCK,
  O_RDWR,
} from "../../ffi/abi/fcntl.ts";
import { close, dup, fcntl, openat } from "../../ffi/sys/files.ts";
import { HostPty } from "../launch/host_pty.ts";
import { isTerminal, type TerminalSize, terminalSize } from "../host/terminal.ts";
import type { GuestFds } from "../protocol/boot_spec.ts";
import { releaseStdio, stdioFor } from "../launch/stdio.ts";
import { usageError } from "../user_error.ts";

export interface Streams {
  /** The guest gets a terminal. */
  readonly isTerminal: boolean;
  /** The terminal whose size the proxy watches, or -1; open until `handOver`. */
  readonly proxyTerminal: number;
  /** Size of the caller's terminal, if the guest uses it. */
  readonly size: TerminalSize | null;
  /** stdin, stdout, stderr for the sandbox; the caller closes them. */
  takeStdio(): GuestFds;
  /**
   * Called when the container is made: sends the terminal to the client.
   * @throws UserError
   */
  handOver(): void;
}

/** This process's own streams, without a terminal for the guest. */
class OwnStreams implements Streams {
  readonly #further: number;

  /** @param further how many of this process's files from 3 on the guest gets */
  constructor(further: number) {
    this.#further = further;
  }

  readonly isTerminal = false;
  readonly proxyTerminal = -1;
  readonly size = null;

  takeStdio(): GuestFds {
    return [stdioFor(0), stdioFor(1), stdioFor(2), ...furtherFiles(this.#further)];
  }

  /**
   * Closes this process's copies, so that a reader sees end of file when the guest closes its own.
   */
  handOver(): void {
    releaseStdio();
  }
}

/** The terminal of this process. */
class OwnTerminal implements Streams {
  readonly #further: number;

  constructor(further: number) {
    this.#further = further;
  }

  readonly isTerminal = true;
  readonly proxyTerminal: number = dup(0);
  readonly size: TerminalSize | null = terminalSize(0);

  takeStdio(): GuestFds {
    return [stdioFor(0), stdioFor(1), stdioFor(2), ...furtherFiles(this.#further)];
  }

  handOver(): void {
    close(this.proxyTerminal);
  }
}

class SocketTerminal implements Streams {
  readonly isTerminal = true;
  readonly proxyTerminal: number;
  readonly size: TerminalSize | null;
  readonly #pty: HostPty;
  readonly #path: string;

  readonly #further: number;

  constructor(path: string, size: TerminalSize | null, further: number) {
    this.#further = further;
    this.#path = path;
    this.#pty = new HostPty(size);
    this.size = size;
    this.proxyTerminal = this.#pty.openSlave();
  }

  takeStdio(): GuestFds {
    const own = () => this.#pty.openSlave();
    return [own(), own(), own(), ...furtherFiles(this.#further)];
  }

  handOver(): void {
    this.#pty.sendMaster(this.#path);
    close(this.proxyTerminal);
  }
}

interface StreamChoice {
  /** `process.terminal`. */
  readonly wantsTerminal: boolean;
  /** `--console-socket`, or null. */
  readonly consoleSocket: string | null;
  readonly consoleSize: TerminalSize | null;
  /** This process waits for the guest, and may share its terminal. */
  readonly isForeground: boolean;
  /** `--preserve-fds`: how many files from 3 on the guest gets too. */
  readonly preserved: number;
}

/** @throws UserError for combinations that are not valid, as with runc */
export function chooseStreams(choice: StreamChoice): Streams {
  const { wantsTerminal, consoleSocket, isForeground, preserved } = choice;
  if (!wantsTerminal) {
    if (consoleSocket !== null) {
      throw usageError("--console-socket is given, but process.terminal is false");
    }
    return ownStreams(false, preserved);
  }
  if (consoleSocket !== null) {
    return new SocketTerminal(consoleSocket, choice.consoleSize, preserved);
  }
  if (!isForeground) {
    throw usageError("process.terminal is true: a detached container needs --console-socket");
  }
  return ownStreams(true, preserved);
}

/**
 * The streams of this process.
 *
 * @param preserved how many files from 3 on the guest gets too
 * @throws UserError if a terminal is wanted and there is none
 */
export function ownStreams(wantsTerminal: boolean, preserved: number): Streams {
  if (!wantsTerminal) return new OwnStreams(preserved);
  if (isTerminal(0) && isTerminal(1)) return new OwnTerminal(preserved);
  throw usageError(
    "a terminal is asked for, but stdin or stdout is no terminal (--tty off runs without one)",
  );
}

/** @throws UserError if the caller has not passed one of them */
function furtherFiles(count: number): number[] {
  return Array.from({ length: count }, (_, i) => {
    const fd = isInherited(3 + i) ? stdioFor(3 + i) : -1;
    if (fd < 0) throw usageError(`--preserve-fds ${count}: descriptor ${3 + i} is not open`);
    return fd;
  });
}

/** Whether a descriptor came by exec: this process opens its own with close-on-exec. */
function isInherited(fd: number): boolean {
  const flags = fcntl(fd, F_GETFD);
  return flags >= 0 && (flags & FD_CLOEXEC) === 0;
}

/** /dev/null for a stream that is closed. */
export function openNull(): number {
  return openat(AT_FDCWD, "/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}
