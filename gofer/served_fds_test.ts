/**
 * A broken Sentry sends descriptors beside its messages to a Gofer that serves one socket: none of
 * them stays open.
 */

import { assert, assertEquals } from "@std/assert";
import { SIGKILL } from "../ffi/abi/signal.ts";
import { SYS_dup2, SYS_kill, SYS_wait4 } from "../ffi/abi/syscall_numbers.ts";
import { allocBuffer, scratch } from "../ffi/sys/cstring.ts";
import { recvFds, sendFds } from "../ffi/sys/fdpass.ts";
import { close } from "../ffi/sys/files.ts";
import { syscall } from "../ffi/sys/native.ts";
import { spawn, SpawnScript } from "../ffi/sys/spawn.ts";
import { isRoot, named } from "../tests/harness/machine.ts";
import { GoferClient } from "./client/gofer_client.ts";
import { socketPair } from "./server/testing.ts";

const MAIN = new URL("./main.ts", import.meta.url).pathname;
/** The largest number of descriptors in one message. */
const FDS_MAX = 253;
/** A message of a type that does not exist: size[4] type[1] tag[2]. */
const UNKNOWN = [7, 0, 0, 0, 254, 1, 0];

Deno.test({
  ...named(
    "descriptors beside messages to a Gofer stay nowhere",
    isRoot ? null : "needs root: a Gofer hides its files",
  ),
  fn: () => {
    const dir = Deno.makeTempDirSync({ prefix: "dvisor-gofer-test-" });
    const [ours, theirs] = socketPair();
    const args = ["run", "-A", "--no-check", MAIN, "serve", "--fd", "3", "--root", `${dir}:ro`];
    const env = Object.entries(Deno.env.toObject()).map(([k, v]) => `${k}=${v}`);
    const script = new SpawnScript().call(SYS_dup2, theirs, 3).exec(Deno.execPath(), [
      "deno",
      ...args,
    ], env);
    const { pid, pidfd } = spawn(script);
    for (const fd of [pidfd, theirs]) close(fd);
    const client = new GoferClient(ours);
    try {
      assertEquals(client.start(), 0);
      assertEquals(client.attach(0, "0"), 0);
      const open = () => [...Deno.readDirSync(`/proc/${pid}/fd`)].length, before = open();
      const message = allocBuffer(UNKNOWN.length), reply = allocBuffer(4096);
      message.set(UNKNOWN);
      for (let i = 0; i < 20; i++) {
        assertEquals(sendFds(ours, message, Array(FDS_MAX).fill(ours)), message.length);
        const got = recvFds(ours, reply);
        assert(typeof got !== "number" && got.len > 0, "no answer");
      }
      assertEquals(open(), before);
      assertEquals(client.getattr(0), 0);
    } finally {
      client.close();
      syscall(SYS_kill, pid, SIGKILL);
      syscall(SYS_wait4, pid, scratch.area(0), 0, 0);
      Deno.removeSync(dir, { recursive: true });
    }
  },
});
