/** Tests of the accounts that the host descriptors of a Gofer's files are charged to. */
import { assert, assertEquals } from "@std/assert";
import { AT_FDCWD, O_CREAT, O_RDONLY, O_RDWR } from "../../../ffi/abi/fcntl.ts";
import { Account } from "../../core/account.ts";
import { HOST_FILES } from "../../core/quota.ts";
import { openAt } from "../../vfs/open.ts";
import { errno, mustOpen, TestCaller } from "../../vfs/vfs_testing.ts";
import { inTree } from "./gofer_testing.ts";

Deno.test("a shared descriptor is charged to an account that uses the file", async () => {
  const sandbox = new Account(null, 1);
  const [a, b, c] = [new Account(sandbox, 1), new Account(sandbox, 1), new Account(sandbox, 1)];
  await inTree({}, (lab) => {
    const { files, fs, cred } = lab.root;
    const openBy = (account: Account) =>
      mustOpen(new TestCaller(files, fs, cred, account), "/a/other", O_RDONLY);
    const paying = () => [a, b, c].map((account) => HOST_FILES.countOf(account) > 0 ? 1 : 0);
    const first = openBy(a), second = openBy(b), third = openBy(b);
    const backing = third.mmap(false, false);
    if (typeof backing === "number") throw new Error(`mmap: ${errno(backing)}`);
    backing.hold();
    backing.onMapped(c);
    assertEquals(paying(), [1, 0, 0]);
    first.drop();
    assertEquals(paying(), [0, 1, 0]);
    second.drop();
    assertEquals(paying(), [0, 1, 0]);
    third.drop();
    assertEquals(paying(), [0, 0, 1]);
    backing.onUnmapped(c);
    backing.drop();
    assertEquals(paying(), [0, 0, 1], "idle: its last user's");
    openBy(a).drop();
    assertEquals(paying(), [1, 0, 0]);
    lab.fs.idle.closeOldest(Infinity);
    assertEquals(HOST_FILES.countOf(sandbox), 0);
  });
});

Deno.test("an account over its part opens no files that others pay for", async () => {
  const sandbox = new Account(null, 1);
  const first = new Account(sandbox, 0.5), second = new Account(sandbox, 0.5);
  await inTree({}, (lab) => {
    const { descriptors } = lab.fs, { files, fs, cred } = lab.root;
    const openBy = (account: Account, path: string) =>
      openAt(new TestCaller(files, fs, cred, account), AT_FDCWD, path, O_RDONLY, 0);
    const open = (account: Account, path: string) =>
      mustOpen(new TestCaller(files, fs, cred, account), path, O_RDONLY);
    let taken = 0;
    for (; descriptors.hasRoom(second); taken++) descriptors.add(second);
    const one = open(first, "/a/other"), shared = open(second, "/a/other");
    one.drop();
    const other = open(first, "/a/b/c/file");
    assertEquals(errno(openBy(second, "/a/b/c/file")), "ENFILE");
    shared.drop();
    lab.fs.idle.closeOldest(Infinity);
    open(second, "/a/b/c/file").drop();
    other.drop();
    for (; taken > 0; taken--) descriptors.give(second);
    lab.fs.idle.closeOldest(Infinity);
    assertEquals(HOST_FILES.countOf(sandbox), 0);
  });
});

Deno.test("an account without room closes idle files of its user, and no others", async () => {
  const sandbox = new Account(null, 1);
  const mine = new Account(sandbox, 0.5), other = new Account(sandbox, 0.5);
  const [before, now] = [new Account(mine, 1), new Account(mine, 1)];
  await inTree({}, (lab) => {
    const { descriptors } = lab.fs, { files, fs, cred } = lab.root;
    const openBy = (account: Account, path: string) =>
      openAt(new TestCaller(files, fs, cred, account), AT_FDCWD, path, O_RDONLY, 0);
    mustOpen(new TestCaller(files, fs, cred, before), "/a/b/c/file", O_RDONLY).drop();
    mustOpen(new TestCaller(files, fs, cred, other), "/a/other", O_RDONLY).drop();
    let taken = 0;
    for (; descriptors.hasRoom(now); taken++) descriptors.add(now);
    const file = openBy(now, "/a/b/c/file");
    if (typeof file === "number") throw new Error(`open: ${errno(file)}`);
    assertEquals(errno(openBy(now, "/a/other")), "ENFILE");
    file.drop();
    for (; taken > 0; taken--) descriptors.give(now);
    lab.fs.idle.closeOldest(Infinity);
    assertEquals(HOST_FILES.countOf(sandbox), 0);
  });
});

Deno.test("a container without room for a host descriptor gets ENFILE, no other does", async () => {
  const sandbox = new Account(null, 1);
  const greedy = new Account(sandbox, 0.5), victim = new Account(sandbox, 0.5);
  await inTree({ maxIdleFiles: 1 }, (lab, dir) => {
    const { descriptors } = lab.fs, { files, fs, cred } = lab.root;
    const callerOf = (account: Account) => new TestCaller(files, fs, cred, account);
    const attacker = callerOf(greedy), other = callerOf(victim);
    const reader = mustOpen(lab.root, "/a/other", O_RDONLY);
    let taken = 0;
    for (; descriptors.hasRoom(greedy); taken++) descriptors.add(greedy);
    assert(taken > 1000);
    const make = (caller: TestCaller) =>
      errno(openAt(caller, AT_FDCWD, "/a/new", O_RDWR | O_CREAT, 0o600));
    assertEquals(errno(openAt(attacker, AT_FDCWD, "/a/b/c/file", O_RDONLY, 0)), "ENFILE");
    assertEquals(make(attacker), "ENFILE");
    assertEquals([...Deno.readDirSync(`${dir}/a`)].some(({ name }) => name === "new"), false);
    mustOpen(attacker, "/a/other", O_RDONLY).drop();
    assertEquals(make(other), "object");
    mustOpen(other, "/a/b/c/file", O_RDONLY).drop();
    for (; taken > 0; taken--) descriptors.give(greedy);
    reader.drop();
    lab.fs.idle.closeOldest(Infinity);
  });
});
