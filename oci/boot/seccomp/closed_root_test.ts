/** A Sentry that keeps its root directory has no files all the same: Landlock closes them. */

import { assertEquals } from "@std/assert";
import { EACCES, EPERM } from "../../../ffi/abi/errno.ts";
import { landlockVersion, VERSION_MIN } from "../../../gofer/server/landlock.ts";
import { named } from "../../../tests/harness/machine.ts";

/** The program: opens a file on its own thread and on another, and signals two children. */
const PROGRAM = `
const none = { stdin: "null", stdout: "null", stderr: "null" };
const sleep = () => new Deno.Command("sleep", { args: ["60"], ...none }).spawn();
const task = syscall(257, -100, scratch.cstr("/proc/self/task"), 0x90000, 0);
await Deno.readTextFile("/etc/passwd"); // starts a thread of Deno's
const older = sleep();
const early = keepSignalsInside(task);
const child = sleep();
const problems = [...early, ...forbidFiles(task, false)];
const refused = syscall(62, older.pid, 15);
const own = syscall(257, -100, scratch.cstr("/etc/passwd"), 0x80000, 0);
const other = await Deno.readTextFile("/etc/passwd").then(() => "read", (error) => error.code);
const made = syscall(257, -100, scratch.cstr("/tmp/dvisor-closed"), 0x80042, 0o600);
child.kill("SIGKILL");
const { signal } = await child.status;
console.log(JSON.stringify({ older: older.pid, problems, own, other, made, signal, refused }));
syscall(231, 0);
`;

const version = landlockVersion();
const lacking = version < VERSION_MIN ? "no Landlock on this host" : null;

Deno.test({
  ...named("Landlock closes all files to a process, and leaves it its later children", lacking),
  fn: async () => {
    const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const imports = `import { forbidFiles, keepSignalsInside } from ${
      here("../../../gofer/server/landlock.ts")
    };
      import { syscall } from ${here("../../../ffi/sys/native.ts")};
      import { scratch } from ${here("../../../ffi/sys/cstring.ts")};`;
    const path = Deno.makeTempFileSync({ suffix: ".js" });
    try {
      Deno.writeTextFileSync(path, imports + PROGRAM);
      const args = ["run", "-A", "--no-lock", "--no-check", path];
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      const decoder = new TextDecoder(), text = decoder.decode(stdout);
      if (text === "") throw new Error(decoder.decode(stderr));
      const { older, ...results } = JSON.parse(text);
      Deno.kill(older, "SIGKILL");
      assertEquals(results, {
        problems: [],
        own: -EACCES,
        other: "EACCES",
        made: -EACCES,
        signal: "SIGKILL",
        refused: version < 6 ? 0 : -EPERM,
      });
    } finally {
      Deno.removeSync(path);
    }
  },
});
