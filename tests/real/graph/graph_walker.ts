/**
 * Makes each kernel of this process walk its graph of objects when a guest asks: a task that is
 * named "walk LABEL" waits until its name is "walked" (walk.sh, python.py). So the walk meets the
 * guests in a state that they have chosen. What it found goes to the debug log, a line of JSON a
 * walk.
 *
 * The walk happens where the loop polls the host, between two turns, which is where a snapshot
 * would be taken. Nothing of this is in the product.
 */

import { SandboxKernel } from "../../../kernel/kernel.ts";
import { RealHost } from "../../../oci/boot/real_host.ts";
import { Findings } from "../../sim/graph_findings.ts";

/** In front of the JSON of a walk. */
export const MARK = "graph of objects: ";
/** LIMIT: lines of findings, as a line of the log has to fit its buffer. */
const LINES_MAX = 100;
const REQUEST = "walk ";

export interface WalkReport {
  readonly label: string;
  readonly objects: number;
  readonly classes: readonly string[];
  readonly findings: readonly string[];
}

/** Makes kernels that start from now on serve requests for walks. */
export function walkOnRequest(): void {
  const { run } = SandboxKernel.prototype;
  SandboxKernel.prototype.run = function (this: SandboxKernel): number {
    serveRequests(this);
    return run.call(this);
  };
}

/** Looks for requests in each poll of the kernel's host. */
function serveRequests(kernel: SandboxKernel): void {
  const { host } = kernel;
  if (!(host instanceof RealHost)) throw new Error("this kernel has no real host");
  const { events } = host, poll = events.poll.bind(events);
  events.poll = (timeoutNs) => {
    for (const task of kernel.pids.tasks.values()) {
      if (!task.comm.startsWith(REQUEST)) continue;
      reportWalk(kernel, task.comm.slice(REQUEST.length));
      task.comm = "walked";
    }
    poll(timeoutNs);
  };
}

/** Walks the kernel and writes what was found to its log. */
function reportWalk(kernel: SandboxKernel, label: string): void {
  const findings = new Findings(), objects = findings.walk(kernel);
  const walked: WalkReport = {
    label,
    objects,
    classes: [...findings.classes],
    findings: [...findings.lines].slice(0, LINES_MAX),
  };
  kernel.log(MARK + JSON.stringify(walked));
}
