import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assert, assertEquals } from "@std/assert";
import { EACCES, EEXIST, EINVAL, ENOENT, ENOSPC } from "../../../ffi/abi/errno.ts";
import { IPC_CREAT, IPC_EXCL, IPC_PRIVATE } from "../../../ffi/abi/ipc.ts";
import {
  ALL_CAPS,
  type Credentials,
  NO_CAPS,
  rootCredentials,
  userCredentials,
} from "../../cred/credentials.ts";
import { IPC_READ, IPC_WRITE, IpcObject, IpcTable } from "./ipc_object.ts";

class Thing extends IpcObject {}

const root = rootCredentials();
const user = userCredentials(1000, 1000, [4], NO_CAPS);
const maker = (cred: Credentials) => ({
  make: (key: number, flags: number): Thing => new Thing(TEST_ACCOUNT, key, flags, cred, 7),
  check: (): number => 0,
});

function get(table: IpcTable<Thing>, key: number, flags: number, limit = 100, cred = root): number {
  return table.get(key, flags, limit, maker(cred), cred);
}

Deno.test("a key finds its object, and private ones are always new", () => {
  const table = new IpcTable<Thing>();
  assertEquals(get(table, 5, 0), -ENOENT);
  const id = get(table, 5, IPC_CREAT | 0o600);
  assertEquals(get(table, 5, IPC_CREAT), id);
  assertEquals(get(table, 5, IPC_CREAT | IPC_EXCL), -EEXIST);
  assert(get(table, IPC_PRIVATE, 0) !== get(table, IPC_PRIVATE, 0));
  assertEquals(table.count, 3);
});

Deno.test("an identifier is not used again, and its index late", () => {
  const table = new IpcTable<Thing>(), seen = new Set<number>();
  for (let i = 0; i < 500; i++) {
    const id = get(table, IPC_PRIVATE, 0);
    assert(!seen.has(id));
    seen.add(id);
    table.remove(table.find(id)!);
    assertEquals(table.find(id), null);
  }
  assertEquals([...seen].slice(0, 3), [0, 1, 2]);
  assertEquals(table.maxIndex, 0);
});

Deno.test("the number of objects is limited", () => {
  const table = new IpcTable<Thing>();
  const ids = Array.from({ length: 70 }, () => get(table, IPC_PRIVATE, 0, 70));
  assertEquals(new Set(ids).size, 70);
  assertEquals(get(table, IPC_PRIVATE, 0, 70), -ENOSPC);
  table.remove(table.find(ids[33]!)!);
  assert(get(table, IPC_PRIVATE, 0, 70) >= 0);
});

Deno.test("hostile identifiers find nothing", () => {
  const table = new IpcTable<Thing>();
  const id = get(table, IPC_PRIVATE, 0);
  for (const bad of [-1, -0x80000000, id + 0x8000, 0x7fffffff]) {
    assertEquals(table.find(bad), null);
  }
  assertEquals(table.atIndex(id + 0x8000)?.id, id);
  assertEquals(table.atIndex(-1), null);
});

Deno.test("mode, owner and capabilities decide", () => {
  const thing = new Thing(TEST_ACCOUNT, 1, 0o640, user, 7);
  assertEquals(thing.permission(IPC_READ | IPC_WRITE, user), 0);
  const sameGroup = userCredentials(2000, 4, [1000], NO_CAPS);
  assertEquals(thing.permission(IPC_READ, sameGroup), 0);
  assertEquals(thing.permission(IPC_WRITE, sameGroup), -EACCES);
  const other = userCredentials(2000, 2000, [], NO_CAPS);
  assertEquals(thing.permission(IPC_READ, other), -EACCES);
  assertEquals(thing.permission(0, other), 0);
  assertEquals(thing.permission(IPC_WRITE, { ...other, effective: ALL_CAPS }), 0);
  assertEquals(thing.setOwner({ uid: 0xffffffff, gid: 0, mode: 0 }, 9), -EINVAL);
  assertEquals(thing.setOwner({ uid: 2000, gid: 2000, mode: 0o7600 }, 9), 0);
  assertEquals([thing.mode, thing.uid, thing.cuid, thing.ctimeSec], [0o600, 2000, 1000, 9]);
  assertEquals(thing.permission(IPC_WRITE, user), 0, "the creator keeps its rights");
});
