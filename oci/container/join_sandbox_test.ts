import { assertEquals, assertThrows } from "@std/assert";
import { SYS_pidfd_open } from "../../ffi/abi/syscall_numbers.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, eventfd } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { isRoot, named } from "../../tests/harness/machine.ts";
import { eventually } from "../../tests/harness/processes.ts";
import { UserError } from "../user_error.ts";
import { ownProcess } from "./join_sandbox.ts";

const SOON_MS = 10_000;

/** The only child of a process; 0: it has none. */
function childOf(pid: number): number {
  return Number(Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`).trim());
}

function withPidfd<T>(pid: number, use: (pidfd: number) => T): T {
  const pidfd = check(syscall(SYS_pidfd_open, pid, 0), "pidfd_open");
  try {
    return use(pidfd);
  } finally {
    close(pidfd);
  }
}

Deno.test("in this PID namespace a sandbox's own processes are its children", async () => {
  const children = [1, 2].map(() => new Deno.Command("sleep", { args: ["60"] }).spawn());
  const [first = -1, second = -1] = children.map((child) => child.pid);
  try {
    assertEquals(withPidfd(first, (fd) => ownProcess(fd, Deno.pid)), first);
    const error = withPidfd(first, (fd) => assertThrows(() => ownProcess(fd, second), UserError));
    assertEquals(error.message, "the sandbox sends a process that is not its own");
  } finally {
    for (const child of children) {
      child.kill("SIGKILL");
      await child.status;
    }
  }
});

Deno.test({
  ...named("a process that a sandbox sends is one of its own", isRoot ? null : "not root"),
  fn: async () => {
    const args = ["--pid", "--fork", "--kill-child", "sleep", "60"];
    const outer = new Deno.Command("unshare", { args }).spawn();
    try {
      await eventually(() => childOf(outer.pid) > 0, SOON_MS);
      const sentry = childOf(outer.pid);
      assertEquals(withPidfd(sentry, (fd) => ownProcess(fd, sentry)), sentry);
      for (const pid of [outer.pid, Deno.pid, 1]) {
        const error = withPidfd(pid, (fd) => assertThrows(() => ownProcess(fd, sentry), UserError));
        assertEquals(error.message, "the sandbox sends a process that is not its own");
      }
      const other = eventfd();
      assertThrows(() => ownProcess(other, sentry), UserError);
      close(other);
    } finally {
      outer.kill("SIGKILL");
      await outer.status;
    }
  },
});
