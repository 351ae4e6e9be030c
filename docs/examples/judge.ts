/**
 * Judges untrusted programs by tests, with limits of time, memory, processes and output. The first
 * test that a submission fails gives its verdict.
 *
 *     deno task example judge
 *
 * A limit is for the whole tree of processes that a submission starts. Some of these submissions
 * fork without end, ignore signals, leave a child in another session or print for ever; each is
 * gone at its limit, with all that came from it.
 */

import { type ExecResult, NotFoundError, Sandbox } from "../../mod.ts";

type Verdict =
  | "accepted"
  | "wrong answer"
  | "time limit"
  | "memory limit"
  | "output limit"
  | "run-time error";

interface Submission {
  readonly author: string;
  readonly source: string;
}

/** Numbers on one line; their sum is wanted. */
const TESTS = [
  { input: "3 4 5\n", expected: "12\n" },
  { input: "7\n", expected: "7\n" },
  { input: `${"1 ".repeat(10_000)}\n`, expected: "10000\n" },
] as const;

/** Time by the clock: generous, as the machine may be busy. */
const TIME_MS = 5_000, OUTPUT_BYTES = 1 << 20;
const LIMITS = { memoryBytes: 64 << 20, pids: 32, cpus: 1 };
const AT_ONCE = 4;

const FORK_BOMB = `
import os
while True:
    try: os.fork()
    except OSError: pass
`;
const ORPHAN = `
import os, time
if os.fork() == 0: os.setsid()
os.close(1), os.close(2)
time.sleep(1000)
`;
const DEAF = `
import signal
for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
    signal.signal(number, signal.SIG_IGN)
while True: signal.pause()
`;
const SUBMISSIONS: readonly Submission[] = [
  { author: "ada", source: "print(sum(map(int, input().split())))" },
  { author: "bob", source: "print(max(map(int, input().split())))" },
  { author: "cat", source: "a, b, c = map(int, input().split())\nprint(a + b + c)" },
  { author: "dan", source: "while True: print('more')" },
  { author: "eve", source: FORK_BOMB },
  { author: "fay", source: ORPHAN },
  { author: "gus", source: "x = []\nwhile True: x.append(bytearray(1 << 20))" },
  { author: "hal", source: DEAF },
];

function verdictOf({ code, reason, text }: ExecResult, expected: string): Verdict {
  if (reason === "timeout") return "time limit";
  if (reason === "oom") return "memory limit";
  if (reason === "output") return "output limit";
  if (code !== 0) return "run-time error";
  return text === expected ? "accepted" : "wrong answer";
}

/** A line about a submission: its verdict, and how many tests it passed. */
async function judge({ author, source }: Submission): Promise<string> {
  await using box = await Sandbox.create();
  await box.fs.writeFile("/tmp/main.py", source);
  let passed = 0, verdict: Verdict = "accepted";
  for (const { input, expected } of TESTS) {
    const result = await box.exec(["python3", "/tmp/main.py"], {
      cwd: "/tmp",
      stdin: input,
      timeoutMs: TIME_MS,
      maxOutputBytes: OUTPUT_BYTES,
      limits: LIMITS,
    });
    verdict = verdictOf(result, expected);
    if (verdict !== "accepted") break;
    passed++;
  }
  const { processes } = await box.stats();
  const left = processes === 0 ? "" : `, and ${processes} processes were left`;
  return `${author}: ${verdict}, ${passed} of ${TESTS.length} tests passed${left}`;
}

/** Judges all, a few at a time, and prints the lines in the order of the submissions. */
async function judgeAll(): Promise<void> {
  const lines: string[] = [], waiting = SUBMISSIONS.entries();
  const worker = async () => {
    for (const [i, submission] of waiting) lines[i] = await judge(submission);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  console.log(lines.join("\n"));
}

if (import.meta.main) {
  try {
    await judgeAll();
  } catch (error) {
    if (!(error instanceof NotFoundError)) throw error;
    console.error(error.message); // there is no python3 here, or no dvisor
    Deno.exit(2);
  }
}
