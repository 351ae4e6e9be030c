/** A Sentry that keeps its root directory has no files all the same: Landlock closes them. */

import { assertEquals } from "@std/assert";
import { EACCES } from "../../../ffi/abi/errno.ts";
import { landlockVersion, VERSION_MIN } from "../../../gofer/server/landlock.ts";
import { named } from "../../../tests/harness/machine.ts";

/** The program: opens a file on its own thread and on another, and ends an older child. */
const PROGRAM = `
const child = new Deno.Command("sleep", { args: ["60"] }).spawn();
const task = syscall(257, -100, scratch.cstr("/proc/self/task"), 0x90000, 0);
await Deno.readTextFile("/etc/passwd"); // starts a thread of Deno's
const problems = forbidFiles(task, false);
const own = syscall(257, -100, scratch.cstr("/etc/passwd"), 0x80000, 0);
const other = await Deno.readTextFile("/etc/passwd").then(() => "read", (error) => error.code);
const made = syscall(257, -100, scratch.cstr("/tmp/dvisor-closed"), 0x80042, 0o600);
child.kill("SIGKILL");
const { signal } = await child.status;
console.log(JSON.stringify({ problems, own, other, made, signal }));
`;

const version = landlockVersion();
const lacking = version < VERSION_MIN ? "no Landlock on this host" : null;

Deno.test({
  ...named("Landlock closes all files to a process, and leaves it its older children", lacking),
  fn: async () => {
    const here = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);
    const imports = `import { forbidFiles } from ${here("../../../gofer/server/landlock.ts")};
      import { syscall } from ${here("../../../ffi/sys/native.ts")};
      import { scratch } from ${here("../../../ffi/sys/cstring.ts")};`;
    const path = Deno.makeTempFileSync({ suffix: ".js" });
    try {
      Deno.writeTextFileSync(path, imports + PROGRAM);
      const args = ["run", "-A", "--no-lock", "--no-check", path];
      const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
      const decoder = new TextDecoder(), text = decoder.decode(stdout);
      assertEquals(text === "" ? decoder.decode(stderr) : JSON.parse(text), {
        problems: [],
        own: -EACCES,
        other: "EACCES",
        made: -EACCES,
        signal: "SIGKILL",
      });
    } finally {
      Deno.removeSync(path);
    }
  },
});
