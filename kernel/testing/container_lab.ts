/**
 * A lab of containers for unit tests: a whole kernel on the fake platform. Programs are loaded and
 * stand in guest code; the test interrupts them.
 */

import { assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { Assembler } from "../../ffi/asm/assembler.ts";
import { writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { TRAP_INTERRUPT } from "../../platform/platform.ts";
import { newContainer } from "../containers.ts";
import { TEST_ACCOUNT } from "../core/account_testing.ts";
import { NO_CAPS, rootCredentials, userCredentials } from "../cred/credentials.ts";
import { TmpfsFs } from "../fs/tmpfs/tmpfs.ts";
import { ContainerCaller, type InitSpec, startIn } from "../init.ts";
import { SandboxKernel } from "../kernel.ts";
import { runQueued } from "../syscalls/dispatch.ts";
import type { Container } from "../task/container.ts";
import { onException } from "../task/exception.ts";
import { Limits } from "../task/limits.ts";
import { RUNNING, Task } from "../task/task.ts";
import type { ExitListener, ThreadGroup } from "../task/thread_group.ts";
import { mkdirAt } from "../vfs/create.ts";
import { addMount } from "../vfs/mount_operations.ts";
import { MountNamespace } from "../vfs/mounts.ts";
import { openAt } from "../vfs/open.ts";
import { findAt } from "../vfs/status.ts";
import { BufferCursor } from "../vfs/vfs_testing.ts";
import { LoopDriver } from "../loop_driver.ts";
import { LabKernel } from "./task_lab.ts";

/** Keeps the wait statuses of processes that ended. */
export class Ends implements ExitListener {
  readonly statuses: number[] = [];
  onProcessEnd(group: ThreadGroup): void {
    this.statuses.push(group.exitStatus);
  }
}

const code = new Uint8Array(new Assembler().syscall().assemble(0x401000));
export const image = new Uint8Array(writeExecutable(0x401000, [
  { vaddr: 0x401000, bytes: code, read: true, write: false, exec: true },
]));

/** A kernel whose guests do nothing, and file systems with a program in them. */
export class ContainerLab {
  readonly lab: LabKernel = new LabKernel();
  readonly kernel: SandboxKernel = new SandboxKernel(
    this.lab.host,
    new LoopDriver(this.lab.host, this.lab.platform),
    this.lab.memory.arena,
    { hostname: "host" },
  );

  mounts(): MountNamespace {
    const { memory, vfs } = this.kernel;
    const fs = new TmpfsFs(TEST_ACCOUNT, memory.frames, vfs, { pages: 0, inodes: 0, mode: 0o755 });
    return MountNamespace.of(TEST_ACCOUNT, vfs, fs, 0, "rootfs");
  }

  container(id: string, shares: { pid?: Container } = {}): Container {
    const container = newContainer(this.kernel, {
      accounts: this.kernel.accounts.open(),
      id,
      mounts: this.mounts(),
      hostname: id,
      shares,
    });
    this.fill(new ContainerCaller(container, rootCredentials(), 0));
    return container;
  }

  fill(caller: ContainerCaller): void {
    this.addProgram(caller, "/prog", 0o755);
    mkdirAt(caller, AT_FDCWD, "/proc", 0o755);
    const fs = this.kernel.fsTypes.find("proc")?.create(caller, "proc", "");
    const at = findAt(caller, AT_FDCWD, "/proc", 0);
    if (typeof fs !== "object" || typeof at === "number") throw new Error("no /proc");
    assertEquals(addMount(caller, fs, at, 0, "proc"), 0);
  }

  addProgram(caller: ContainerCaller, path: string, mode: number): void {
    const file = openAt(caller, AT_FDCWD, path, O_WRONLY | O_CREAT, mode);
    if (typeof file === "number") throw new Error(`no ${path}: ${file}`);
    assertEquals(file.write(new BufferCursor(image), 0), image.length);
    file.drop();
  }

  start(container: Container, ends: Ends | null = null, args = ["/prog"], uid = 0): Task {
    const cred = uid === 0 ? rootCredentials() : userCredentials(uid, uid, [], NO_CAPS);
    const task = startIn(this.kernel, container, { ...specOf(args), cred }, ends);
    if (!(task instanceof Task)) throw new Error(`not started: ${task.errno} ${task.what}`);
    this.settle();
    return task;
  }

  settle(): void {
    for (;;) {
      const task = this.kernel.loop.runQueue.shift();
      if (task === null) return;
      runQueued(task);
    }
  }

  close(): void {
    this.lab.close();
  }
}

export function specOf(args: readonly string[], cwd: string = "/"): InitSpec {
  return {
    args,
    env: ["PATH=/"],
    cwd,
    umask: 0o022,
    cred: rootCredentials(),
    limits: new Limits(null),
    leadsSession: true,
    files: [],
  };
}

/** The guest threads of a container notice what they were interrupted for. */
export function interruptAll(lab: ContainerLab, container: Container): void {
  for (const group of [...container.groups]) {
    for (const task of [...group.tasks]) interrupt(lab, task);
  }
  lab.settle();
}

export function interrupt(lab: ContainerLab, task: Task): void {
  if (task.state === RUNNING) {
    task.ctx.trap = TRAP_INTERRUPT;
    onException(task);
  }
  lab.settle();
}
