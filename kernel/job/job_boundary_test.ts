import { assertEquals } from "@std/assert";
import { EPERM } from "../../ffi/abi/errno.ts";
import { PTRACE_ATTACH } from "../../ffi/abi/ptrace.ts";
import type { Task } from "../task/task.ts";
import { JobLab } from "./job_testing.ts";

Deno.test("a process of a job with limits controls no process outside", () => {
  const lab = new JobLab(), { kernel } = lab;
  const limited = lab.start({ wallNs: 1e9 }).main, free = lab.start().main;
  const child = lab.fork(limited);
  const attach = (from: Task, to: Task) => {
    return kernel.call(from, "ptrace", PTRACE_ATTACH, to.tid, 0, 0);
  };
  assertEquals(attach(limited, free), -EPERM);
  assertEquals(attach(limited, lab.init), -EPERM);
  assertEquals(attach(limited, child), 0);
  assertEquals(attach(free, limited), 0);
  lab.close();
});
