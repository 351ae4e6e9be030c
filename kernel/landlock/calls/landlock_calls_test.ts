import { assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_PATH, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import * as L from "../../../ffi/abi/landlock.ts";
import { sysMkdir } from "../../syscalls/fs/names.ts";
import { sysOpenat } from "../../syscalls/fs/open.ts";
import { sysPipe2 } from "../../syscalls/io/pipe.ts";
import { NO_CAPS } from "../../cred/credentials.ts";
import { CallLab } from "../../testing/call_lab.ts";
import * as landlock from "./landlock.ts";

const BAD = 8, ATTR = 0, RULE = 4096, CWD = AT_FDCWD + 2 ** 32;
const READ = L.LANDLOCK_ACCESS_FS_READ_FILE, MAKE = L.LANDLOCK_ACCESS_FS_MAKE_DIR;

class LandlockLab extends CallLab {
  create(fs: number, net = 0, scoped = 0, size = 24): number | string {
    const attr = this.words(64, ATTR, fs, net, scoped, 0);
    return this.call(landlock.sysLandlockCreateRuleset, attr, size, 0);
  }
  allowPath(ruleset: number, access: number, fd: number): number | string {
    const rule = this.words(64, RULE, access, fd);
    return this.call(landlock.sysLandlockAddRule, ruleset, L.LANDLOCK_RULE_PATH_BENEATH, rule, 0);
  }
  allowPort(ruleset: number, access: number, port: number): number | string {
    const rule = this.words(64, RULE, access, port);
    return this.call(landlock.sysLandlockAddRule, ruleset, L.LANDLOCK_RULE_NET_PORT, rule, 0);
  }
  restrict(ruleset: number, flags = 0): number | string {
    return this.call(landlock.sysLandlockRestrictSelf, ruleset, flags);
  }
}

Deno.test("landlock_create_ruleset: the version, sizes, what no ruleset handles", () => {
  const lab = new LandlockLab(), { sysLandlockCreateRuleset } = landlock;
  const version = L.LANDLOCK_CREATE_RULESET_VERSION;
  assertEquals(lab.call(sysLandlockCreateRuleset, 0, 0, version), 6);
  assertEquals(lab.call(sysLandlockCreateRuleset, lab.memory, 0, version), "EINVAL");
  assertEquals(lab.call(sysLandlockCreateRuleset, 0, 0, 2), "EINVAL");
  assertEquals(lab.call(sysLandlockCreateRuleset, 0, 24, 0), "EFAULT");
  assertEquals(lab.call(sysLandlockCreateRuleset, BAD, 24, 0), "EFAULT");
  assertEquals([lab.create(READ, 0, 0, 7), lab.create(READ, 0, 0, 4097)], ["EINVAL", "E2BIG"]);
  assertEquals([lab.create(1 << 16), lab.create(2 ** 40)], ["EINVAL", "EINVAL"]);
  assertEquals([lab.create(0, 4), lab.create(0, 0, 4)], ["EINVAL", "EINVAL"]);
  assertEquals(lab.create(0), "ENOMSG");
  assertEquals([lab.create(READ, 0, 0, 8), lab.create(0, 3, 3, 32)], [0, 1]);
  assertEquals(lab.task.files.isCloexec(0), true);
});

Deno.test("landlock_add_rule: the ruleset, rights that it handles, files and ports", () => {
  const lab = new LandlockLab(), rule = lab.memory + RULE, { sysLandlockAddRule } = landlock;
  lab.call(sysMkdir, "/d", 0o755);
  const ruleset = Number(lab.create(READ | MAKE, 3));
  const dir = Number(lab.call(sysOpenat, CWD, "/d", O_PATH, 0));
  const file = Number(lab.call(sysOpenat, CWD, "/f", O_RDWR | O_CREAT, 0o644));
  lab.call(sysPipe2, lab.memory + 8192, 0);
  const [pipe = -1] = lab.readWords(32, 8192, 1);
  assertEquals(lab.call(sysLandlockAddRule, 99, 1, rule, 1), "EINVAL");
  assertEquals(lab.call(sysLandlockAddRule, 99, 1, rule, 0), "EBADF");
  assertEquals(lab.call(sysLandlockAddRule, file, 1, rule, 0), "EBADFD");
  assertEquals(lab.call(sysLandlockAddRule, ruleset, 3, rule, 0), "EINVAL");
  assertEquals(lab.call(sysLandlockAddRule, ruleset, 1, BAD, 0), "EFAULT");
  assertEquals(lab.call(sysLandlockAddRule, ruleset, 2, BAD, 0), "EFAULT");
  assertEquals(lab.allowPath(ruleset, 0, dir), "ENOMSG");
  assertEquals(lab.allowPath(ruleset, READ | 2, dir), "EINVAL");
  assertEquals(lab.allowPath(ruleset, READ, 99), "EBADF");
  assertEquals(lab.allowPath(ruleset, READ, pipe), "EBADFD");
  assertEquals(lab.allowPath(ruleset, MAKE, file), "EINVAL");
  assertEquals([lab.allowPath(ruleset, READ, file), lab.allowPath(ruleset, MAKE, dir)], [0, 0]);
  assertEquals([lab.allowPort(ruleset, 0, 1), lab.allowPort(ruleset, 4, 1)], ["ENOMSG", "EINVAL"]);
  assertEquals([lab.allowPort(ruleset, 1, 65536), lab.allowPort(ruleset, 1, 65535)], ["EINVAL", 0]);
});

Deno.test("landlock_restrict_self: privilege, what is refused then, sixteen layers", () => {
  const lab = new LandlockLab(), ruleset = Number(lab.create(MAKE));
  const dir = Number(lab.call(sysOpenat, CWD, "/", O_PATH, 0));
  const { cred } = lab.task;
  lab.task.cred = { ...cred, effective: NO_CAPS };
  assertEquals(lab.restrict(ruleset), "EPERM");
  lab.task.cred = cred;
  assertEquals([lab.restrict(ruleset, 1), lab.restrict(99)], ["EINVAL", "EBADF"]);
  assertEquals(lab.restrict(dir), "EBADF", "a descriptor with O_PATH is none");
  assertEquals(lab.call(sysMkdir, "/before", 0o755), 0);
  assertEquals(lab.restrict(ruleset), 0);
  assertEquals(lab.call(sysMkdir, "/after", 0o755), "EACCES");
  for (let layer = 1; layer < 16; layer++) assertEquals(lab.restrict(ruleset), 0);
  assertEquals(lab.restrict(ruleset), "E2BIG");
});
