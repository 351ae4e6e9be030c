/** Terminals over a console socket, as containerd's shim and conmon receive them. Not a test. */

import { TIOCSWINSZ } from "../../ffi/abi/ioctl.ts";
import { POLLIN } from "../../ffi/abi/poll.ts";
import { Winsize } from "../../ffi/abi/termios.ts";
import { addressOf, allocBuffer, scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, ioctl, poll, read, write } from "../../ffi/sys/files.ts";
import { assert, assertEquals, assertMatch } from "@std/assert";
import { FdSocket } from "./fd_socket.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const SOON_MS = 10_000;

/** A socket that waits for a terminal. */
export class ConsoleSocket extends FdSocket {
  constructor(t: Lifecycle) {
    super(t.bundle.dir, "console.sock");
  }

  master(): Master {
    return new Master(this.receive());
  }
}

/** The client's side of the terminal. */
class Master {
  readonly #fd: number;
  #text = "";

  constructor(fd: number) {
    this.#fd = fd;
  }

  /** Whether it has been read already. */
  shows(pattern: RegExp): boolean {
    return pattern.test(this.#text);
  }

  async until(pattern: RegExp): Promise<void> {
    const buffer = allocBuffer(4096), end = performance.now() + SOON_MS;
    while (!pattern.test(this.#text)) {
      if (performance.now() > end) {
        throw new Error(`no ${pattern} in ${JSON.stringify(this.#text)}`);
      }
      if (poll(this.#fd, POLLIN, 20) > 0) {
        const n = read(this.#fd, addressOf(buffer), buffer.length);
        if (n <= 0) throw new Error(`the end (${n}) behind ${JSON.stringify(this.#text)}`);
        this.#text += new TextDecoder().decode(buffer.slice(0, n));
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** True when the other side is closed. */
  async hasEnded(): Promise<boolean> {
    const buffer = allocBuffer(4096), end = performance.now() + SOON_MS;
    while (performance.now() < end) {
      if (poll(this.#fd, POLLIN, 20) > 0 && read(this.#fd, addressOf(buffer), 4096) <= 0) {
        return true;
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return false;
  }

  type(text: string): void {
    const bytes = allocBuffer(text.length);
    bytes.set(new TextEncoder().encode(text));
    write(this.#fd, addressOf(bytes), bytes.length);
  }

  resize(rows: number, columns: number): void {
    const at = scratch.areaOffset(0);
    scratch.u8.fill(0, at, at + Winsize.size);
    scratch.dv.setUint16(at + Winsize.at.row, rows, true);
    scratch.dv.setUint16(at + Winsize.at.col, columns, true);
    check(ioctl(this.#fd, TIOCSWINSZ, scratch.area(0)), "TIOCSWINSZ");
  }

  close(): void {
    close(this.#fd);
  }
}

export async function withConsole(
  t: Lifecycle,
  fn: (socket: ConsoleSocket) => Promise<Master>,
): Promise<void> {
  const socket = new ConsoleSocket(t);
  let master: Master | null = null;
  try {
    master = await fn(socket);
  } finally {
    master?.close();
    socket.close();
  }
}

const SIZES = "trap 'stty size' WINCH; echo ready; while :; do sleep 0.05; done";

export const CONSOLE_CASES: readonly LifecycleCase[] = [
  {
    name: "a terminal is passed over the console socket, works, and ends with the container",
    run: (t) =>
      withConsole(t, async (socket) => {
        t.config.process["terminal"] = true;
        await t.script("test -t 0 && test -t 2 && echo is-tty; read a; echo got-$a; exit 3")
          .created("--console-socket", socket.path);
        const master = socket.master();
        await t.must("start", t.id);
        await master.until(/is-tty/);
        master.type("word\n");
        await master.until(/got-word/);
        assertEquals(await t.reap(), 3);
        assert(await master.hasEnded());
        return master;
      }),
  },
  {
    name: "the size of the terminal is that of config.json, and changes with the client's",
    run: (t) =>
      withConsole(t, async (socket) => {
        t.config.process["terminal"] = true;
        t.config.process["consoleSize"] = { height: 33, width: 77 };
        await t.script(`stty size; ${SIZES}`).created("--console-socket", socket.path);
        const master = socket.master();
        await t.must("start", t.id);
        await master.until(/33 77\r\n/);
        await master.until(/ready/);
        master.resize(40, 123);
        await master.until(/40 123\r\n/);
        return master;
      }),
  },
  {
    name: "keys are signals",
    run: (t) =>
      withConsole(t, async (socket) => {
        t.config.process["terminal"] = true;
        await t.script("trap 'exit 5' INT; echo ready; while :; do sleep 0.05; done")
          .created("--console-socket", socket.path);
        const master = socket.master();
        await t.must("start", t.id);
        await master.until(/ready/);
        master.type("\x03");
        assertEquals(await t.reap(), 5);
        return master;
      }),
  },
  {
    name: "exec has a terminal of its own over a console socket",
    run: (t) =>
      withConsole(t, async (socket) => {
        await t.running("while :; do sleep 0.05; done");
        const options = ["--tty", "--detach", "--pid-file", t.file("exec.pid")];
        const script = "tty; echo is-exec; read a; exit 4";
        const args = ["exec", ...options, "--console-socket", socket.path, t.id];
        const result = await t.detached([...args, "sh", "-c", script]);
        assertEquals(result.code, 0, t.text("err"));
        const master = socket.master();
        await master.until(/\/dev\/pts\/\d[\s\S]*is-exec/);
        master.resize(11, 22);
        master.type("\n");
        assertEquals(await t.reap(Number(t.text("exec.pid"))), 4);
        assert(await master.hasEnded());
        assertEquals(await t.status(), "running");
        return master;
      }),
  },
  {
    name: "a console socket without a listener is an error, and leaves nothing",
    async run(t) {
      t.config.process["terminal"] = true;
      const result = await t.create("--console-socket", t.file("nobody.sock"));
      assert(result.code !== 0);
      assertMatch(t.text("err"), /console|no such file|nobody/i);
      assertEquals([...Deno.readDirSync(t.root)].length, 0);
    },
  },
];
