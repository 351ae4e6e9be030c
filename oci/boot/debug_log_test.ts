import { assert, assertEquals, assertMatch } from "@std/assert";
import { AT_FDCWD, O_APPEND, O_CLOEXEC, O_CREAT, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { close, openat } from "../../ffi/sys/files.ts";
import { DebugLog } from "./debug_log.ts";

const MAX_BYTES = 1 << 20;
const LINE = "x".repeat(1000);

function withLog(test: (log: DebugLog, path: string) => void): void {
  const path = Deno.makeTempFileSync({ prefix: "dvisor-debug-log-" });
  const fd = openat(AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC);
  try {
    test(new DebugLog(fd, MAX_BYTES), path);
  } finally {
    close(fd);
    Deno.removeSync(path);
  }
}

Deno.test("a debug log never exceeds its size, and keeps the last lines", () => {
  withLog((log, path) => {
    let largest = 0;
    for (let i = 0; i < 5000; i++) {
      log.line(`${i} ${LINE}`);
      largest = Math.max(largest, Deno.statSync(path).size);
    }
    log.flush();
    largest = Math.max(largest, Deno.statSync(path).size);
    assert(largest > MAX_BYTES / 2 && largest <= MAX_BYTES, `${largest} bytes`);
    const [notice, ...lines] = Deno.readTextFileSync(path).trimEnd().split("\n");
    assertMatch(notice ?? "", /earlier lines are gone/);
    const numbers = lines.map((line) => Number(/^ *[\d.]+ (\d+) x+$/.exec(line)?.[1]));
    const first = 5000 - numbers.length;
    assertEquals(numbers, Array.from(numbers, (_, i) => first + i), "whole lines, in order");
    assert(numbers.length > 100, `${numbers.length} lines`);
  });
});

Deno.test("bytes that other writers added to the file count", () => {
  withLog((log, path) => {
    Deno.writeTextFileSync(path, "y".repeat(MAX_BYTES));
    log.line("mine");
    log.flush();
    const text = Deno.readTextFileSync(path);
    assertMatch(text, /^\[earlier lines are gone.*\n.* mine\n$/);
  });
});
