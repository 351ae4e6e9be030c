/**
 * Writes to every file of /proc, /sys and the control groups that can be written, by root and by an
 * ordinary user of two containers: texts of the corpus and changed ones, in one write or in pieces,
 * at odd places, and the files read again. The programs run in the world of the kernel's fuzzer,
 * and its oracles hold: nothing is thrown, the other container is as before, a user gains nothing,
 * the kernel's structures agree, and everything is given back.
 */

import { assert } from "@std/assert";
import { O_DIRECTORY, O_RDONLY, O_RDWR, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import { S_IFDIR, S_IFMT, S_IFREG } from "../../ffi/abi/stat.ts";
import { rootCredentials } from "../../kernel/cred/credentials.ts";
import { ContainerCaller } from "../../kernel/init.ts";
import { openAt } from "../../kernel/vfs/open.ts";
import { statAt } from "../../kernel/vfs/status.ts";
import { ROOT } from "../harness/dvisor.ts";
import { runCases } from "../harness/fuzz_run.ts";
import type { Random } from "../harness/seeded.ts";
import { DATA, DATA_BYTES } from "../sim/guest.ts";
import { runProgram, shrink } from "./kernel/fuzzer.ts";
import { encodeProgram, type Program, type Step } from "./kernel/program.ts";
import { type Actor, ACTORS, World } from "./kernel/world.ts";

const TREES = ["/proc", "/sys", "/cgroup"], DEPTH_MAX = 8, NO_FOLLOW = 0x100;
const CWD = -100;
/** Trees of processes: those of this one and of the first. Others have the same files. */
const OTHER_PROCESS = /^\/proc\/([2-9]|1\d)|\/(root|cwd|fd|fdinfo|map_files|task)$/;
/** Files that one program opens. */
const FILES_MAX = 12;
/** Where a step's path and its text are. */
const PATH_AT = DATA, TEXT_AT = DATA + 0x1000;
const TEXT_MAX = DATA_BYTES - 0x1000;

const TEXTS: readonly string[] = Deno.readTextFileSync(`${ROOT}/tests/fuzz/corpus/proc/texts.txt`)
  .trimEnd().split("\n").map((line) => line.replaceAll("\\n", "\n"));

interface Found {
  readonly writable: readonly string[];
  readonly readable: readonly string[];
}

/** The files of the trees, as root of a container sees them. */
function findFiles(): Found {
  const world = new World(), container = world.containers[0]!;
  const caller = new ContainerCaller(container, rootCredentials(), 0);
  const writable: string[] = [], readable: string[] = [], left = [...TREES];
  for (let path = left.pop(); path !== undefined; path = left.pop()) {
    const inode = statAt(caller, CWD, path, NO_FOLLOW);
    if (typeof inode === "number" || OTHER_PROCESS.test(path)) continue;
    const type = inode.mode & S_IFMT;
    if (type === S_IFREG) {
      if ((inode.mode & 0o222) !== 0) writable.push(path);
      if ((inode.mode & 0o444) !== 0) readable.push(path);
    }
    if (type !== S_IFDIR || path.split("/").length > DEPTH_MAX) continue;
    const dir = openAt(caller, CWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (typeof dir === "number") continue;
    dir.readdir((name) => {
      if (name !== "." && name !== "..") left.push(`${path}/${name}`);
      return true;
    });
    dir.drop();
  }
  caller.files.drop();
  caller.fs.drop();
  world.close();
  return { writable: writable.sort(), readable: readable.sort() };
}

/** A process of its own stands for all: a path that begins with it is that of the caller. */
function ofSelf(random: Random, path: string): string {
  return path.startsWith("/proc/1/") && random.below(4) !== 0
    ? path.replace("/proc/1/", "/proc/self/")
    : path;
}

function bytesOf(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(text, (char) => char.charCodeAt(0));
}

function drawText(random: Random): Uint8Array<ArrayBuffer> {
  let text = random.pick(TEXTS);
  switch (random.below(10)) {
    case 0:
      text = `${text}${random.pick([" ", "\n", "\t", ","])}${random.pick(TEXTS)}`;
      break;
    case 1:
      text = text.repeat(1 + random.below(200)).slice(0, 5000);
      break;
    case 2:
      text = `${text}\0${random.pick(TEXTS)}`;
      break;
    case 3:
      text = `${random.pick(TEXTS)}\n`.repeat(random.below(400));
      break;
    case 4:
      text = String.fromCharCode(
        ...Array.from({ length: random.below(40) }, () => random.below(256)),
      );
      break;
  }
  const end = random.below(3) === 0 ? "" : "\n";
  return bytesOf(text + end).slice(0, TEXT_MAX);
}

/** Steps of one actor; each carries the memory that it needs. */
class Script {
  readonly steps: Step[] = [];
  actor: Actor = 0;

  add(name: string, args: readonly number[], path: string | null = null): void {
    const nr = NAMES.indexOf(name);
    if (nr < 0) throw new Error(`no such call: ${name}`);
    const writes = path === null ? [] : [{ at: PATH_AT, bytes: bytesOf(`${path}\0`) }];
    this.steps.push({ actor: this.actor, nr, args, writes });
  }

  write(name: string, fd: number, text: Uint8Array<ArrayBuffer>, offset: number): void {
    const nr = NAMES.indexOf(name), args = [fd, TEXT_AT, text.length, offset];
    this.steps.push({ actor: this.actor, nr, args, writes: [{ at: TEXT_AT, bytes: text }] });
  }
}

function drawFile(random: Random, script: Script, { writable, readable }: Found): void {
  if (random.below(8) === 0) {
    const group = random.pick(["/cgroup/g", "/cgroup/g/h", "/cgroup/k"]);
    const name = random.below(3) === 0 ? "rmdir" : "mkdir";
    script.add(name, [PATH_AT, 0o755], group);
    if (random.below(2) === 0) return;
  }
  const isRead = random.below(8) === 0, wanted = random.pick(isRead ? readable : writable);
  const flags = isRead ? O_RDONLY : random.pick([O_WRONLY, O_WRONLY, O_RDWR, 0o2001, 0o1001]);
  const path = wanted.startsWith("/cgroup/") && random.below(2) === 0
    ? wanted.replace("/cgroup/", "/cgroup/g/")
    : ofSelf(random, wanted);
  script.add("openat", [CWD, PATH_AT, flags, 0], path);
  for (let n = isRead ? 0 : 1 + random.below(3); n > 0; n--) {
    const isPlaced = random.below(6) === 0, offset = random.pick([0, 1, 5, 4096, -1, 2 ** 40]);
    script.write(isPlaced ? "pwrite64" : "write", 0, drawText(random), isPlaced ? offset : 0);
  }
  const size = random.pick([1, 100, 4096, 60_000]);
  if (random.below(2) === 0) {
    script.add("pread64", [0, TEXT_AT, size, random.pick([0, 0, 3, 4096])]);
  }
  if (random.below(10) === 0) script.add("lseek", [0, random.pick([0, -1, 7]), random.below(5)]);
  // The next file has the same number.
  script.add("close", [0]);
}

function draw(random: Random, found: Found): Program {
  const script = new Script(), actors = random.pick([ACTORS, [0, 1], [1], [2, 3]] as const);
  for (let n = 1 + random.below(FILES_MAX); n > 0; n--) {
    script.actor = random.pick<Actor>(actors);
    if (random.below(12) === 0) script.add("unshare", [random.pick([0x10000000, 0x2000000])]);
    drawFile(random, script, found);
  }
  return script.steps;
}

Deno.test("hostile texts in the files of /proc, /sys and control groups", async () => {
  const found = findFiles();
  console.log(`${found.writable.length} files to write, ${found.readable.length} to read`);
  assert(found.writable.length > 100);
  await runCases("proc", { ci: 500, full: 20_000 }, (random) => {
    const program = draw(random, found), what = runProgram(program);
    if (what === null) return;
    throw new Error(`${what}\n${encodeProgram(shrink(program, what))}`);
  });
});
