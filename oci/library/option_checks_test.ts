import { assertEquals, assertThrows } from "@std/assert";
import { InvalidArgumentError } from "./errors.ts";
import { checkOptions } from "./option_checks.ts";
import { EXEC_CHECKS, SANDBOX_CHECKS, SPAWN_CHECKS } from "./options.ts";

function problem(options: unknown, checks = SANDBOX_CHECKS): string {
  return assertThrows(() => checkOptions("f", options, checks), InvalidArgumentError).message;
}

Deno.test("options: a wrong value is named, with what it must be", () => {
  const cases: [unknown, string][] = [
    [{ memoryBytes: "64M" }, 'memoryBytes must be a whole number of at least 4 MiB, got "64M"'],
    [{ memoryBytes: 1000 }, "memoryBytes must be a whole number of at least 4 MiB, got 1000"],
    [{ memoryBytes: NaN }, "memoryBytes must be a whole number of at least 4 MiB, got NaN"],
    [
      { memoryBytes: 5e6 + 0.5 },
      "memoryBytes must be a whole number of at least 4 MiB, got 5000000.5",
    ],
    [{ memoryBytes: 1n }, "memoryBytes must be a whole number of at least 4 MiB, got 1n"],
    [{ cpus: 0 }, "cpus must be a number of processors from 0.01, as 0.5 or 2, got 0"],
    [{ pids: 0 }, 'pids must be "max" or a whole number of at least 1, got 0'],
    [
      { timeoutMs: 0 },
      "timeoutMs must be a number of milliseconds, more than 0 and at most a century, or null, " +
      "got 0",
    ],
    [
      { startTimeoutMs: 1e10 },
      "startTimeoutMs must be a number of milliseconds from 0 to 2147483647, got 10000000000",
    ],
    [{ network: "bridge" }, 'network must be "none" or "host", got "bridge"'],
    [{ env: { A: 1 } }, 'env must be an object whose values are strings, got {"A":1}'],
    [{ env: { "A=B": "" } }, 'env must be an object whose values are strings, got {"A=B":""}'],
    [{ cwd: "tmp" }, 'cwd must be an absolute path, got "tmp"'],
    [
      { user: { uid: 1 } },
      'user must be the name of a user, or { uid, gid } with numbers, got {"uid":1}',
    ],
    [
      { mounts: [{ source: "/" }] },
      "mounts must be an array of objects with source and destination, " +
      'got [{"source":"/"}]',
    ],
    [{ persistent: 1 }, "persistent must be true or false, got 1"],
    [{ signal: {} }, "signal must be an AbortSignal, got {}"],
    [null, "the options of f must be an object, got null"],
    [[], "the options of f must be an object, got []"],
  ];
  for (const [options, message] of cases) assertEquals(problem(options), message);
  const limits = problem({ limits: { memory: 1 } }, EXEC_CHECKS);
  assertEquals(limits, "limits has no option memory; it has memoryBytes, cpus, cpuMs, pids");
  assertEquals(
    problem({ pty: { cols: 80.5, rows: 1 } }, SPAWN_CHECKS),
    "cols must be a whole number from 1 to 65535, got 80.5",
  );
});

Deno.test("options: an unknown name is an error, with the one that was meant", () => {
  assertEquals(
    problem({ memorybytes: 1 }),
    "f has no option memorybytes; did you mean memoryBytes?",
  );
  assertEquals(problem({ timeout: 1 }), "f has no option timeout; did you mean timeoutMs?");
  assertEquals(problem({ stdIn: "" }, EXEC_CHECKS), "f has no option stdIn; did you mean stdin?");
  assertEquals(
    problem({ toString: 1 }, EXEC_CHECKS),
    "f has no option toString; it has cwd, env, user, timeoutMs, maxOutputBytes, signal, " +
      "detached, limits, stdin, onStdout, onStderr",
  );
});

Deno.test("options: right values, absent and undefined ones pass", () => {
  checkOptions("f", {}, SANDBOX_CHECKS);
  checkOptions("f", { memoryBytes: undefined, timeoutMs: null, idleMs: 0.5 }, SANDBOX_CHECKS);
  checkOptions("f", { memoryBytes: 512e6, cpus: 0.25, user: { uid: 0, gid: 7 } }, SANDBOX_CHECKS);
  checkOptions("f", { mounts: [{ source: ".", destination: "/m" }] }, SANDBOX_CHECKS);
  checkOptions("f", { stdin: new ReadableStream(), limits: { pids: 3 } }, EXEC_CHECKS);
});
