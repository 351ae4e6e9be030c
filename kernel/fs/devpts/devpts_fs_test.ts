/** Tests of devpts_fs.ts and options.ts: numbers of terminals, names, mount options. */

import { assertEquals } from "@std/assert";
import { EINVAL, ENOSPC } from "../../../ffi/abi/errno.ts";
import { rootCredentials } from "../../cred/credentials.ts";
import { parseDevptsOptions, showDevptsOptions } from "./options.ts";
import { TerminalLab } from "./terminal_testing.ts";

Deno.test("terminals get the lowest number; it is free again when both sides are closed", () => {
  const { fs, terminal, slave } = new TerminalLab();
  const cred = rootCredentials();
  const second = fs.allocate(cred);
  if (typeof second === "number") throw new Error("no terminal");
  assertEquals(second.terminal.index, 1);
  assertEquals(fs.indexes(), [0, 1]);
  terminal.masterClosed();
  assertEquals([fs.indexes(), fs.find("0")], [[1], null]);
  const third = fs.allocate(cred);
  assertEquals(typeof third === "number" ? third : third.terminal.index, 2);
  slave.drop();
  const fourth = fs.allocate(cred);
  assertEquals(typeof fourth === "number" ? fourth : fourth.terminal.index, 0);
});

Deno.test("there are only so many terminals", () => {
  const { fs } = new TerminalLab();
  for (let i = 1; i < 8; i++) assertEquals(typeof fs.allocate(rootCredentials()), "object");
  assertEquals(fs.allocate(rootCredentials()), -ENOSPC);
});

Deno.test("names are numbers as the tree shows them, and ptmx", () => {
  const { fs, inode } = new TerminalLab();
  assertEquals(fs.find("0"), inode);
  for (const name of ["00", "-0", "1", "0x0", "", "99999999999", " 0"]) {
    assertEquals(fs.find(name), null);
  }
  assertEquals(fs.find("ptmx")?.mode, 0o20666);
});

Deno.test("mount options", () => {
  const options = parseDevptsOptions("newinstance,gid=5,mode=620,ptmxmode=0666,max=100");
  if (typeof options === "number") throw new Error("refused");
  assertEquals(options, { uid: -1, gid: 5, mode: 0o620, ptmxMode: 0o666, max: 100 });
  assertEquals(showDevptsOptions(options), "gid=5,mode=620,ptmxmode=666,max=100");
  for (const bad of ["mode=689", "gid=", "gid=-1", "max=9999999", "uid=5000000000", "foo"]) {
    assertEquals(parseDevptsOptions(bad), -EINVAL);
  }
});
