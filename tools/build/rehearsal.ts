/**
 * The rehearsal: runs a sandbox once, so that V8 compiles what most sandboxes need, and puts the
 * compiled code behind the binary. Where the machine that builds cannot run a sandbox, the binary
 * goes without, and starts slower.
 *
 * The binary that rehearses is the real one, with a mark in front of the program; the part whose
 * code is kept is the same in both to the byte. Neighbour: oci/compiled_part.ts, which is what runs
 * inside.
 */

import { encodeAppendix } from "../../ffi/sys/appendix.ts";
import { type BaseChoice, compileProgram } from "./compile.ts";
import type { BundledOutput } from "./program.ts";
import { GOFER_NAME, NAME } from "./staleness.ts";
import { wholeCode } from "./whole_code.ts";

/** The entry with compiled code, of the part `kernel`: as oci/parts.ts has it. */
const KERNEL = "kernel", KERNEL_CODE = "kernel code";

/**
 * LIMIT: the rehearsal takes half a second, and on a machine that works for others as well up to a
 * minute.
 */
const TIMEOUT_S = 120;

/**
 * Commands that make the calls of shells and small tools. A missing tool and its output do not
 * matter.
 */
const PLAY = `
cd /tmp && mkdir -p a/b && echo one > a/x && cat a/x a/nothing
ls -la / a | sort | head -5; find /etc -maxdepth 1 -type f | wc -l
for i in 1 2 3; do (echo $i) | cat; /bin/true; done
cp a/x a/y && mv a/y a/z && ln -s x a/s && readlink a/s; chmod 600 a/z; touch a/t; df a; id; uname
grep -r one a; tail -1 a/x; date; env | cut -c1-9; stat a/x
sleep 0.01 & wait; trap 'echo t' TERM; kill -TERM $$
python3 -c 'import subprocess, threading, socket; subprocess.run(["true"])'
perl -e 'print 1'
rm -rf a
`;

/**
 * Puts the parts behind the file `binary`, and the compiled code of one: what a rehearsal needed,
 * or all of it, if the same tree is to make the same bytes everywhere.
 *
 * @throws Error if a binary cannot be made
 */
export async function addParts(
  binary: string,
  output: BundledOutput,
  base: BaseChoice,
  workDir: string,
  isReproducible: boolean,
): Promise<void> {
  const entries = new Map<string, Uint8Array>();
  for (const [part, text] of output.parts) entries.set(part, new TextEncoder().encode(text));
  const code = isReproducible
    ? await wholeCode(output.parts.get(KERNEL) ?? "", base, workDir)
    : await rehearsedCode(output, entries, base, workDir);
  if (code !== null) {
    entries.set(KERNEL_CODE, code);
    console.log(`${NAME}: ${Math.round(code.length / 1024)} KB of compiled code`);
  }
  await Deno.writeFile(binary, encodeAppendix(entries), { append: true });
}

/** Null where this machine cannot run a sandbox. */
async function rehearsedCode(
  output: BundledOutput,
  entries: ReadonlyMap<string, Uint8Array>,
  base: BaseChoice,
  workDir: string,
): Promise<Uint8Array | null> {
  const folder = `${workDir}/rehearsal`, rehearsing = `${folder}/${NAME}`, code = `${folder}/code`;
  await Deno.mkdir(folder);
  const marked = `globalThis.dvisorRehearsal={script:null};${output.script}`;
  await compileProgram(marked, rehearsing, NAME, base, folder);
  await Deno.writeFile(rehearsing, encodeAppendix(entries), { append: true });
  await secondName(rehearsing, `${folder}/${GOFER_NAME}`);
  const problem = await rehearse(rehearsing, code);
  if (problem === null) return await Deno.readFile(code);
  console.log(`${NAME}: no compiled code, it will start slower: ${problem}`);
  return null;
}

/** Another name for a file, or a copy where the file system has no links. */
export async function secondName(path: string, name: string): Promise<void> {
  try {
    await Deno.link(path, name);
  } catch {
    await Deno.copyFile(path, name);
  }
}

/** The code goes to the file `log`. Returns what went wrong, or null. */
async function rehearse(binary: string, log: string): Promise<string | null> {
  const child = new Deno.Command(binary, {
    args: ["do", "--debug-log", log, "--", "/bin/sh", "-c", `{ ${PLAY} } >/dev/null 2>&1; exit 0`],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    child.kill("SIGKILL");
  }, TIMEOUT_S * 1000);
  const { success, stderr } = await child.output();
  clearTimeout(timer);
  if (isLate) return `the rehearsal took longer than ${TIMEOUT_S} s`;
  const text = new TextDecoder().decode(stderr).trim().split("\n").at(-1) ?? "";
  return success ? null : text === "" ? "the rehearsal failed" : text;
}
