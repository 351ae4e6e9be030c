/**
 * Moves the clocks of each kernel of this process when a guest asks, as a restore moves them: a
 * task that is named "clock MONOTONIC REALTIME" (seconds by which the clocks jump) waits until its
 * name is "moved" (clock.py). Nothing of this is in the product.
 */

import { SandboxKernel } from "../../../kernel/kernel.ts";
import type { Task } from "../../../kernel/task/task.ts";
import { readStoppedClocks, resumeClocks } from "../../../kernel/snapshot/clocks.ts";

const REQUEST = /^clock (-?\d+) (-?\d+)$/;

/** Makes kernels that start from now on serve requests. */
export function moveOnRequest(): void {
  const { run } = SandboxKernel.prototype;
  SandboxKernel.prototype.run = function (this: SandboxKernel): number {
    serveRequests(this);
    return run.call(this);
  };
}

/** Stops the world when a guest asks. */
function serveRequests(kernel: SandboxKernel): void {
  const { loop: { server, quiescence }, pids } = kernel, serve = server.serve.bind(server);
  const isAsked = (task: Task) => REQUEST.test(task.comm);
  const onStandstill = () => {
    for (const task of pids.tasks.values()) if (isAsked(task)) moveFor(kernel, task);
    quiescence.resume();
  };
  server.serve = (now) => {
    if (pids.tasks.values().some(isAsked)) quiescence.request({ onStandstill, onSandboxEnd });
    return serve(now);
  };
}

function onSandboxEnd(): void {}

function moveFor(kernel: SandboxKernel, task: Task): void {
  const [, monotonic, realtime] = REQUEST.exec(task.comm) ?? [];
  move(kernel, Number(monotonic), Number(realtime));
  task.comm = "moved";
}

function move(kernel: SandboxKernel, monotonicSec: number, realtimeSec: number): void {
  const now = readStoppedClocks(kernel.host);
  resumeClocks(kernel, {
    monotonicNs: now.monotonicNs + monotonicSec * 1e9,
    realtimeSec: now.realtimeSec - realtimeSec,
    realtimeNsec: now.realtimeNsec,
  });
}
