/**
 * The waiter: the host process that stands for a guest process. It forwards signals and terminal
 * sizes, waits for the exit packet, restores the terminal and exits with the guest's code. It is a
 * page of code and a page of data, without libc and JavaScript, so that waiting costs almost no
 * memory. This file fills in the data; waiter_code.ts is the program.
 *
 * A foreground `dvisor` becomes the waiter once its sandbox runs (waiter.ts). For a detached
 * container it is a process beside the sandbox, the proxy (launch/proxy_process.ts).
 * protocol/launcher_channel.ts has the packets.
 */

import { assembled } from "../../ffi/sys/prebuilt.ts";
import { ENDED_BYTES, SOCKET_PATH_BYTES, WaiterData } from "./waiter_data.ts";

const { at } = WaiterData;
const PROGRAM = await assembled("waiter", new URL("./waiter_code.ts", import.meta.url));

/** The program with a data page that `fill` writes: a static ELF file. */
export function waiterImage(fill: (data: DataView, bytes: Uint8Array) => void): Uint8Array {
  const elf = PROGRAM.elf.slice();
  const bytes = elf.subarray(PROGRAM.offsets["data"]);
  fill(new DataView(bytes.buffer, bytes.byteOffset), bytes);
  return elf;
}

/** Sets the name of the process, at most 15 bytes. */
export function putName(bytes: Uint8Array, name: string): void {
  bytes.set(new TextEncoder().encode(name).subarray(0, 15), at.name);
}

/** Sets the socket that is removed at the end, whose path must fit. */
export function putSocketPath(bytes: Uint8Array, path: string): void {
  const encoded = new TextEncoder().encode(path);
  if (encoded.length >= SOCKET_PATH_BYTES) throw new Error(`the path ${path} is too long`);
  bytes.set(encoded, at.socketPath);
}

/** Sets the exit code and the message for an end without an exit packet. */
export function putLost(
  data: DataView,
  bytes: Uint8Array,
  { exitCode, message }: { readonly exitCode: number; readonly message: string },
): void {
  const encoded = new TextEncoder().encode(message);
  if (encoded.length > ENDED_BYTES) throw new Error(`the message ${message} is too long`);
  data.setInt32(at.lostCode, exitCode, true);
  bytes.set(encoded, at.ended);
  data.setUint32(at.endedBytes, encoded.length, true);
}

/** Sets the signals that are forwarded. */
export function putSignals(bytes: Uint8Array, signals: readonly number[]): void {
  for (const signo of signals) {
    const i = at.mask + (signo - 1 >> 3);
    bytes[i] = (bytes[i] ?? 0) | 1 << (signo - 1 & 7);
  }
}
