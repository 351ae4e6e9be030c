/**
 * Terminals: an interactive bash in a sandbox, driven through tmux: job control, Ctrl-C, Ctrl-Z,
 * line editing, a full-screen editor, window resize, and the terminal as it was at the end.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { doCommand, PLATFORM, type PlatformName, platforms, run } from "../harness/dvisor.ts";
import { isNative, lacks, named, PYTHON } from "../harness/machine.ts";
import { Terminal } from "../harness/tmux.ts";

const reason = lacks(["tmux", "bash"]);

async function inTerminal(
  platform: PlatformName,
  command: readonly string[],
  fn: (t: Terminal) => Promise<void>,
): Promise<void> {
  const env = ["env", "PS1=ready> ", "TERM=xterm", "HISTFILE="];
  const prefix = isNative ? [] : doCommand(platform);
  const terminal = await Terminal.open([...prefix, ...env, ...command]);
  try {
    await fn(terminal);
  } finally {
    await terminal.close();
  }
}

const BASH = ["bash", "--norc", "--noprofile", "-i"];

for (const platform of platforms("systrap", "ptrace")) {
  Deno.test({
    ...named(`${platform}: bash prompts, runs commands and ends with its code`, reason),
    fn: () =>
      inTerminal(platform, BASH, async (t) => {
        await t.expect(/ready>$/m);
        await t.line("echo $((6 * 7)); tty; test -t 0 && test -t 1 && echo terminals");
        await t.expect(/^42\n\/dev\/(pts\/\d+|console)\nterminals\nready>$/m);
        await t.line("exit 7");
        await t.expect(/\[ended 7\]/);
      }),
  });

  Deno.test({
    ...named(
      `${platform}: Ctrl-C ends the job, not the shell; Ctrl-Z stops it; fg and bg go on`,
      reason,
    ),
    fn: () =>
      inTerminal(platform, BASH, async (t) => {
        await t.expect(/ready>$/m);
        await t.line("sh -c 'echo asleep; exec sleep 1000'");
        await t.expect(/^asleep$/m);
        await t.press("C-c");
        await t.expect(/\^C\s+ready>$/m);
        await t.line('echo "code $?"');
        await t.expect(/^code 130$/m);
        await t.line("sh -c 'echo begun; exec cat'");
        await t.expect(/^begun$/m);
        await t.type("text");
        await t.press("Enter");
        await t.expect(/^text\ntext$/m);
        await t.press("C-z");
        await t.expect(/Stopped .*cat/);
        await t.line("clear; jobs; bg; echo $(jobs | wc -l) job");
        await t.expect(/^1 job$/m);
        await t.line("fg");
        // By fg, not by jobs. What is typed while the shell still edits its line ends with CR, and
        // is no line for cat.
        await t.expect(/^sh -c .*exec cat'$/m);
        await t.line("more");
        await t.expect(/^more\nmore$/m);
        await t.press("C-d");
        await t.expect(/ready>$/m);
        await t.line("sleep 300 & jobs -l; kill %1; wait %1; echo ended with $?");
        await t.expect(/^ended with 143$/m);
        await t.line("(echo piped; cat) | cat");
        await t.expect(/^piped$/m);
        await t.type("through a pipeline");
        await t.press("Enter");
        await t.expect(/^through a pipeline\nthrough a pipeline$/m);
        await t.press("C-\\");
        await t.expect(/Quit[^]*ready>$/m);
        await t.line("echo still here");
        // Before the prompt the end of the input would be the terminal's affair, and lost to the
        // shell's editor.
        await t.expect(/^still here\s+ready>$/m);
        await t.press("C-d");
        await t.expect(/\[ended 0\]/);
      }),
  });
}

Deno.test({
  ...named("line editing and history work", reason),
  fn: () =>
    inTerminal(PLATFORM, BASH, async (t) => {
      await t.expect(/ready>$/m);
      await t.type("echo worng");
      await t.press("C-w");
      await t.line("right");
      await t.expect(/^right$/m);
      await t.press("Up", "Home", "C-k");
      await t.line("echo replaced");
      await t.expect(/^replaced$/m);
      await t.press("Up", "Up");
      await t.press("Enter");
      await t.expect(/^right\n(.*\n)*right$/m);
      await t.type("ls /etc/hostna");
      await t.press("Tab");
      await t.expect(/\/etc\/hostname/);
      await t.press("C-c");
    }),
});

Deno.test({
  ...named("the window's size is the terminal's, and follows it", reason),
  fn: () =>
    inTerminal(PLATFORM, BASH, async (t) => {
      await t.expect(/ready>$/m);
      await t.line("trap 'echo resized to $(stty size)' WINCH; stty size");
      await t.expect(/^30 100\nready>$/m);
      await t.resize(70, 20);
      await t.expect(/resized to 20 70/);
      await t.line("clear; echo $COLUMNS $LINES");
      await t.expect(/^70 20$/m);
    }),
});

Deno.test({
  ...named("vi edits and writes a file", reason ?? lacks(["vi"])),
  fn: () =>
    inTerminal(PLATFORM, BASH, async (t) => {
      await t.expect(/ready>$/m);
      await t.line("cd $(mktemp -d); vi -u NONE edited");
      await t.expect(/^~$/m);
      await t.type("ifirst line");
      await t.press("Enter");
      await t.type("second line");
      await t.press("Escape");
      await t.type("ggAX");
      await t.press("Escape");
      await t.expect(/^first lineX\nsecond line/m);
      await t.line(":wq");
      await t.expect(/ready>$/m);
      await t.line("sed 's/^/> /' edited; rm -r $PWD");
      await t.expect(/^> first lineX\n> second line$/m);
    }),
});

Deno.test({
  ...named("full-screen programs: less and top", reason ?? lacks(["less", "top"])),
  fn: () =>
    inTerminal(PLATFORM, BASH, async (t) => {
      await t.expect(/ready>$/m);
      await t.line("seq 1000 | less");
      await t.expect(/^1\n2\n3\n/m);
      await t.press("G");
      await t.expect(/^1000$/m);
      await t.type("/^500$");
      await t.press("Enter");
      await t.press("g");
      await t.expect(/^1\n2\n/m);
      await t.press("q");
      await t.expect(/ready>\s*$/);
      await t.line("top");
      await t.expect(/Tasks:.*total/);
      await t.press("q");
      await t.expect(/ready>\s*$/);
      await t.line("echo after top");
      await t.expect(/^after top$/m);
    }),
});

Deno.test({
  ...named("the terminal is as it was when the sandbox is gone, also after a kill", reason),
  fn: async () => {
    const sandbox = [...doCommand(PLATFORM), "bash", "--norc", "-c"];
    const words = (script: string) => [...sandbox, script].map((w) => `'${w}'`).join(" ");
    const terminal = await Terminal.open(["bash", "--norc"]);
    try {
      await terminal.line("PS1='host> '; clear; stty -a > /tmp/dvisor-stty-$$.1");
      await terminal.expect(/host>$/m);
      await terminal.line(`${words("stty raw -echo; exit 3")}; echo "code $?"`);
      await terminal.expect(/^code 3$/m);
      await terminal.line(`${words("stty raw -echo; kill -9 $$")}; echo "code $?"`);
      await terminal.expect(/^code 137$/m);
      await terminal.line(
        "stty -a | diff - /tmp/dvisor-stty-$$.1 && echo the same; rm /tmp/dvisor-stty-$$.1",
      );
      await terminal.expect(/^the same$/m);
    } finally {
      await terminal.close();
    }
  },
});

Deno.test({
  ...named("dvisor itself can be stopped and continued from the host's shell", reason),
  fn: async () => {
    const terminal = await Terminal.open(["bash", "--norc"]);
    try {
      await terminal.line("PS1='host> '; clear");
      await terminal.expect(/host>$/m);
      const words = [...doCommand(PLATFORM, "--tty=off"), "sleep", "1000"].map((w) => `'${w}'`);
      await terminal.line(`clear; ${words.join(" ")}`);
      await new Promise((resolve) => setTimeout(resolve, 1500));
      await terminal.press("C-c");
      await terminal.line('echo "code $?"');
      await terminal.expect(/^code 130$/m);
    } finally {
      await terminal.close();
    }
  },
});

Deno.test({
  ...named(
    "--tty off gives none, --tty on needs one",
    PYTHON === null ? "no python3" : null,
  ),
  fn: async () => {
    const off = await run([
      ...doCommand(PLATFORM, "--tty=off"),
      "sh",
      "-c",
      "test -t 1 || echo none",
    ]);
    assertEquals(off.stdout, "none\n");
    const on = await run([...doCommand(PLATFORM, "--tty=on"), "true"]);
    assertEquals(on.code, 2);
    assertMatch(on.stderr, /^dvisor: .*terminal.*\n$/);
  },
});
