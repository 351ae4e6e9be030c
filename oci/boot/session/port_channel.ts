/** The request `connectPort`: a stream between the client and a port on the guest's loopback. */

import { ECONNREFUSED } from "../../../ffi/abi/errno.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import type { JsonNode } from "../../json_node.ts";
import { INPUT, OUTPUT } from "../../protocol/session/frame.ts";
import { codeOfErrno } from "../../protocol/request_error.ts";
import { LoopbackConnection, type LoopbackListener } from "../ports/loopback_connection.ts";
import { Channel, type ChannelPort } from "./channel.ts";
import type { Session } from "./session.ts";

export const PORT_MAX = 65535;

export class PortChannel extends Channel implements LoopbackListener {
  readonly #number: number;
  readonly #connection: LoopbackConnection;
  #isInputEnded = false;
  #isOutputEnded = false;

  /** @throws UserError */
  constructor(session: Session, port: ChannelPort, request: JsonNode) {
    super(port);
    this.#number = request.member("port").integer(1, PORT_MAX);
    const { container, sockets } = session;
    this.#connection = new LoopbackConnection(container, this.#number, this, sockets);
    this.#connection.open();
  }

  override onData(_stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#connection.write(bytes);
  }
  override onEnd(_stream: number): void {
    this.#connection.endInput();
  }
  override onControl(): void {
    this.#connection.close();
    this.port.result({});
  }
  override onGone(): void {
    this.#connection.close();
  }

  onReadable(): void {
    if (!this.#isOutputEnded) this.port.wantsToSend(OUTPUT);
  }
  onTaken(bytes: number): void {
    this.port.grant(INPUT, bytes);
  }
  onInputEnd(): void {
    this.#isInputEnded = true;
    this.#finish();
  }
  onRefused(error: number): void {
    const errno = errnoName(error);
    this.port.fail(
      error === -ECONNREFUSED
        ? { code: "NotFound", message: `no program listens on port ${this.#number}`, errno }
        : {
          code: codeOfErrno(error),
          message: `cannot connect to port ${this.#number}: ${errno}`,
          errno,
        },
    );
  }

  override produce(_stream: number, address: number, max: number): number {
    const n = this.#connection.read(address, max);
    if (n < 0) this.#isOutputEnded = true;
    return n;
  }
  override onProduced(): void {
    this.#finish();
  }

  /** Both directions have ended. */
  #finish(): void {
    if (!this.#isInputEnded || !this.#isOutputEnded) return;
    this.#connection.close();
    this.port.result({});
  }
}
