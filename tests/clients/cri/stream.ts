/**
 * A stream of the kubelet's: exec, attach and port-forward as channels of one WebSocket
 * (v4.channel.k8s.io). Not a test.
 */

import { until } from "../engines/engine_case.ts";

export class Stream {
  readonly #socket: WebSocket;
  /** The bytes received, by channel. */
  readonly #parts = new Map<number, Uint8Array<ArrayBuffer>[]>();
  isClosed = false;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    socket.onmessage = ({ data }) => {
      const bytes = new Uint8Array(data), channel = bytes[0] ?? 0;
      const parts = this.#parts.get(channel) ?? [];
      parts.push(bytes.subarray(1));
      this.#parts.set(channel, parts);
    };
    socket.onclose = () => this.isClosed = true;
  }

  /** @param url of a reply of Exec, Attach or PortForward */
  static async open(url: string): Promise<Stream> {
    const socket = new WebSocket(url.replace(/^http/, "ws"), ["v4.channel.k8s.io"]);
    socket.binaryType = "arraybuffer";
    await new Promise<void>((resolve, reject) => {
      socket.onopen = () => resolve();
      socket.onerror = (event) => {
        const why = event instanceof ErrorEvent ? event.message : "";
        reject(new Error(`no stream at ${url}: ${why}`));
      };
    });
    socket.onerror = null;
    return new Stream(socket);
  }

  send(channel: number, data: string | Uint8Array): void {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    const frame = new Uint8Array(bytes.length + 1);
    frame[0] = channel;
    frame.set(bytes, 1);
    this.#socket.send(frame);
  }

  bytes(channel: number): number {
    return (this.#parts.get(channel) ?? []).reduce((sum, part) => sum + part.length, 0);
  }

  /** From byte `skip` on. */
  text(channel: number, skip = 0): string {
    const parts = this.#parts.get(channel) ?? [], decoder = new TextDecoder("latin1");
    return parts.map((part) => decoder.decode(part)).join("").slice(skip);
  }

  async saw(channel: number, text: string): Promise<void> {
    await until(`${text} on channel ${channel}`, () => this.text(channel).includes(text)).catch(
      (error) => {
        const all = [...this.#parts.keys()].map((key) => `${key}: ${this.text(key).slice(-300)}`);
        throw new Error(`${error.message}; ${all.join("; ")}`);
      },
    );
  }

  async closed(): Promise<void> {
    await until("end of the stream", () => this.isClosed);
  }

  close(): void {
    this.#socket.close();
  }
}
