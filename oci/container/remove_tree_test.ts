import { assertEquals, assertThrows } from "@std/assert";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { SYS_mkdirat } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check, SyscallError } from "../../ffi/sys/errors.ts";
import { close, openat } from "../../ffi/sys/files.ts";
import { syscall } from "../../ffi/sys/native.ts";
import { removeTree } from "./remove_tree.ts";

function inDirectory(body: (dir: string, tree: string) => void): void {
  const dir = Deno.makeTempDirSync();
  try {
    Deno.mkdirSync(`${dir}/tree`);
    body(dir, `${dir}/tree`);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

/** Directories in one another, deeper than a path can say and than most limits of descriptors. */
function makeDeep(path: string, depth: number): void {
  let fd = check(openat(AT_FDCWD, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");
  for (let i = 0; i < depth; i++) {
    check(syscall(SYS_mkdirat, fd, scratch.cstr("d"), 0o755), "mkdir");
    const next = check(openat(fd, "d", O_RDONLY | O_DIRECTORY | O_CLOEXEC), "open");
    close(fd);
    fd = next;
  }
  close(fd);
}

Deno.test("a tree is removed however deep it is", () => {
  inDirectory((dir, tree) => {
    makeDeep(tree, 2500);
    removeTree(tree);
    assertEquals([...Deno.readDirSync(dir)], []);
  });
});

Deno.test("symbolic links are removed, and their targets stay", () => {
  inDirectory((dir, tree) => {
    Deno.mkdirSync(`${dir}/other/below`, { recursive: true });
    Deno.writeTextFileSync(`${dir}/other/file`, "");
    Deno.mkdirSync(`${tree}/a/b`, { recursive: true });
    for (const at of ["link", "a/link", "a/b/link"]) {
      Deno.symlinkSync(`${dir}/other`, `${tree}/${at}`);
      Deno.linkSync(`${dir}/other/file`, `${tree}/${at}.hard`);
    }
    removeTree(tree);
    assertEquals([...Deno.readDirSync(dir)].map((entry) => entry.name), ["other"]);
    assertEquals([...Deno.readDirSync(`${dir}/other`)].length, 2);
    Deno.symlinkSync(`${dir}/other`, tree);
    assertThrows(() => removeTree(tree), SyscallError);
    assertEquals([...Deno.readDirSync(`${dir}/other`)].length, 2);
  });
});

Deno.test("names of any bytes, many of them, and directories without permissions", () => {
  inDirectory((dir, tree) => {
    Deno.mkdirSync(`${tree}/full/of`, { recursive: true });
    for (let i = 0; i < 3000; i++) Deno.writeTextFileSync(`${tree}/full/${"n".repeat(99)}${i}`, "");
    const fd = openat(AT_FDCWD, `${tree}/full/of`, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    for (const name of [[0xff, 0xfe], [0x0a], [0x2e, 0x2e, 0x2e], [0xed, 0xa0, 0x80]]) {
      check(syscall(SYS_mkdirat, fd, scratch.cstr(Uint8Array.from(name)), 0), "mkdir");
    }
    close(fd);
    Deno.chmodSync(`${tree}/full`, 0);
    removeTree(tree);
    removeTree(tree);
    assertEquals([...Deno.readDirSync(dir)], []);
  });
});
