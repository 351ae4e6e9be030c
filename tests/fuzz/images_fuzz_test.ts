/**
 * What the kernel and the launcher read of an image besides config.json: programs and their
 * interpreters, `#!` lines, file capabilities, ACLs, the passwd file. The loader runs on the fake
 * platform: nothing is thrown, what it gives is within bounds, and a failed or ended program leaves
 * no page and no file. (Layers of an overlay: overlay_fuzz_test.ts; files of a Gofer:
 * tests/gofer/fuzz_test.ts. Layers in tar files are unpacked by the clients, not here.)
 */

import { PAGE_SIZE } from "../../ffi/abi/mman.ts";
import { assert, assertEquals } from "@std/assert";
import { ENOENT } from "../../ffi/abi/errno.ts";
import { type ExecutableOptions, writeExecutable } from "../../ffi/asm/elf_executable.ts";
import { VFS_CAP_REVISION_2, VFS_CAP_REVISION_3 } from "../../ffi/abi/capability.ts";
import { stringToBytes } from "../../kernel/core/bytes.ts";
import { capSet, isSubset } from "../../kernel/cred/cap_set.ts";
import { NO_CAPS, rootCredentials, userCredentials } from "../../kernel/cred/credentials.ts";
import { execCredentials } from "../../kernel/cred/exec_credentials.ts";
import { INITIAL_USER_NAMESPACE } from "../../kernel/cred/user_namespace.ts";
import { load, type LoadRequest, type ProgramOpener } from "../../kernel/loader/load.ts";
import { StringList } from "../../kernel/loader/string_list.ts";
import { HEAD_BYTES, parseScript } from "../../kernel/loader/script.ts";
import type { MemoryManager } from "../../kernel/mm/memory_manager.ts";
import { ImageFile } from "../../kernel/loader/image_file_testing.ts";
import { FrameFileBacking, MemoryLab } from "../../kernel/testing/memory_lab.ts";
import { OpenFile } from "../../kernel/vfs/open_file.ts";
import { decodeAcl, encodeAcl, isValidAcl } from "../../kernel/vfs/posix_acl.ts";
import { translateAcl } from "../../kernel/vfs/xattr_ids.ts";
import { AccountFile } from "../../oci/boot/guest/account_files.ts";
import { homeIn } from "../../oci/boot/guest/home.ts";
import { ROOT } from "../harness/dvisor.ts";
import { runCases } from "../harness/fuzz_run.ts";
import type { Random } from "../harness/seeded.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const PARTS = 2;
const ERRNO_MAX = 133;
/** Where the headers of a program end, about. */
const HEADERS = 64 + 56 * 5, PHDR = 56;
const EDGES = [
  ...[0, 1, 2, 3, 7, 0x7f, 0x80, 0xff, 0xfff, 0x1000, 0x1001, 0xffff, 2 ** 31 - 1, 2 ** 31],
  ...[
    2 ** 32 - 1,
    2 ** 32,
    2 ** 46,
    0x600000000000,
    2 ** 47 - PAGE_SIZE,
    2 ** 47,
    2 ** 53,
    2 ** 63,
    2 ** 64 - PAGE_SIZE,
  ],
];
/** Offsets of the fields of a program header. */
const FIELDS = [0, 4, 8, 16, 24, 32, 40, 48];

function corpus(name: string): string[] {
  const text = Deno.readTextFileSync(`${ROOT}/tests/fuzz/corpus/images/${name}`);
  return text.replaceAll("\\0", "\0").split("\n");
}
const SCRIPTS = corpus("scripts.txt"), PASSWD = corpus("passwd.txt");

/** Static, at any place, with an interpreter, and with one segment alone. */
const PROGRAMS: readonly Bytes[] = [
  makeProgram(0x400000, {}, 2),
  makeProgram(0, { pie: true }, 2),
  makeProgram(0x400000, { interp: "/interp" }, 2),
  makeProgram(0, { pie: true, interp: "/interp" }, 2),
  makeProgram(0, { pie: true }, 1),
  makeProgram(0x600000000000, { pie: true }, 1),
];

function makeProgram(base: number, options: ExecutableOptions, segments: number): Bytes {
  const code = new Uint8Array(5000).fill(0x90), data = new Uint8Array(100).fill(7);
  return new Uint8Array(writeExecutable(
    base + 0x1010,
    [
      { vaddr: base + 0x1000, bytes: code, read: true, write: false, exec: true },
      { vaddr: base + 0x4000, bytes: data, memSize: 20000, read: true, write: true, exec: false },
    ].slice(0, segments),
    options,
  ));
}

function text(s: string): Bytes {
  return Uint8Array.from(s, (char) => char.charCodeAt(0));
}

/** A program, changed in its headers mostly. */
function drawProgram(random: Random): Bytes {
  let bytes = random.pick(PROGRAMS).slice();
  for (let n = random.pick([0, 1, 1, 2, 4]); n > 0; n--) {
    const view = new DataView(bytes.buffer), limit = Math.min(HEADERS, bytes.length);
    const at = random.below(limit), field = 64 + PHDR * random.below(5) + random.pick(FIELDS);
    const kind = random.below(7);
    if (kind === 0) bytes[at]! ^= 1 << random.below(8);
    else if (kind === 1) bytes[at] = random.below(256);
    else if (kind === 2 && field + 8 <= bytes.length) putEdge(view, field, random);
    else if (kind === 3 && (at & ~7) + 8 <= bytes.length) putEdge(view, at & ~7, random);
    else if (kind === 4 && bytes.length > 58) {
      view.setUint16(56, random.pick([0, 1, 13, 1170, 1171, 0xffff]), true);
    } else if (kind === 5 && random.below(3) === 0) bytes = bytes.slice(0, random.below(limit));
    else if (field + 8 <= bytes.length) {
      const old = view.getBigUint64(field, true);
      const step = BigInt(random.pick([-PAGE_SIZE, -1, 1, PAGE_SIZE, 2 ** 20, 2 ** 40]));
      view.setBigUint64(field, BigInt.asUintN(64, old + step), true);
    }
    if (bytes.length < 8) break;
  }
  return bytes;
}

function putEdge(view: DataView, at: number, random: Random): void {
  view.setBigUint64(at, BigInt.asUintN(64, BigInt(random.pick(EDGES))), true);
}

function drawScript(random: Random): Bytes {
  let line = random.pick(SCRIPTS);
  const kind = random.below(5);
  if (kind === 0) line += " ".repeat(random.below(300)) + "x".repeat(random.below(300));
  else if (kind === 1) line = `#!/${"d/".repeat(random.below(140))}x`;
  const bytes = text(random.below(4) === 0 ? line : `${line}\nexit\n`);
  if (kind === 2) bytes[random.below(bytes.length)] = random.pick([0, 9, 10, 13, 32, 255]);
  return bytes;
}

/** The files of an image by their paths. */
class Image implements ProgramOpener {
  readonly files: ReadonlyMap<string, ImageFile<FrameFileBacking>>;

  constructor(lab: MemoryLab, random: Random) {
    const names = ["/prog", "/interp", "/script", "/other"];
    this.files = new Map(names.map((name) => {
      const isScript = name.startsWith("/s") ? random.below(4) !== 0 : random.below(8) === 0;
      const bytes = isScript ? drawScript(random) : drawProgram(random);
      return [name, new ImageFile(bytes, new FrameFileBacking(lab, bytes))];
    }));
  }
  openExec(path: string): OpenFile | number {
    return this.files.get(path)?.hold() ?? -ENOENT;
  }
  identify() {
    return { uid: 1, euid: 2, gid: 3, egid: 4, isSecure: true };
  }
}

/** Areas are in order, apart from each other, and below the end of the address space. */
function assertMapped(mm: MemoryManager): void {
  let end = 0;
  for (const area of mm.vmas.list) {
    assert(area.start >= end && area.end > area.start, `${area.start} to ${area.end}`);
    assert(
      area.start % PAGE_SIZE === 0 && area.end % PAGE_SIZE === 0,
      `${area.start} to ${area.end}`,
    );
    end = area.end;
  }
  assert(end <= mm.layout.maxAddress, `an area ends at ${end}`);
}

function runProgram(random: Random, lab: MemoryLab): void {
  const { frames } = lab.ctx;
  frames.pool.trim();
  const used = frames.usedBytes, image = new Image(lab, random), mm = lab.newManager();
  const path = random.pick([...image.files.keys()]), file = image.files.get(path)!;
  const words = Array.from({ length: random.below(4) }, () => "a".repeat(random.below(100)));
  const argv = StringList.of(words), envp = StringList.of(["A=b"]);
  const cpu = { hwcap: 1, hwcap2: 0, minSignalStack: 2048 };
  const request: LoadRequest = { path, argv, envp, cpu, isPathGone: false };
  const result = load(mm, file, image, request);
  assertMapped(mm);
  if (typeof result === "number") assert(result < 0 && result >= -ERRNO_MAX, `load: ${result}`);
  else {
    const { entry, stack } = result, { maxAddress, stackTop } = mm.layout;
    while (stack.writeStrings() > 0);
    const { pointer } = stack;
    assert(Number.isInteger(entry) && entry >= 0 && entry < maxAddress, `entry ${entry}`);
    assert(pointer > 0 && pointer < stackTop, `stack ${pointer}`);
    assert(mm.break.end <= maxAddress, `break ${mm.break.end}`);
    result.file.drop();
  }
  mm.destroy();
  for (const space of [...lab.platform.spaces]) if (space.isDestroyed) space.die();
  for (const [name, { refs, backing }] of image.files) {
    assertEquals([refs, backing.holds], [1, 0], `${name} stays in use`);
    backing.free();
  }
  frames.pool.trim();
  assertEquals(frames.usedBytes, used, "pages are left");
}

Deno.test("changed programs and scripts load or fail, and leave nothing", async () => {
  const lab = new MemoryLab();
  await runCases("images", { ci: 2000, full: 100_000, parts: PARTS }, (random) => {
    runProgram(random, lab);
  });
  lab.close();
});

function drawBytes(random: Random, most: number): Bytes {
  return Uint8Array.from({ length: random.below(most) }, () => random.below(256));
}

/** `security.capability`, of a right length mostly. */
function drawCapabilities(random: Random): Bytes {
  if (random.below(4) === 0) return drawBytes(random, 30);
  const value = new Uint8Array(random.pick([20, 24])), view = new DataView(value.buffer);
  const revision = random.pick([VFS_CAP_REVISION_2, VFS_CAP_REVISION_3, 0x04000000]);
  view.setUint32(0, (revision | random.below(2)) >>> 0, true);
  for (const at of [4, 8, 12, 16]) {
    view.setUint32(at, random.pick([0, 1, 0xff, 2 ** 32 - 1]), true);
  }
  return value;
}

/**
 * A file's capabilities never give more than its bounding set allows, and none where none count.
 */
function runCapabilities(random: Random): void {
  const capabilities = drawCapabilities(random);
  const bounding = random.pick([NO_CAPS, capSet(0xa80425fb, 0), rootCredentials().bounding]);
  const noNewPrivs = random.below(3) === 0, isNosuid = random.below(3) === 0;
  const old = { ...userCredentials(1000, 1000, [], NO_CAPS), bounding, noNewPrivs };
  const mode = random.pick([0o755, 0o4755, 0o2755, 0o6777]), isUnsafe = random.below(3) === 0;
  const file = { uid: random.pick([0, 5]), gid: 5, mode, isNosuid, capabilities };
  const result = execCredentials(old, file, isUnsafe);
  if (typeof result === "number") return;
  const { permitted, effective, euid, egid } = result.cred;
  assert(isSubset(permitted, bounding) && isSubset(effective, permitted), "beyond the bounds");
  if (!noNewPrivs && !isNosuid && !isUnsafe) return;
  assertEquals([permitted, euid, egid], [NO_CAPS, 1000, 1000], "privilege is gained");
}

/** An ACL that is read is the same when it is written and read again. */
function runAcl(random: Random): void {
  const entries = random.below(6), value = new Uint8Array(4 + 8 * entries + random.pick([0, 0, 1]));
  const view = new DataView(value.buffer);
  view.setUint32(0, random.pick([2, 2, 2, 1]), true);
  for (let i = 0; i < entries; i++) {
    view.setUint16(4 + 8 * i, random.pick([1, 2, 4, 8, 0x10, 0x20, 3]), true);
    view.setUint16(6 + 8 * i, random.pick([0, 7, 8]), true);
    view.setUint32(8 + 8 * i, random.pick([0, 1, 2 ** 32 - 1]), true);
  }
  translateAcl(value, INITIAL_USER_NAMESPACE, true);
  const acl = decodeAcl(value);
  if (typeof acl === "number") return;
  const again = decodeAcl(encodeAcl(acl));
  if (typeof again === "number") throw new Error(`what was written is ${again}`);
  assertEquals(isValidAcl(again), isValidAcl(acl));
  assertEquals(again.map((entry) => entry.tag), acl.map((entry) => entry.tag));
}

function runTexts(random: Random): void {
  const head = new Uint8Array(HEAD_BYTES), script = drawScript(random);
  head.set(script.subarray(0, HEAD_BYTES));
  const line = parseScript(head);
  if (typeof line !== "number") {
    assert(line.interpreter !== "" && !/[\0 \t\n]/.test(line.interpreter), line.interpreter);
    assert(line.argument === null || !/[\0\n]/.test(line.argument), `${line.argument}`);
  }
  const lines = Array.from({ length: random.below(20) }, () => random.pick(PASSWD));
  let passwd = lines.join(random.pick(["\n", "\r\n", ":"]));
  const cut = random.below(passwd.length + 1);
  if (random.below(2) === 0) passwd = passwd.slice(0, cut) + random.pick(["\0", ":", "\n", "\xff"]);
  const file = new AccountFile(stringToBytes(passwd));
  const home = homeIn(file, random.pick([0, 7, 1000, 4294967295]));
  assert(home !== "" && !/[\n:\0]/.test(home), JSON.stringify(home));
}

Deno.test("attributes and texts of an image give no privilege and no broken value", async () => {
  await runCases("images, texts", { ci: 20_000, full: 1_000_000, parts: PARTS }, (random) => {
    runCapabilities(random);
    runAcl(random);
    runTexts(random);
  });
});
