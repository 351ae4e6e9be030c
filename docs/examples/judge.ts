/**
 * Judges untrusted programs: each submission runs in a sandbox of its own, with limits of time,
 * memory and processes, and its output is compared with what is expected. The limits are for all
 * that a submission starts: a child in another session ends at the deadline, too.
 *
 *     deno run -A docs/examples/judge.ts
 */

import { Sandbox } from "../../mod.ts";

interface Submission {
  readonly author: string;
  readonly source: string;
}

type Verdict =
  | "accepted"
  | "wrong answer"
  | "time limit"
  | "memory limit"
  | "output limit"
  | "run-time error";

const INPUT = "3 4 5\n", EXPECTED = "12\n";
const TIME_MS = 10_000, OUTPUT_BYTES = 1 << 20;
const LIMITS = { memoryBytes: 256 << 20, pids: 32 };

const SUBMISSIONS: readonly Submission[] = [
  { author: "ada", source: "print(sum(map(int, input().split())))" },
  { author: "bob", source: "print(max(map(int, input().split())))" },
  { author: "eve", source: "while True: pass" },
  {
    author: "fay",
    source: "import os, time\nif os.fork() == 0: os.setsid()\ntime.sleep(1000)",
  },
  { author: "mal", source: "x = []\nwhile True: x.append(bytearray(1 << 20))" },
  { author: "pat", source: "while True: print('more')" },
  { author: "rex", source: "open('/etc/passwd', 'w').write('rex')\nraise SystemExit(7)" },
];

async function judge({ source }: Submission): Promise<Verdict> {
  await using box = await Sandbox.create();
  await box.fs.writeFile("/tmp/main.py", source);
  const { code, reason, text } = await box.exec(["python3", "/tmp/main.py"], {
    stdin: INPUT,
    timeoutMs: TIME_MS,
    maxOutputBytes: OUTPUT_BYTES,
    limits: LIMITS,
  });
  if (reason === "timeout") return "time limit";
  if (reason === "oom") return "memory limit";
  if (reason === "output") return "output limit";
  if (code !== 0) return "run-time error";
  return text === EXPECTED ? "accepted" : "wrong answer";
}

if (import.meta.main) {
  const verdicts = await Promise.all(SUBMISSIONS.map(judge));
  SUBMISSIONS.forEach(({ author }, i) => console.log(`${author}: ${verdicts[i]}`));
}
