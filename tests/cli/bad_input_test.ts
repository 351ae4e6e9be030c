/**
 * Bad input: each with its exit code and one clear line on stderr, and nothing left behind: no
 * process, mount, socket or temporary file.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { describe, doCommand, dvisorCommand, PLATFORM } from "../harness/dvisor.ts";
import { runClean } from "../harness/leftovers.ts";
import { named, PYTHON } from "../harness/machine.ts";

const noPython = PYTHON === null ? "no python3 on this machine" : null;

/** A directory of things that cannot be run, and of bundles; gone at the end. */
async function withPit(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-bad-input-" });
  try {
    const truth = await Deno.readFile("/bin/true");
    const elf32 = new Uint8Array(200);
    elf32.set([0x7f, 0x45, 0x4c, 0x46, 1, 1, 1]);
    elf32.set([2, 0, 3, 0, 1], 16);
    const put = (name: string, data: string | Uint8Array, mode: number) => {
      if (typeof data === "string") Deno.writeTextFileSync(`${dir}/${name}`, data);
      else Deno.writeFileSync(`${dir}/${name}`, data);
      Deno.chmodSync(`${dir}/${name}`, mode);
    };
    Deno.chmodSync(dir, 0o755);
    Deno.mkdirSync(`${dir}/directory`);
    put("text", "echo there is no interpreter line\n", 0o755);
    put("plain", "echo not executable\n", 0o644);
    put("script", "#!/no/such/interpreter\n", 0o755);
    put("truncated", truth.slice(0, 100), 0o755);
    put("half", truth.slice(0, truth.length >> 1), 0o755);
    put("elf32", elf32, 0o755);
    put("empty", "", 0o755);
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Runs it, and expects this exit code and one line on stderr that matches. */
async function refuses(
  argv: readonly string[],
  code: number,
  line: RegExp,
  ...keeps: string[]
): Promise<void> {
  const result = await runClean(argv, { timeoutS: 30, keeps });
  const lines = result.stderr.trimEnd().split("\n");
  assertEquals(result.code, code, describe(result));
  assertEquals(lines.length, 1, describe(result));
  assertMatch(lines[0] ?? "", line);
  assertMatch(lines[0] ?? "", /^dvisor: /);
  assertEquals(result.stdout, "", "nothing on stdout");
}

interface Case {
  readonly args: readonly string[];
  readonly code: number;
  readonly line: RegExp;
}

/** "PIT" stands for the directory. */
const COMMANDS: Record<string, Case> = {
  "a missing command": { args: ["no-such-command"], code: 127, line: /no-such-command/ },
  "a missing path": { args: ["PIT/nothing"], code: 127, line: /PIT\/nothing/ },
  "a directory": { args: ["PIT/directory"], code: 126, line: /PIT\/directory.*directory/ },
  "a text file without #!": { args: ["PIT/text"], code: 126, line: /PIT\/text.*#!/ },
  "a file without execute permission": { args: ["PIT/plain"], code: 126, line: /PIT\/plain/ },
  "a script whose interpreter is missing": { args: ["PIT/script"], code: 127, line: /PIT\/script/ },
  "a truncated ELF": { args: ["PIT/truncated"], code: 126, line: /PIT\/truncated/ },
  "a 32-bit ELF": { args: ["PIT/elf32"], code: 126, line: /PIT\/elf32.*64-bit/ },
  "an empty file": { args: ["PIT/empty"], code: 126, line: /PIT\/empty/ },
};

/** Options of `do` that make no sense, or name what is not there. */
const OPTIONS: Record<string, Case> = {
  "no command": { args: [], code: 2, line: /needs a command/ },
  "an unknown option": { args: ["--bogus", "--", "true"], code: 2, line: /--bogus/ },
  "an unknown platform": { args: ["--platform=vax", "--", "true"], code: 2, line: /vax.*systrap/ },
  "a volume of a missing path": {
    args: ["--volume", "PIT/nothing:/mnt", "--", "true"],
    code: 1,
    line: /--volume.*PIT\/nothing/,
  },
  "a volume without a destination": {
    args: ["--volume", "/usr", "--", "true"],
    code: 2,
    line: /SRC:DST/,
  },
  "a volume at a relative path": {
    args: ["--volume", "/usr:mnt", "--", "true"],
    code: 2,
    line: /mnt/,
  },
  "a root that is missing": {
    args: ["--root", "PIT/nothing", "--", "true"],
    code: 1,
    line: /--root.*nothing/,
  },
  "a root that is a file": {
    args: ["--root", "PIT/text", "--", "true"],
    code: 1,
    line: /--root.*text/,
  },
  "an empty root": {
    args: ["--root", "PIT/directory", "--", "/bin/true"],
    code: 127,
    line: /true/,
  },
  "a working directory that is missing": {
    args: ["--cwd", "/no/such", "--", "true"],
    code: 1,
    line: /\/no\/such/,
  },
  "a relative working directory with a root": {
    args: ["--root", "/", "--cwd", "here", "--", "true"],
    code: 2,
    line: /here/,
  },
  "a user that is no number": { args: ["--user", "me", "--", "true"], code: 2, line: /--user.*me/ },
  "a variable without a name": { args: ["--env", "=x", "--", "true"], code: 2, line: /NAME=VALUE/ },
  "a terminal that may be": {
    args: ["--tty", "maybe", "--", "true"],
    code: 2,
    line: /auto.*on.*off/,
  },
  "a word about speculation that is none": {
    args: ["--speculation=loose", "--", "true"],
    code: 2,
    line: /loose.*host, strict/,
  },
  "a word about core scheduling that is none": {
    args: ["--core-scheduling=maybe", "--", "true"],
    code: 2,
    line: /maybe.*auto, on, off/,
  },
  "a host name that is too long": {
    args: ["--hostname", "h".repeat(65), "--", "true"],
    code: 2,
    line: /64/,
  },
  "a debug log that cannot be written": {
    args: ["--debug-log", "/no/such/log", "--", "true"],
    code: 1,
    line: /\/no\/such\/log: no such file or directory/,
  },
};

function inPit(dir: string, text: string): string {
  return text.replaceAll("PIT", dir);
}

for (const [name, { args, code, line }] of Object.entries(COMMANDS)) {
  Deno.test({
    ...named(`do refuses ${name}`, noPython),
    fn: () =>
      withPit((dir) =>
        refuses(
          [...doCommand(PLATFORM), ...args.map((a) => inPit(dir, a))],
          code,
          new RegExp(inPit(dir, line.source)),
          dir,
        )
      ),
  });
}

for (const [name, { args, code, line }] of Object.entries(OPTIONS)) {
  Deno.test({
    ...named(`do refuses ${name}`, noPython),
    fn: () =>
      withPit((dir) =>
        refuses(
          [...dvisorCommand(), "do", ...args.map((a) => inPit(dir, a))],
          code,
          new RegExp(inPit(dir, line.source)),
          dir,
        )
      ),
  });
}

Deno.test({
  ...named("do runs half of an ELF into the end that Linux gives it", noPython),
  fn: () =>
    withPit(async (dir) => {
      // The headers are whole, so the kernel begins; what comes of it is a signal or ENOEXEC.
      const result = await runClean([...doCommand(PLATFORM), `${dir}/half`], {
        timeoutS: 30,
        keeps: [dir],
      });
      assertEquals(result.code > 0, true, describe(result));
    }),
});

/** The text of config.json, and the error line. */
const CONFIGS: Record<string, { readonly text: string | null; readonly line: RegExp }> = {
  "no config.json": { text: null, line: /config\.json/ },
  "broken JSON": { text: `{ "ociVersion": `, line: /config\.json/ },
  "an array": { text: "[]", line: /config\.json/ },
  "args that is a string": {
    text: config({ process: { args: "true", cwd: "/" } }),
    line: /process\.args/,
  },
  "args with a number in it": {
    text: config({ process: { args: ["true", 1], cwd: "/" } }),
    line: /process\.args\[1\]/,
  },
  "a relative cwd": {
    text: config({ process: { args: ["true"], cwd: "x" } }),
    line: /process\.cwd/,
  },
  "a uid that is negative": {
    text: config({ process: { args: ["true"], cwd: "/", user: { uid: -1, gid: 0 } } }),
    line: /process\.user\.uid/,
  },
  "a version from the future": { text: config({ ociVersion: "9.0.0" }), line: /ociVersion/ },
  "mounts that are an object": { text: config({ mounts: {} }), line: /mounts/ },
  "a mount without a destination": {
    text: config({ mounts: [{ type: "tmpfs" }] }),
    line: /mounts\[0\]\.destination/,
  },
  "an unknown namespace": {
    text: config({ linux: { namespaces: [{ type: "pid" }, { type: "foo" }] } }),
    line: /linux\.namespaces\[1\]\.type.*foo/,
  },
  "a rootfs that is missing": { text: config({ root: { path: "nowhere" } }), line: /nowhere/ },
  "an rlimit of an unknown type": {
    text: config({
      process: { args: ["true"], cwd: "/", rlimits: [{ type: "RLIMIT_FOO", hard: 1, soft: 1 }] },
    }),
    line: /process\.rlimits\[0\]\.type/,
  },
};

function config(part: Record<string, unknown>): string {
  return JSON.stringify({
    ociVersion: "1.0.2",
    process: { args: ["true"], cwd: "/" },
    root: { path: "rootfs" },
    ...part,
  });
}

for (const [name, { text, line }] of Object.entries(CONFIGS)) {
  Deno.test({
    ...named(`run refuses a bundle with ${name}`, noPython),
    fn: () =>
      withPit(async (dir) => {
        const bundle = `${dir}/directory`;
        Deno.mkdirSync(`${bundle}/rootfs`);
        if (text !== null) Deno.writeTextFileSync(`${bundle}/config.json`, text);
        const result = await runClean([...dvisorCommand(), "run", "--bundle", bundle, "test-id"], {
          timeoutS: 30,
          keeps: [dir],
        });
        assertEquals(result.code === 1 || result.code === 2, true, describe(result));
        assertEquals(result.stderr.trimEnd().split("\n").length, 1, describe(result));
        assertMatch(result.stderr, line);
      }),
  });
}

Deno.test({
  ...named("an unknown verb is a usage error", noPython),
  fn: () => refuses([...dvisorCommand(), "dance"], 2, /dance/),
});
