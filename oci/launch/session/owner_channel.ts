/**
 * The owner's connection of `dvisor sandbox` while the sandbox is made: its first frame, and the
 * reason if there is no sandbox. Afterwards the boot process has it.
 */

import { F_GETFL, F_SETFL, F_SETPIPE_SZ, O_NONBLOCK } from "../../../ffi/abi/fcntl.ts";
import { POLLOUT } from "../../../ffi/abi/poll.ts";
import { S_IFIFO, S_IFMT, S_IFSOCK, Stat } from "../../../ffi/abi/stat.ts";
import { addressOf, allocBuffer, scratch } from "../../../ffi/sys/cstring.ts";
import { SYS_geteuid } from "../../../ffi/abi/syscall_numbers.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { fcntl, fstat, poll, read, write } from "../../../ffi/sys/files.ts";
import {
  ERROR,
  FrameDecoder,
  frameOf,
  type FrameSink,
  HEADER_BYTES,
  HELLO,
  messageBytes,
  ProtocolError,
  SESSION,
} from "../../protocol/session/frame.ts";
import type { ErrorMessage } from "../../protocol/session/messages.ts";
import { EXIT_USAGE, UserError } from "../../user_error.ts";
import { waitReadable } from "../command_signals.ts";

const INPUT_FD = 0, OUTPUT_FD = 1;
/** An ordinary user has 64 MiB of pipes (/proc/sys/fs/pipe-user-pages-soft). */
const PIPE_BYTES = 1 << 20, USER_PIPE_BYTES = 256 << 10;
/** LIMIT: how long the owner may take for its first frame, ms. */
const HELLO_MS = 60_000;

/** @throws UserError unless standard input and output are pipes or sockets */
export function requireChannel(): void {
  for (const [fd, name] of [[INPUT_FD, "input"], [OUTPUT_FD, "output"]] as const) {
    const isKnown = fstat(fd, scratch.area(0)) === 0;
    const mode = scratch.dv.getUint32(scratch.areaOffset(0) + Stat.at.mode, true) & S_IFMT;
    if (isKnown && (mode === S_IFIFO || mode === S_IFSOCK)) continue;
    throw new UserError(
      `standard ${name} is no pipe or socket: this verb is for libraries (docs/protocol.md)`,
      EXIT_USAGE,
    );
  }
}

class HelloSink implements FrameSink {
  hello: unknown = null;

  onMessage(channel: number, type: number, message: unknown): void {
    if (type !== HELLO || channel !== SESSION) {
      throw new ProtocolError("the first frame is no HELLO");
    }
    this.hello = message;
  }
  onData(): void {
    throw new ProtocolError("the first frame is no HELLO");
  }
  onEnd(): void {}
  onCredit(): void {
    throw new ProtocolError("the first frame is no HELLO");
  }
}

/**
 * Reads the first frame and not a byte more: the boot process reads the next ones.
 * @throws UserError
 */
export function readHello(): unknown {
  const sink = new HelloSink(), decoder = new FrameDecoder(sink);
  try {
    const header = readExactly(HEADER_BYTES);
    decoder.push(header);
    const length = new DataView(header.buffer, header.byteOffset).getUint32(0, true);
    decoder.push(readExactly(length));
    return sink.hello;
  } catch (error) {
    if (error instanceof ProtocolError) throw new UserError(`standard input: ${error.message}`);
    throw error;
  }
}

function readExactly(length: number): Uint8Array<ArrayBuffer> {
  const bytes = allocBuffer(length);
  for (let done = 0; done < length;) {
    if (!waitReadable(INPUT_FD, HELLO_MS)) {
      throw new UserError("standard input: the description of the sandbox does not come");
    }
    const n = read(INPUT_FD, addressOf(bytes) + done, length - done);
    if (n <= 0) throw new UserError("standard input ended before the description of the sandbox");
    done += n;
  }
  return bytes;
}

/**
 * The kernel of a sandbox must never block in a read or write of the connection. Larger pipes make
 * large transfers faster; without the right to them they stay as they are (pipe(7)).
 */
export function prepareForKernel(): void {
  const bytes = syscall(SYS_geteuid) === 0 ? PIPE_BYTES : USER_PIPE_BYTES;
  for (const fd of [INPUT_FD, OUTPUT_FD]) {
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    fcntl(fd, F_SETPIPE_SZ, bytes);
  }
}

/** Sends ERROR, unless the owner is gone or does not read. */
export function refuse(error: ErrorMessage): void {
  const frame = frameOf(SESSION, 0, ERROR, 0, messageBytes(error)),
    bytes = allocBuffer(frame.length);
  bytes.set(frame);
  if (poll(OUTPUT_FD, POLLOUT, 0) > 0) write(OUTPUT_FD, addressOf(bytes), bytes.length);
}
