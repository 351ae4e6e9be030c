import { assert, assertEquals } from "@std/assert";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import { ALL_ROWS, ROWS } from "./x86_64.ts";

/** Types of arguments that the table may use; table.ts explains them. */
const FORMATS = new Set(
  `fd int uint long ulong hex ptr size off path str buf out sig mode dirfd openflags mmapprot
mmapflags cloneflags timespec iov msghdr sockaddr argv pid uid clock futexop epollop ioctl fcntl
whence sigset sigaction stat`.split(/\s+/),
);

Deno.test("no call has two rows, and every row has its number", () => {
  const seen = new Map<number, string>();
  for (const row of ALL_ROWS) {
    assertEquals(seen.get(row.nr), undefined, `${row.name} and ${seen.get(row.nr)}`);
    seen.set(row.nr, row.name);
    assertEquals(NAMES[row.nr], row.name);
    assertEquals(ROWS[row.nr], row);
  }
});

Deno.test("a row without full support has a note", () => {
  for (const row of ALL_ROWS) {
    assert(row.support === "full" || row.note !== "", `${row.name} has no note`);
  }
});

Deno.test("arguments are of known types, at most six", () => {
  for (const row of ALL_ROWS) {
    const args = row.args === "" ? [] : row.args.split(" ");
    assert(args.length <= 6, row.name);
    for (const type of args) assert(FORMATS.has(type), `${row.name}: ${type}`);
  }
});

Deno.test("the table has the calls of real programs", () => {
  assert(ALL_ROWS.length >= 220, `${ALL_ROWS.length} rows`);
});
