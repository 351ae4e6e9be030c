import { assertEquals } from "@std/assert";
import { AF_UNIX, SOCK_STREAM } from "../../../ffi/abi/socket.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { close, read, socketpair, write } from "../../../ffi/sys/files.ts";
import { WaitQueue } from "../../../kernel/core/wait.ts";
import { IoHost } from "../../../kernel/testing/io_host.ts";
import { type GuestConsole, TerminalBridge } from "./terminal_bridge.ts";

/** A terminal that echoes at once, as the line discipline does, and has little room. */
class EchoConsole implements GuestConsole {
  readonly master = {
    waitQueue: new WaitQueue(),
    type: (src: Uint8Array, count: number): number => {
      const n = Math.min(count, this.room);
      for (let i = 0; i < n; i++) {
        this.typed += String.fromCharCode(src[i] ?? 0);
        this.room--;
        this.show(String.fromCharCode(src[i] ?? 0));
      }
      return n;
    },
    fetch: (dst: Uint8Array): number => {
      const n = Math.min(dst.length, this.output.length);
      for (let i = 0; i < n; i++) dst[i] = this.output.charCodeAt(i);
      this.output = this.output.slice(n);
      return n;
    },
    resize: (rows: number, columns: number): void => {
      this.size = [rows, columns];
    },
  };
  room = 4;
  typed = "";
  output = "";
  size = [0, 0];
  hangUps = 0;

  show(text: string): void {
    this.output += text;
    this.master.waitQueue.wake(0);
  }
  hangUp(): void {
    this.hangUps++;
  }
}

function lab() {
  const keys = socketpair(AF_UNIX, SOCK_STREAM), screen = socketpair(AF_UNIX, SOCK_STREAM);
  if (typeof keys === "number" || typeof screen === "number") throw new Error("socketpair");
  const host = new IoHost(), console = new EchoConsole();
  const bridge = new TerminalBridge(host, console, keys[0], screen[0]);
  return {
    host,
    console,
    bridge,
    inFd: keys[0],
    keys: keys[1],
    screen: screen[1],
    fds: [...keys, ...screen],
  };
}

function put(fd: number, text: string): void {
  const bytes = new TextEncoder().encode(text);
  scratch.u8.set(bytes, scratch.areaOffset(0));
  write(fd, scratch.area(0), bytes.length);
}

function get(fd: number): string {
  const n = read(fd, scratch.area(0), 65536), at = scratch.areaOffset(0);
  return new TextDecoder().decode(scratch.u8.slice(at, at + Math.max(n, 0)));
}

Deno.test("keys reach the guest as far as it has room, and the rest later", () => {
  const { host, console, inFd, keys, screen, fds } = lab();
  put(keys, "abcdef");
  host.report(inFd);
  assertEquals(console.typed, "abcd");
  assertEquals(get(screen), "abcd");
  console.room = 10;
  console.master.waitQueue.wake(0);
  assertEquals(console.typed, "abcdef");
  assertEquals(get(screen), "ef");
  put(keys, "g");
  host.report(inFd);
  assertEquals(console.typed, "abcdefg");
  for (const fd of fds) close(fd);
});

Deno.test("output that the host does not take yet is kept until the end", () => {
  const { console, bridge, screen, fds } = lab();
  const text = "x".repeat(400_000);
  console.show(text);
  let seen = 0;
  for (let i = 0; i < 10_000 && seen < text.length; i++) {
    seen += get(screen).length;
    bridge.drain();
  }
  assertEquals(seen, text.length);
  for (const fd of fds) close(fd);
});

Deno.test("the end of the host's terminal hangs the guest's up; sizes pass", () => {
  const { host, console, bridge, inFd, keys, screen } = lab();
  bridge.resize(30, 100);
  assertEquals(console.size, [30, 100]);
  close(keys);
  host.report(inFd);
  assertEquals(console.hangUps, 1);
  bridge.hangUp();
  assertEquals(console.hangUps, 1);
  assertEquals(host.watches.size, 0);
  close(screen);
});

Deno.test("a bridge that hangs up has no descriptor of the host's terminal", () => {
  const { host, console, bridge, keys, screen } = lab();
  bridge.hangUp();
  assertEquals([console.hangUps, host.watches.size], [1, 0]);
  console.show("late");
  assertEquals(console.output, "late");
  for (const fd of [keys, screen]) close(fd);
});
