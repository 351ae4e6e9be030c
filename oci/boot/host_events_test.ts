// Kernels of one process share an epoll set: each gets its own events, and may have them held back.

import { assert, assertEquals } from "@std/assert";
import { EPOLLET } from "../../ffi/abi/epoll.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import { addressOf, allocBuffer } from "../../ffi/sys/cstring.ts";
import { pipe } from "../../ffi/sys/files.ts";
import { Waiter } from "../../kernel/core/wait.ts";
import { RealHost } from "./real_host.ts";

const BYTE = allocBuffer(1);

class Note extends Waiter {
  private readonly name: string;
  private readonly notes: string[];

  constructor(name: string, notes: string[]) {
    super();
    this.name = name;
    this.notes = notes;
  }

  override onWake(): void {
    this.notes.push(this.name);
  }
}

/** Two hosts of one process, and pipes. */
class Hosts {
  readonly first: RealHost = new RealHost(1, 1 << 30, 1 << 30);
  readonly second: RealHost = this.first.another();
  readonly notes: string[] = [];
  readonly #fds: number[] = [];

  /** A pipe that a kernel watches: its end for writing. */
  watched(host: RealHost, name: string, events: number = POLLIN): [number, number] {
    const ends = pipe(0);
    if (typeof ends === "number") throw new Error("no pipe");
    this.#fds.push(...ends);
    assertEquals(host.watch(ends[0], events, new Note(name, this.notes)), 0);
    return ends;
  }

  write(...fds: readonly number[]): void {
    for (const fd of fds) assertEquals(this.first.write(fd, addressOf(BYTE), 1), 1);
    this.first.poll(0);
  }

  /** What was reported since the last look. */
  take(): string[] {
    return this.notes.splice(0).sort();
  }

  close(): void {
    for (const fd of this.#fds) this.first.close(fd);
  }
}

Deno.test("events are held back for one kernel, and reported when it goes on", () => {
  const hosts = new Hosts(), { first, second } = hosts;
  const [, one] = hosts.watched(first, "one"), [, two] = hosts.watched(second, "two");
  const [gone, other] = hosts.watched(second, "gone", POLLIN | EPOLLET);
  second.holdEvents(true);
  hosts.write(one, two, other);
  assertEquals(hosts.take(), ["one"]);
  second.unwatch(gone);
  second.holdEvents(false);
  assertEquals(hosts.take(), ["two"]);
  hosts.write(one);
  assertEquals(hosts.take(), [], "a watch reports once");
  hosts.close();
});

Deno.test("a kernel that has ended gets no events; its clock was its own", () => {
  const hosts = new Hosts(), { first, second } = hosts;
  const [, one] = hosts.watched(first, "one"), [, two] = hosts.watched(second, "two");
  second.monotonicOffsetNs = -1e15;
  assert(second.monotonicNs() < first.monotonicNs() - 9e14);
  second.end();
  hosts.write(one, two);
  assertEquals(hosts.take(), ["one"]);
  hosts.close();
});
