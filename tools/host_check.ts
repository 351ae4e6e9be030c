/**
 * Whether this machine can build and test dvisor at all. Not what a sandbox needs of a host: that
 * is `dvisor doctor`. Neighbours: every task script calls it first.
 */

import { fromFileUrl } from "@std/path";

/** The only Deno that the home-made base, the FFI calls and the numbers were checked with. */
const DENO_VERSION = "2.9.6";

/** The root folder of the project, without a trailing separator. */
export const ROOT: string = fromFileUrl(new URL("..", import.meta.url)).replace(/\/$/, "");

/** Returns the fault of this machine with a remedy, as one sentence, or null. */
export function hostProblem(
  os: string = Deno.build.os,
  arch: string = Deno.build.arch,
  version: string = Deno.version.deno,
): string | null {
  if (os !== "linux" || arch !== "x86_64") {
    return `dvisor needs Linux on x86-64, and this is ${os} on ${arch}: ` +
      "use an x86-64 Linux machine or virtual machine.";
  }
  if (version !== DENO_VERSION) {
    return `dvisor is built with Deno ${DENO_VERSION}, and this is Deno ${version}: ` +
      `run \`npx --yes deno@${DENO_VERSION} task TASK\` instead.`;
  }
  return null;
}

/** Ends the process with exit code 1 and one sentence when this machine cannot build dvisor. */
export function requireHost(): void {
  const problem = hostProblem();
  if (problem === null) return;
  console.error(problem);
  Deno.exit(1);
}
