/**
 * The server's side of one channel of a session (docs/protocol.md): a request of a client, from
 * OPEN to RESULT or ERROR. connection.ts owns the channels of a connection; exec_channel.ts and
 * files/ have what requests do.
 */

import type { ErrorMessage } from "../../protocol/session/messages.ts";

/** What a connection offers to a channel. */
export interface ChannelPort {
  /**
   * The channel has something to send on `stream`: `produce` is called, now or later, as long as
   * there is room in the socket and credit for the stream, until it returns 0.
   */
  wantsToSend(stream: number): void;
  /** Bytes that the client takes on `stream` now. */
  creditOf(stream: number): number;
  /** Grants the client `bytes` more on `stream`: as many of those that it sent are used up. */
  grant(stream: number, bytes: number): void;
  event(message: object): void;
  /**
   * Bytes of events that wait for the socket: a channel that makes many waits while there are more
   * than EVENT_BYTES, and is called by `onEventsSent`.
   */
  readonly eventBytes: number;
  /** Ends the channel; no method of it is called afterwards. Output that is left is not sent. */
  result(message: object): void;
  fail(error: ErrorMessage): void;
  /** Writes what waits for the socket, as much as it takes now. */
  flush(): void;
}

/** LIMIT: bytes of events in the queue of a connection before a channel pauses. */
export const EVENT_BYTES = 128 << 10;

export abstract class Channel {
  protected readonly port: ChannelPort;

  constructor(port: ChannelPort) {
    this.port = port;
  }

  /** It waits for events that may never come: the sandbox counts as idle beside it. */
  get isPassive(): boolean {
    return false;
  }

  /**
   * Bytes of the client, valid during the call. The sum of what was not granted back is at most
   * WINDOW_BYTES.
   */
  onData(_stream: number, _bytes: Uint8Array<ArrayBuffer>): void {}
  /** The client sends no more on `stream`. */
  onEnd(_stream: number): void {}
  /** CONTROL of the client, not checked yet. @throws UserError for a message that is not valid */
  onControl(_message: unknown): void {}

  /**
   * Copies at most `max` bytes of `stream` to host memory at `address`: how many; 0: there are none
   * now; -1: the stream has ended.
   */
  produce(_stream: number, _address: number, _max: number): number {
    return -1;
  }
  /** What `produce` returned is in a frame: -1 was, too. */
  onProduced(): void {}
  /** The queue of events is short again. */
  onEventsSent(): void {}

  /** The connection, or the client's interest, is gone: nothing more is sent. */
  abstract onGone(): void;
}
