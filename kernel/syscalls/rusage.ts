/** struct rusage as wait4(2) and getrusage(2) store it. */

import { Rusage } from "../../ffi/abi/resource.ts";
import type { Scratch } from "../task/kernel_services.ts";
import type { Usage } from "../task/thread_group.ts";

const BLOCK = 512;

/** Fills the start of the scratch buffer. */
export function fillRusage(scratch: Scratch, usage: Usage): void {
  const at = Rusage.at;
  scratch.clear(Rusage.size);
  setTime(scratch, at.utime, usage.userNs);
  setTime(scratch, at.stime, usage.systemNs);
  scratch.setU53(at.maxrss, usage.maxRssKiB);
  scratch.setU53(at.minflt, usage.minorFaults);
  scratch.setU53(at.majflt, usage.majorFaults);
  scratch.setU53(at.inblock, Math.floor(usage.transfers.fetchedBytes / BLOCK));
  scratch.setU53(at.oublock, Math.floor(usage.transfers.storedBytes / BLOCK));
  scratch.setU53(at.nvcsw, usage.voluntarySwitches);
  scratch.setU53(at.nivcsw, usage.involuntarySwitches);
}

/** A struct timeval. */
function setTime(scratch: Scratch, at: number, ns: number): void {
  scratch.setU53(at, Math.floor(ns / 1e9));
  scratch.setU53(at + 8, Math.floor((ns % 1e9) / 1000));
}
