/** The request `exec`: the client's side of a program (program.ts). Rules: docs/protocol.md. */

import { JsonNode } from "../../json_node.ts";
import { ERRORS, INPUT, OUTPUT } from "../../protocol/session/frame.ts";
import type { ExecResultMessage } from "../../protocol/session/messages.ts";
import { Channel, type ChannelPort } from "./channel.ts";
import { type ExecPlan, readExecPlan, readTerminalSize } from "./exec_plan.ts";
import { Program, type ProgramListener } from "./program.ts";
import type { Session } from "./session.ts";
import { readSignal } from "./simple_requests.ts";

export class ExecChannel extends Channel implements ProgramListener {
  readonly #plan: ExecPlan;
  readonly #program: Program;
  /** Bytes of output that were sent. */
  #sentBytes = 0;
  /** The output is at its end, or too long. */
  readonly #isAtEnd: boolean[] = [];
  #isCut = false;
  #result: ExecResultMessage | null = null;

  /** @throws UserError */
  constructor(session: Session, port: ChannelPort, request: JsonNode) {
    super(port);
    this.#plan = readExecPlan(request);
    this.#program = Program.start(session, this.#plan, session.userOf(this.#plan.user), this);
    port.event({ pid: this.#program.pid, job: this.#program.id });
  }

  // From the client.

  override onData(_stream: number, bytes: Uint8Array<ArrayBuffer>): void {
    this.#program.streams.write(bytes);
  }
  override onEnd(_stream: number): void {
    this.#program.streams.endInput();
  }

  override onControl(message: unknown): void {
    const node = new JsonNode("control", "", message), program = this.#program;
    const signal = node.member("signal"), resize = node.member("resize");
    const stream = node.member("closeStream");
    if (!signal.isAbsent) program.signal(readSignal(signal));
    else if (!resize.isAbsent) {
      const { rows, columns } = readTerminalSize(resize);
      program.streams.resize(rows, columns);
    } else if (!stream.isAbsent) this.#closeStream(stream.integer(OUTPUT, ERRORS));
    else if (node.member("close").boolean()) program.killFor("killed");
  }

  #closeStream(stream: number): void {
    this.#program.streams.closeOutput(stream);
    this.onOutput(stream);
  }

  override onGone(): void {
    this.#program.abandon();
  }

  // From the program.

  onOutput(stream: number): void {
    if (!this.#isAtEnd[stream]) this.port.wantsToSend(stream);
  }
  onTaken(bytes: number): void {
    this.port.grant(INPUT, bytes);
  }

  onProgramEnd(result: ExecResultMessage): void {
    this.#result = result;
    this.#finish();
    const { streams } = this.#program;
    // RESULT has to wait until the client reads the output. The end of a stream needs credit too.
    const isHeldUp = [OUTPUT, ERRORS].some((stream) => {
      return !this.#isAtEnd[stream] && streams.waitingBytes(stream) >= this.port.creditOf(stream);
    });
    if (isHeldUp) this.port.event({ ended: result });
  }

  override produce(stream: number, address: number, max: number): number {
    const left = this.#plan.maxOutputBytes - this.#sentBytes;
    if (this.#isCut || this.#isAtEnd[stream]) return this.#end(stream);
    const n = this.#program.streams.read(stream, address, max);
    if (n < 0) return this.#end(stream);
    if (n > left) {
      this.#isCut = true;
      this.#program.killFor("output");
      for (const other of [OUTPUT, ERRORS]) this.onOutput(other);
    }
    const sent = Math.min(n, left);
    this.#sentBytes += sent;
    return sent;
  }

  #end(stream: number): number {
    this.#isAtEnd[stream] = true;
    return -1;
  }

  override onProduced(): void {
    this.#finish();
  }

  /** Sends the result when the program has ended and its output was sent. */
  #finish(): void {
    const result = this.#result;
    if (result === null || !this.#isAtEnd[OUTPUT] || !this.#isAtEnd[ERRORS]) return;
    this.#result = null;
    this.#program.release();
    this.port.result(result);
  }
}
