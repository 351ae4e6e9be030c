/**
 * A second writer of a root directory: exchanges each pair of names in it, again and again, until
 * it is killed. Not a test. Neighbour: root_race_test.ts.
 */

import { AT_FDCWD, RENAME_EXCHANGE } from "../../ffi/abi/fcntl.ts";
import { SYS_renameat2 } from "../../ffi/abi/syscall_numbers.ts";
import { scratch } from "../../ffi/sys/cstring.ts";
import { check } from "../../ffi/sys/errors.ts";
import { syscall } from "../../ffi/sys/native.ts";

function exchange(a: string, b: string): void {
  const from = scratch.cstr(a, 0), to = scratch.cstr(b, 1);
  const r = syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, RENAME_EXCHANGE);
  check(r, `exchange ${a} and ${b}`);
}

if (import.meta.main) {
  const pairs = Deno.args.map((path) => [path, `${path}.link`] as const);
  for (let round = 0;; round++) {
    for (const [a, b] of pairs) exchange(a, b);
    if (round === 0) console.log("ready");
  }
}
