/**
 * Where a guest process's standard streams go: those of this process, or a terminal that a client gets over a socket.
 */

import { AT_FDCWD, O_CLOEXEC, O_NOCTTY, O_NONBLOCK, O_RDWR } from "../../ffi/abi/fcntl.ts";
import { close, dup, openat } from "../../ffi/sys/files.ts";
import { HostPty } from "../console/host_pty.ts";
import { isTerminal, type TerminalSize, terminalSize } from "../console/terminal.ts";
import { releaseStdio, stdioFor } from "../launch/stdio.ts";
import { usageError } from "../user_error.ts";

export type Stdio = readonly [number, number, number];

export interface Streams {
  /** The guest gets a terminal. */
  readonly isTerminal: boolean;
  /** The terminal that the proxy watches for its size, or -1; stays open until `handOver`. */
  readonly proxyTerminal: number;
  /** Of the host's terminal, if that is the caller's. */
  readonly size: TerminalSize | null;
  /** stdin, stdout, stderr for the sandbox; the caller closes them. */
  takeStdio(): Stdio;
  /** Everything is made: the client gets its terminal. @throws UserError */
  handOver(): void;
}

/** This process's own, which are no terminal for the guest. */
class OwnStreams implements Streams {
  readonly isTerminal = false;
  readonly proxyTerminal = -1;
  readonly size = null;

  takeStdio(): Stdio {
    return [stdioFor(0), stdioFor(1), stdioFor(2)];
  }

  /** Whoever reads them must see when the guest closes them. */
  handOver(): void {
    releaseStdio();
  }
}

/** The terminal that this process has. */
class OwnTerminal implements Streams {
  readonly isTerminal = true;
  readonly proxyTerminal: number = dup(0);
  readonly size: TerminalSize | null = terminalSize(0);

  takeStdio(): Stdio {
    return [stdioFor(0), stdioFor(1), stdioFor(2)];
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

  constructor(path: string, size: TerminalSize | null) {
    this.#path = path;
    this.#pty = new HostPty(size);
    this.size = size;
    this.proxyTerminal = this.#pty.openSlave();
  }

  takeStdio(): Stdio {
    return [this.#pty.openSlave(), this.#pty.openSlave(), this.#pty.openSlave()];
  }

  handOver(): void {
    this.#pty.sendMaster(this.#path);
    close(this.proxyTerminal);
  }
}

export interface StreamChoice {
  /** `process.terminal`. */
  readonly wantsTerminal: boolean;
  /** `--console-socket`, or null. */
  readonly consoleSocket: string | null;
  readonly consoleSize: TerminalSize | null;
  /** This process stays and may share its terminal. */
  readonly isForeground: boolean;
}

/** @throws UserError for combinations that make no sense, as runc has them */
export function chooseStreams(choice: StreamChoice): Streams {
  const { wantsTerminal, consoleSocket, isForeground } = choice;
  if (!wantsTerminal) {
    if (consoleSocket !== null) {
      throw usageError("--console-socket is given, but process.terminal is false");
    }
    return new OwnStreams();
  }
  if (consoleSocket !== null) return new SocketTerminal(consoleSocket, choice.consoleSize);
  if (!isForeground) {
    throw usageError("process.terminal is true: a detached container needs --console-socket");
  }
  if (!isTerminal(0) || !isTerminal(1)) {
    throw usageError(
      "a terminal is asked for, but stdin and stdout are none (--tty off runs without)",
    );
  }
  return new OwnTerminal();
}

/** /dev/null for a process that is to have no stream. */
export function openNull(): number {
  return openat(AT_FDCWD, "/dev/null", O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
}
