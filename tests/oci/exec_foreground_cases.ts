/**
 * The command `exec` in the foreground: it stands for the process on the host. Cases hold with runc
 * too, unless they say otherwise. Not a test: status_test.ts runs them.
 */

import { assert, assertEquals } from "@std/assert";
import { lacks } from "../harness/machine.ts";
import { eventually } from "../harness/processes.ts";
import { Terminal } from "../harness/tmux.ts";
import type { Lifecycle } from "./lifecycle.ts";
import type { LifecycleCase } from "./lifecycle_cases.ts";

const SOON_MS = 10_000;

/** A command that runs a script, with the files `NAME.out` and `NAME.err` as its output. */
class Command {
  readonly #t: Lifecycle;
  readonly #name: string;
  readonly #child: Deno.ChildProcess;

  constructor(t: Lifecycle, name: string, script: string) {
    this.#t = t;
    this.#name = name;
    const redirect = `exec "$@" </dev/null >${t.file(`${name}.out`)} 2>${t.file(`${name}.err`)}`;
    this.#child = new Deno.Command("sh", {
      args: ["-c", redirect, "sh", ...t.argv("exec", t.id, "sh", "-c", script)],
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
  }

  /** Of the command itself: the shell is replaced. */
  get pid(): number {
    return this.#child.pid;
  }
  /** Waits until the process has printed this. */
  until(text: string): Promise<void> {
    return this.#t.until(text, `${this.#name}.out`);
  }

  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  get errors(): string {
    return this.#t.text(`${this.#name}.err`);
  }

  async end(): Promise<number> {
    return (await this.#child.status).code;
  }
}

const LOOP = "while :; do sleep 0.05; done";

/** Waits for what another process of the container writes into a file, and removes it. */
function untilFilled(file: string): string {
  return `while [ ! -s ${file} ]; do sleep 0.05; done; rm ${file}`;
}

const WITHOUT_TERMINAL: readonly LifecycleCase[] = [
  {
    name: "a signal to the command is one to the process",
    async run(t) {
      const traps = "trap 'echo usr1' USR1; trap 'exit 6' TERM";
      const command = new Command(t, "signals", `${traps}; echo up; ${LOOP}`);
      await command.until("up");
      command.kill("SIGUSR1");
      await command.until("usr1");
      command.kill("SIGTERM");
      assertEquals([await command.end(), command.errors], [6, ""]);
    },
  },
  {
    name: "a signal that the caller ignores is ignored",
    async run(t) {
      const script = `trap '' HUP; exec "$@"`;
      const inner = `trap 'exit 5' HUP; trap 'exit 6' TERM; echo up; ${LOOP}`;
      const argv = t.argv("exec", t.id, "sh", "-c", inner);
      const child = new Deno.Command("sh", {
        args: ["-c", `${script} >${t.file("nohup.out")}`, "sh", ...argv],
        stdin: "null",
      }).spawn();
      await t.until("up", "nohup.out");
      child.kill("SIGHUP");
      child.kill("SIGTERM");
      assertEquals((await child.status).code, 6);
    },
    notRunc: "it forwards signals that it was made to ignore",
  },
  {
    name: "the process goes on when its command is killed",
    async run(t) {
      const go = "while [ ! -e go ]; do sleep 0.05; done";
      const command = new Command(t, "orphan", `echo up; ${go}; rm go; echo on >later`);
      await command.until("up");
      command.kill("SIGKILL");
      assertEquals(await command.end(), 137);
      const wait = `touch go; ${untilFilled("later")}`;
      assertEquals(await t.must("exec", t.id, "sh", "-c", wait), "");
    },
  },
  {
    name: "the command is the only process on the host, and small",
    async run(t) {
      const command = new Command(t, "alone", `trap 'exit 0' TERM; echo up; ${LOOP}`);
      await command.until("up");
      const proc = `/proc/${command.pid}`;
      const rollup = () => Deno.readTextFileSync(`${proc}/smaps_rollup`);
      // Until it has become the waiter.
      const isSmall = () => Number(/^Pss:\s+(\d+)/m.exec(rollup())?.[1]) < 64;
      assert(await eventually(isSmall, SOON_MS), rollup());
      assertEquals([...Deno.readDirSync(`${proc}/task`)].length, 1);
      assertEquals(Deno.readTextFileSync(`${proc}/task/${command.pid}/children`), "");
      const pids = JSON.parse(await t.must("ps", "--format", "json", t.id));
      assertEquals(pids.includes(command.pid), true, String(pids));
      command.kill("SIGTERM");
      assertEquals(await command.end(), 0);
    },
    notRunc: "its process is a child of its command",
  },
  {
    name: "with --pid-file there is a process in the container's group beside the command",
    async run(t) {
      const file = t.file("shown.pid"), script = `exec "$@" >${t.file("shown.out")}`;
      const inner = `trap 'exit 4' TERM; echo up; ${LOOP}`;
      const argv = t.argv("exec", "--pid-file", file, t.id, "sh", "-c", inner);
      const child = new Deno.Command("sh", { args: ["-c", script, "sh", ...argv], stdin: "null" })
        .spawn();
      await t.until("up", "shown.out");
      assert(await eventually(() => t.text("shown.pid") !== "", SOON_MS));
      const pid = Number(t.text("shown.pid"));
      assert(pid !== child.pid);
      const group = Deno.readTextFileSync(`/proc/${pid}/cgroup`);
      assert(group.includes(`/dvisor-test/${t.id}`), group);
      Deno.kill(pid, "SIGTERM");
      assertEquals((await child.status).code, 4);
    },
  },
];

async function inTerminal(
  t: Lifecycle,
  script: string,
  fn: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  const argv = t.argv("exec", "--tty", t.id, "sh", "-c", script);
  const write = `echo $$ >${t.file("terminal.pid")}; exec "$@"`;
  const terminal = await Terminal.open(["sh", "-c", write, "sh", ...argv]);
  try {
    await fn(terminal);
  } finally {
    await terminal.close();
  }
}

const WITH_TERMINAL: readonly LifecycleCase[] = [
  {
    name: "a terminal has the size of the caller's, and follows it",
    run: (t) =>
      inTerminal(t, `trap 'stty size' WINCH; tty; stty size; echo ready; ${LOOP}`, async (term) => {
        // A size that arrives at the start is a change for some runtimes.
        await term.expect(/\/dev\/pts\/\d+(\s+30 100)+\s+ready/);
        await term.resize(90, 20);
        await term.expect(/^20 90$/m);
      }),
  },
  {
    name: "keys are for the process, and the terminal is as before at the end",
    run: (t) =>
      inTerminal(t, `trap 'echo int; exit 7' INT; echo ready; ${LOOP}`, async (term) => {
        await term.expect(/ready/);
        await term.press("C-c");
        await term.expect(/int\s+\[ended 7\]/);
        // What ran the command is `cat` now, behind a line discipline that edits and echoes.
        await term.line("echoed");
        await term.expect(/^echoed\nechoed$/m);
      }),
  },
  {
    name: "a terminal whose command is killed is hung up",
    async run(t) {
      await inTerminal(t, `trap 'echo up >hung; exit' HUP; echo ready; ${LOOP}`, async (term) => {
        await term.expect(/ready/);
        Deno.kill(Number(t.text("terminal.pid")), "SIGKILL");
        await term.expect(/\[ended 137\]/);
      });
      assertEquals(await t.must("exec", t.id, "sh", "-c", untilFilled("hung")), "");
    },
  },
];

export const FOREGROUND_CASES: readonly LifecycleCase[] = [
  ...WITHOUT_TERMINAL,
  ...WITH_TERMINAL.map((test) => ({ ...test, skip: lacks(["tmux"]) })),
];
