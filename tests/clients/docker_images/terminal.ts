/** Containers with terminals: run -it, sizes, detach and attach, exec -it. Not a test. */

import { assertEquals, assertMatch } from "@std/assert";
import { lacks } from "../../harness/machine.ts";
import { Terminal } from "../../harness/tmux.ts";
import { PEER } from "../lib/docker.ts";
import type { ImageCase, Images } from "../lib/images.ts";

const NAME = "term";

/** The program that was typed has the terminal now, and not the shell any more. */
const settled = () => new Promise((done) => setTimeout(done, 1500));

/** Runs the client in a terminal. */
async function inTerminal(
  x: Images,
  args: readonly string[],
  body: (terminal: Terminal) => Promise<void>,
): Promise<void> {
  const terminal = await Terminal.open(x.docker.argv(...args), 90, 28);
  try {
    await body(terminal);
  } finally {
    await terminal.close();
  }
}

const CASES_WITH_TMUX: readonly ImageCase[] = [
  {
    name: "run -it: a shell with job control, its size and its end",
    run: async (x) => {
      const run = ["run", "-it", "--name", NAME, x.base, "bash", "--norc"];
      await inTerminal(x, run, async (terminal) => {
        await terminal.expect(/bash-\S+#\s*$/);
        await terminal.line("stty size; tty");
        await terminal.expect(/^28 90\n\/dev\/(pts\/0|console)$/m);
        await terminal.resize(101, 33);
        await terminal.line("clear; sleep 0.5; stty size");
        await terminal.expect(/^33 101$/m);
        await terminal.line("trap 'echo size $(stty size)' WINCH");
        await terminal.resize(77, 22);
        await terminal.expect(/size 22 77$/m);
        await terminal.line("clear; sleep 1000");
        await settled();
        await terminal.press("C-c");
        await terminal.line("echo $? after");
        await terminal.expect(/^130 after$/m);
        await terminal.line("sleep 1000");
        await settled();
        await terminal.press("C-z");
        await terminal.expect(/Stopped/);
        await terminal.line("jobs; kill %1; wait; exit 3");
        await terminal.expect(/\[ended 3\]/);
      });
      assertEquals(await x.docker.inspect(NAME, ".State.ExitCode"), "3");
    },
  },
  {
    name: "detach by keys, attach again, and the log of all output",
    run: async (x) => {
      const run = ["run", "-it", "--name", NAME, x.base, "bash", "--norc"];
      await inTerminal(x, run, async (terminal) => {
        await terminal.expect(/#\s*$/);
        await terminal.line("x=kept");
        await terminal.press("C-p", "C-q");
        await terminal.expect(/\[ended 0\]/);
      });
      assertEquals(await x.docker.inspect(NAME, ".State.Status"), "running");
      await inTerminal(x, ["attach", NAME], async (terminal) => {
        await terminal.line("echo was $x");
        await terminal.expect(/^was kept$/m);
        await terminal.line("exit 4");
        await terminal.expect(/\[ended 4\]/);
      });
      assertMatch(await x.docker.must("logs", NAME), /was kept/);
    },
  },
  {
    name: "without a terminal input ends where the client's does",
    run: async (x) => {
      const script = "while read l; do echo got $l; done; echo end >&2; exit 7";
      await x.docker.must("create", "-i", "--name", NAME, x.base, "bash", "-c", script);
      const started = await x.docker.run(["start", "-ai", NAME], { stdin: "one\ntwo\n" });
      assertEquals([started.stdout, started.stderr, started.code], [
        "got one\ngot two\n",
        "end\n",
        7,
      ]);
      const big = "0123456789abcdef".repeat(200_000);
      const count = ["run", "--rm", "-i", x.base, "md5sum"];
      const ours = await x.docker.run(count, { stdin: big });
      const theirs = await x.docker.run([
        ...count.slice(0, 3),
        "--runtime",
        PEER,
        ...count.slice(3),
      ], {
        stdin: big,
      });
      assertEquals(ours.stdout, theirs.stdout);
    },
  },
  {
    name: "exec -it has a terminal and a size of its own",
    run: async (x) => {
      await x.docker.must("run", "-d", "--name", NAME, x.base, "sleep", "1000");
      const exec = ["exec", "-it", "-e", "A=b", NAME, "bash", "--norc"];
      await inTerminal(x, exec, async (terminal) => {
        await terminal.expect(/#\s*$/);
        await terminal.line("stty size; tty; echo $A");
        await terminal.expect(/^28 90\n\/dev\/pts\/\d\nb$/m);
        await terminal.resize(60, 20);
        await terminal.line("clear; sleep 0.5; stty size");
        await terminal.expect(/^20 60$/m);
        await terminal.line("perl -e '$SIG{INT} = sub { print qq(caught\\n); exit 5 }; sleep 100'");
        await settled();
        await terminal.press("C-c");
        await terminal.expect(/^\^?C?caught$/m);
        await terminal.line("exit 6");
        await terminal.expect(/\[ended 6\]/);
      });
      // A client that dies does not end the program: the container runs on.
      assertEquals(await x.docker.inspect(NAME, ".State.Status"), "running");
    },
  },
];

const missing = lacks(["tmux"]);
export const CASES: readonly ImageCase[] = missing === null ? CASES_WITH_TMUX : [];
