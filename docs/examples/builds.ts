/**
 * A build farm: projects in several languages, each built in a sandbox of its own. As many build at
 * a time as the machine has processors. A project whose compiler is missing is left out.
 *
 *     deno task example builds [DIRECTORY]     # keeps what was built there
 *
 * A build sees the machine's compilers and no network, and what it writes stays in its sandbox. Of
 * that only the artifact is copied out.
 */

import { Sandbox } from "../../mod.ts";

interface Project {
  readonly name: string;
  /** Text of each file. */
  readonly files: Readonly<Record<string, string>>;
  readonly compiler: string;
  /** For the shell; it makes `out`, a file or a directory. */
  readonly build: string;
  /** Runs what was built, in a sandbox that has nothing else of the project. */
  readonly run: string;
}

const SRC = "/tmp/src", BUILD_MS = 120_000, RUN_MS = 30_000;
const LIMITS = { memoryBytes: 1 << 30, pids: 200, diskBytes: 256 << 20 };

const PROJECTS: readonly Project[] = [
  {
    name: "c",
    files: {
      "main.c": `#include "greet.h"\nint main(void) { greet("C"); }\n`,
      "greet.h": "void greet(const char *name);\n",
      "greet.c":
        `#include <stdio.h>\nvoid greet(const char *name) { printf("hello from %s\\n", name); }\n`,
    },
    compiler: "gcc",
    build: "gcc -O2 -Wall -Werror -o out main.c greet.c",
    run: "./out",
  },
  {
    name: "c-static",
    files: { "main.c": `#include <stdio.h>\nint main(void) { puts("hello from static C"); }\n` },
    compiler: "gcc",
    build: "gcc -Os -static -s -o out main.c",
    run: "./out",
  },
  {
    name: "broken",
    files: { "main.c": "int main(void) { return no_such_name; }\n" },
    compiler: "gcc",
    build: "gcc -o out main.c",
    run: "./out",
  },
  {
    name: "python",
    files: { "app/__main__.py": `print("hello from a Python archive")\n` },
    compiler: "python3",
    build: "python3 -m zipapp app -o out",
    run: "python3 out",
  },
  {
    name: "typescript",
    files: { "main.ts": `const name: string = "TypeScript";\nconsole.log("hello from", name);\n` },
    compiler: "tsc",
    build: "tsc --outDir out main.ts",
    run: "node out/main.js",
  },
  {
    name: "rust",
    files: { "main.rs": `fn main() { println!("hello from Rust"); }\n` },
    compiler: "rustc",
    build: "rustc -O -o out main.rs",
    run: "./out",
  },
];

async function makeSandbox(): Promise<Sandbox> {
  const box = await Sandbox.create(LIMITS);
  await box.fs.mkdir(SRC);
  return box;
}

/** Builds a project and runs what came out. @returns what happened, in one line */
async function build(project: Project, directory: string): Promise<string> {
  const { files, compiler } = project, artifact = `${directory}/${project.name}`;
  await using box = await makeSandbox();
  const found = await box.sh`command -v ${compiler}`;
  if (found.code !== 0) return `left out, there is no ${compiler} here`;
  for (const [name, text] of Object.entries(files)) {
    const path = `${SRC}/${name}`;
    await box.fs.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    await box.fs.writeFile(path, text);
  }
  const built = await box.exec(["sh", "-c", project.build], { cwd: SRC, timeoutMs: BUILD_MS });
  if (built.reason !== "exit") return `the build ended by ${built.reason}`;
  if (built.code !== 0) return `failed: ${built.errorText.match(/error: .*/)?.[0] ?? built.code}`;
  await box.fs.download(`${SRC}/out`, artifact);

  await using other = await makeSandbox();
  await other.fs.upload(artifact, `${SRC}/out`);
  const ran = await other.exec(["sh", "-c", project.run], { cwd: SRC, timeoutMs: RUN_MS });
  return ran.code === 0 ? `built, says "${ran.text.trim()}"` : `built, fails: ${ran.errorText}`;
}

/** Builds all, one for each processor at a time. @returns a line for each project */
async function buildAll(directory: string): Promise<string[]> {
  const lines: string[] = [], waiting = PROJECTS.entries();
  const worker = async () => {
    for (const [i, project] of waiting) {
      lines[i] = `${project.name}: ${await build(project, directory)}`;
    }
  };
  await Promise.all(Array.from({ length: navigator.hardwareConcurrency }, worker));
  return lines;
}

if (import.meta.main) {
  const kept = Deno.args[0];
  const directory = kept ?? await Deno.makeTempDir({ prefix: "dvisor-builds-" });
  try {
    console.log((await buildAll(directory)).join("\n"));
  } finally {
    if (kept === undefined) await Deno.remove(directory, { recursive: true });
  }
}
