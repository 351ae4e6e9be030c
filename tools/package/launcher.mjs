#!/usr/bin/env node
/**
 * The command `dvisor` of the package for npm: runs the executable of the package for this
 * platform, with its exit code, and passes signals on.
 */

import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import process from "node:process";
import { isatty } from "node:tty";

/** The terminal sends these to both processes. */
const FROM_TERMINAL = ["SIGINT", "SIGQUIT"];
const PASSED = [...FROM_TERMINAL, "SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGCONT"];

function findExecutable() {
  const name = `@dvisor/${process.platform}-${process.arch}`;
  try {
    return createRequire(import.meta.url).resolve(`${name}/dvisor`);
  } catch {
    const wanted = name === "@dvisor/linux-x64"
      ? "install it: npm leaves it out with --omit=optional"
      : "dvisor runs on Linux on x86-64 alone";
    console.error(`dvisor: the package ${name} is missing; ${wanted}`);
    process.exit(1);
  }
}

const child = spawn(findExecutable(), process.argv.slice(2), { stdio: "inherit" });
for (const signal of PASSED) {
  const isShared = FROM_TERMINAL.includes(signal) && isatty(0);
  // Not child.kill(): in Deno, a child that catches the signal would then count as killed by it.
  process.on(signal, () => isShared || pass(signal));
}

function pass(signal) {
  try {
    process.kill(child.pid, signal);
  } catch {
    // It has ended, and "exit" comes next.
  }
}

child.on("error", (error) => {
  console.error(`dvisor: cannot run ${child.spawnfile}: ${error.message}`);
  process.exit(1);
});
child.on("exit", (code, signal) => {
  if (signal === null) process.exit(code);
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
});
