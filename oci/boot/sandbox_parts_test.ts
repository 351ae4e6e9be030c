import { assertEquals, assertStringIncludes } from "@std/assert";
import * as M from "../../ffi/abi/mount.ts";
import { SYS_execve, SYS_open, SYS_openat, SYS_socket } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { close, pipe, read } from "../../ffi/sys/files.ts";
import { stringToBytes } from "../../kernel/core/bytes.ts";
import { PLATFORM_NAMES } from "../../platform/select/candidates.ts";
import {
  controlPair,
  ControlSocket,
  exitCodeOf,
  PACKET_EXIT,
  PACKET_SIGNAL,
} from "../protocol/launcher_channel.ts";
import { DebugLog } from "./debug_log.ts";
import { AccountFile } from "./guest/account_files.ts";
import { homeIn } from "./guest/home.ts";
import { parseMountOptions } from "../protocol/mount_options.ts";
import { assembleFilter } from "./seccomp/seccomp_filter.ts";
import { SECCOMP_RULES } from "./seccomp/seccomp_rules.ts";

Deno.test("mount options are flags, in their order, or for the file system", () => {
  const parse = (text: string) => parseMountOptions(text.split(","));
  assertEquals(parse("nosuid,mode=755,ro,size=1k"), {
    flags: M.MS_NOSUID | M.MS_RDONLY,
    data: "mode=755,size=1k",
    propagation: [],
    copiesUp: false,
  });
  assertEquals([parse("ro,rw").flags, parse("rro").flags], [0, M.MS_RDONLY]);
  assertEquals(parse("rbind,rprivate").flags, M.MS_BIND | M.MS_REC);
  const spread = [M.MS_PRIVATE | M.MS_REC, M.MS_SHARED];
  assertEquals(parse("rprivate,shared").propagation, spread);
  assertEquals([parse("tmpcopyup").copiesUp, parse("constructor").data], [true, "constructor"]);
});

Deno.test("HOME is that of the user in the container's passwd file, or /", () => {
  const accounts = (text: string) => new AccountFile(stringToBytes(text));
  const passwd = accounts(
    "root:x:0:0:root:/root:/bin/sh\nbad\nu:x:1000:1000::/home/u:/bin/sh\nn:x:7:7:::\n",
  );
  assertEquals([0, 1000, 7, 8].map((uid) => homeIn(passwd, uid)), ["/root", "/home/u", "/", "/"]);
  assertEquals(homeIn(accounts("a:x:5:5::/a\0LD_PRELOAD=b:\nb:x:5:5::/b:"), 5), "/b");
});

Deno.test("exit codes are those of a shell", () => {
  assertEquals([exitCodeOf(0), exitCodeOf(7 << 8), exitCodeOf(9), exitCodeOf(11 | 0x80)], [
    0,
    7,
    137,
    139,
  ]);
});

Deno.test("every rule of the filter has a reason and its number once", () => {
  for (const platform of PLATFORM_NAMES) {
    const rules = SECCOMP_RULES.filter((r) => r.platform === undefined || r.platform === platform);
    assertEquals(new Set(rules.map((r) => `${r.nr} ${r.platform}`)).size, rules.length);
    assertEquals(rules.every((r) => r.reason.length > 3), true);
    assertEquals(assembleFilter(SECCOMP_RULES, platform).length / 8 < 4096, true);
  }
  const allowed = new Set(SECCOMP_RULES.filter((r) => r.errno === undefined).map((r) => r.nr));
  for (const nr of [SYS_execve, SYS_open, SYS_openat, SYS_socket]) {
    assertEquals(allowed.has(nr), false);
  }
});

Deno.test("messages and packets cross the control socket; its end is reported", () => {
  const { launcher, bootFd } = controlPair();
  const boot = new ControlSocket<{ type: "go" }, { type: "ready" }>(bootFd);
  boot.send({ type: "ready" });
  assertEquals(launcher.receive(), { type: "ready" });
  assertEquals(boot.receivePacket(), null);
  launcher.sendPacket(PACKET_SIGNAL, 15, 0);
  assertEquals(boot.receivePacket(), { kind: PACKET_SIGNAL, a: 15, b: 0 });
  boot.sendPacket(PACKET_EXIT, 3, 0);
  boot.close();
  assertEquals(launcher.receivePacket(), { kind: PACKET_EXIT, a: 3, b: 0 });
  assertEquals(launcher.receivePacket(), "end");
  assertEquals(launcher.sendPacket(PACKET_SIGNAL, 15, 0), false);
  launcher.close();
});

Deno.test("the debug log writes lines with a time, when asked to or when it is full", () => {
  const fds = pipe(0);
  if (typeof fds === "number") throw new Error("pipe");
  const log = new DebugLog(fds[1]);
  log.line("one");
  log.line("größer");
  log.flush();
  const n = read(fds[0], scratch.area(0), 4096), at = scratch.areaOffset(0);
  const text = new TextDecoder().decode(scratch.u8.slice(at, at + n));
  assertEquals(text.split("\n").map((line) => line.slice(13)), ["one", "größer", ""]);
  assertStringIncludes(text, "0.0");
  for (const fd of fds) close(fd);
  const none = new DebugLog(-1);
  none.line("nothing");
  none.flush();
  assertEquals(none.isOn, false);
});
