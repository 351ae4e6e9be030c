import { assertEquals } from "@std/assert";
import { lacks, named } from "../../../../tests/harness/machine.ts";
import { VERBS } from "../../verb_table.ts";
import { bashScript } from "./bash.ts";
import { fishScript } from "./fish.ts";
import { zshScript } from "./zsh.ts";

/** A command line, the cursor at its end, and what a shell offers. */
const CASES: readonly (readonly [line: string, offered: string])[] = [
  ["dvisor deb", "debug"],
  ["dvisor --systemd-c", "--systemd-cgroup"],
  ["dvisor --log-format ", "json text"],
  ["dvisor --root /x exe", "exec"],
  ["dvisor --debug kill ", "box-1 box-2"],
  ["dvisor do --turn", "--turns"],
  ["dvisor do --tty ", "auto off on"],
  ["dvisor do --rw --debug-log fi", "file1"],
  ["dvisor do --cwd s", "sub/"],
  ["dvisor do --volume fi", "file1"],
  ["dvisor do env fi", "file1"],
  ["dvisor do env --turn", ""],
  ["dvisor do -- env --turn", ""],
  ["dvisor exec -e A=1 --tty ", "box-1 box-2"],
  ["dvisor exec box-1 env fi", "file1"],
  ["dvisor kill box-1 KI", "KILL"],
  ["dvisor install cont", "containerd"],
  ["dvisor install containerd --dry", "--dry-run"],
  ["dvisor kill box-1 --a", ""],
  ["dvisor help metr", "metrics"],
  ["dvisor completion f", "fish"],
  ["dvisor create -b s", "sub/"],
  ["dvisor create --host", ""],
];

async function inDirectory(body: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-completion-" });
  try {
    Deno.mkdirSync(`${dir}/sub`);
    Deno.writeTextFileSync(`${dir}/file1`, "");
    await body(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Lines that a shell prints, without empty ones. */
async function shell(dir: string, command: string, ...args: string[]): Promise<string[]> {
  const { code, stdout, stderr } = await new Deno.Command(command, {
    args,
    cwd: dir,
    stdin: "null",
    env: { HOME: dir },
  }).output();
  const text = new TextDecoder();
  assertEquals([code, text.decode(stderr)], [0, ""], args.join(" ").slice(-2000));
  return text.decode(stdout).split("\n").filter((line) => line !== "");
}

/** The answers by the lines of CASES; answers follow a line with `==` each. */
function answers(lines: readonly string[], change: (answer: string) => string): string[] {
  const found: string[][] = [];
  for (const line of lines) {
    if (line === "==") found.push([]);
    else found.at(-1)?.push(change(line));
  }
  return found.map((list) => [...new Set(list)].sort().join(" "));
}

const EXPECTED = CASES.map(([line, offered]) => `${line} => ${offered}`);
const withLines = (found: readonly string[]) => CASES.map(([line], i) => `${line} => ${found[i]}`);

Deno.test({
  ...named("bash completes command lines", lacks(["bash"])),
  fn: () =>
    inDirectory(async (dir) => {
      const tries = CASES.map(([line]) => {
        const words = line.split(" ").map((word) => `"${word}"`);
        return `COMP_WORDS=(${words.join(" ")}); COMP_CWORD=${words.length - 1}; try`;
      });
      const script = `${bashScript(VERBS)}
dvisor() { printf '%s\\n' box-1 box-2; }
try() { echo ==; COMPREPLY=(); _dvisor; printf '%s\\n' "\${COMPREPLY[@]}"; }
${tries.join("\n")}`;
      const found = answers(
        await shell(dir, "bash", "--norc", "-c", script),
        (answer) => answer === "sub" ? "sub/" : answer,
      );
      assertEquals(withLines(found), EXPECTED);
    }),
});

Deno.test({
  ...named("bash completes values behind = and colons, and runs no id", lacks(["bash"])),
  fn: () =>
    inDirectory(async (dir) => {
      const script = `${bashScript(VERBS)}
dvisor() { echo "$*" > args; printf '%s\\n' 'a$(touch made)' 'b'; }
try() {
  COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _dvisor
  printf '%s\\n' == "\${COMPREPLY[@]}"
}
try dvisor do --tty = of
try dvisor do --tty =
try dvisor do --volume /a : s
try dvisor do --volume = /a : /b : ro --turn
try dvisor --root = /x state ""`;
      const found = answers(await shell(dir, "bash", "--norc", "-c", script), (answer) => answer);
      assertEquals(found, ["off", "auto off on", "sub", "--turns", "atouchmade b"]);
      assertEquals(Deno.readTextFileSync(`${dir}/args`), "--root /x list --quiet\n");
      assertEquals([...Deno.readDirSync(dir)].map(({ name }) => name).sort(), [
        "args",
        "file1",
        "sub",
      ]);
    }),
});

Deno.test({
  ...named("fish completes command lines", lacks(["fish"])),
  fn: () =>
    inDirectory(async (dir) => {
      const script = `${fishScript(VERBS)}
function dvisor; printf '%s\\n' box-1 box-2; end
${CASES.map(([line]) => `echo ==; complete -C '${line}' | string split -f 1 \\t`).join("\n")}
true`;
      const lines = await shell(dir, "fish", "--no-config", "-c", script);
      const found = answers(lines, (answer) => answer).map((list, i) => {
        // fish also offers what has the letters somewhere inside.
        const typed = CASES[i]?.[0].split(" ").at(-1) ?? "";
        return list.split(" ").filter((answer) => answer.startsWith(typed)).join(" ");
      });
      assertEquals(withLines(found), EXPECTED);
    }),
});

Deno.test({
  ...named("zsh reads its script", lacks(["zsh"])),
  fn: () =>
    inDirectory(async (dir) => {
      Deno.writeTextFileSync(`${dir}/_dvisor`, zshScript(VERBS));
      await shell(dir, "zsh", "-f", "-n", "_dvisor");
      const load = "autoload -Uz compinit; compinit -u -d dump; source ./_dvisor; " +
        "print $_comps[dvisor]; print ${+functions[_dvisor_containers]}";
      assertEquals(await shell(dir, "zsh", "-f", "-c", load), ["_dvisor", "1"]);
    }),
});
