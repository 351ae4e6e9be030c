/**
 * Judges untrusted programs: each submission runs in a sandbox of its own, with limits of time and
 * memory, and its output is compared with what is expected.
 *
 *     deno run -A docs/examples/judge.ts
 */

import { Sandbox } from "../../mod.ts";

interface Submission {
  readonly author: string;
  readonly source: string;
}

type Verdict = "accepted" | "wrong answer" | "time limit" | "memory limit" | "run-time error";

const INPUT = "3 4 5\n", EXPECTED = "12\n";
const TIME_MS = 3_000, MEMORY_BYTES = 256 << 20;

const SUBMISSIONS: readonly Submission[] = [
  { author: "ada", source: "print(sum(map(int, input().split())))" },
  { author: "bob", source: "print(max(map(int, input().split())))" },
  { author: "eve", source: "while True: pass" },
  { author: "mal", source: "x = []\nwhile True: x.append(bytearray(1 << 20))" },
  { author: "rex", source: "open('/etc/passwd', 'w').write('rex')\nraise SystemExit(7)" },
];

async function judge({ source }: Submission): Promise<Verdict> {
  await using sandbox = await Sandbox.create({ network: "none", memoryBytes: MEMORY_BYTES });
  await sandbox.writeFile("/tmp/main.py", source);
  const result = await sandbox.exec(["python3", "/tmp/main.py"], {
    stdin: INPUT,
    timeoutMs: TIME_MS,
    maxOutputBytes: 1 << 20,
  });
  if (result.isOverdue) return "time limit";
  // The kernel of the sandbox kills what needs too much; python3 may notice first.
  if (result.code === 137 || result.errorText.includes("MemoryError")) return "memory limit";
  if (result.code !== 0) return "run-time error";
  return result.text === EXPECTED ? "accepted" : "wrong answer";
}

if (import.meta.main) {
  const verdicts = await Promise.all(SUBMISSIONS.map(judge));
  SUBMISSIONS.forEach(({ author }, i) => console.log(`${author}: ${verdicts[i]}`));
}
