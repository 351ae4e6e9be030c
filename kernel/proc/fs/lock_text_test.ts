import { TEST_ACCOUNT } from "../../core/account_testing.ts";
import { assertEquals } from "@std/assert";
import { F_WRLCK } from "../../../ffi/abi/fcntl.ts";
import { FileLock, LockAges } from "../../vfs/file_locks.ts";
import { type Waiting, waitLines } from "./lock_text.ts";

function waiting(pid: number, behind: Waiting[]): Waiting {
  const by = {
    kind: "POSIX",
    owner: {},
    pid,
    account: TEST_ACCOUNT,
    ages: new LockAges(),
  } as const;
  return { lock: new FileLock(by, F_WRLCK, 0, 1), behind };
}

Deno.test("lock requests are listed below those that they wait for, in order", () => {
  const waits = [waiting(1, [waiting(2, [waiting(3, [])]), waiting(4, [])]), waiting(5, [])];
  assertEquals(waitLines(waits, (lock) => `${lock.pid}`), [
    "-> 1",
    " -> 2",
    "  -> 3",
    " -> 4",
    "-> 5",
  ]);
});

Deno.test("a chain of requests that is longer than a stack: some 4 MB of it are shown", () => {
  let chain: Waiting[] = [];
  for (let i = 0; i < 20_000; i++) chain = [waiting(i, chain)];
  const lines = waitLines(chain, () => "x\n");
  assertEquals(lines.length > 2000 && lines.length < 4000, true);
});
