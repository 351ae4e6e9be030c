import { assert, assertEquals } from "@std/assert";
import {
  AUDIT_ARCH_I386,
  AUDIT_ARCH_X86_64,
  SECCOMP_RET_ALLOW,
  SECCOMP_RET_TRAP,
} from "../../../ffi/abi/seccomp.ts";
import { PR_SET_PDEATHSIG } from "../../../ffi/abi/prctl.ts";
import { CLONE_NEWNS, CLONE_NEWUSER, CLONE_PTRACE, CLONE_VFORK } from "../../../ffi/abi/sched.ts";
import * as nr from "../../../ffi/abi/syscall_numbers.ts";
import { AllowedSites } from "./emit.ts";
import { PRIVILEGED, STUB_CALLS, stubFilter } from "./filter.ts";
import { FD_CONTROL, FD_DOORBELL, FD_MESSAGES, STUB_BASE } from "./layout.ts";
import { STUB_FLAGS } from "./mapper.ts";
import { ONE } from "./wait_reply.ts";

const SECRET = new Uint32Array([0x11111111, 0x22222222, 0x83333333, 0x44444444]);
const SITES = new AllowedSites();
SITES.futex.push("futex1", "futex2");
SITES.doorbell.push("ring");
SITES.sigreturn.push("back");
SITES.sigprocmask.push("mask");
SITES.exit.push("exit");
const PLACES = ["futex1", "futex2", "ring", "back", "mask", "exit"];
const addressOf = (label: string) => STUB_BASE + 0x100 * (2 + PLACES.indexOf(label));
const PROGRAM = stubFilter(SITES, addressOf, SECRET);

/**
 * Runs a filter over `struct seccomp_data`. It knows the instructions that our filter has, and no
 * others.
 */
function verdict(call: number, args: bigint[], ip = 0x400000, arch = AUDIT_ARCH_X86_64): number {
  const data = new DataView(new ArrayBuffer(64));
  data.setInt32(0, call, true);
  data.setUint32(4, arch, true);
  data.setBigUint64(8, BigInt(ip), true);
  args.forEach((value, i) => data.setBigUint64(16 + 8 * i, BigInt.asUintN(64, value), true));
  const code = new DataView(PROGRAM.buffer);
  let a = 0;
  for (let at = 0;; at += 8) {
    const k = code.getUint32(at + 4, true);
    switch (code.getUint16(at, true)) {
      case 0x20: // ld
        a = data.getUint32(k, true);
        break;
      case 0x15: // jeq
        at += 8 * code.getUint8(at + (a === k ? 2 : 3));
        break;
      case 0x05: // ja
        at += 8 * k;
        break;
      case 0x06: // ret
        return k;
      default:
        throw new Error(`instruction ${code.getUint16(at, true)}`);
    }
  }
}

const LOW = 0x22222222_11111111n, HIGH = 0x44444444_83333333n;
const isAllowed = (...call: Parameters<typeof verdict>) => verdict(...call) === SECCOMP_RET_ALLOW;

Deno.test("eighteen calls have a place or the secret, and each has its reason", () => {
  assertEquals(new Set(STUB_CALLS.map((call) => call.nr)).size, 18);
  for (const { nr: call, reason } of STUB_CALLS) assert(reason.length > 10, nr.NAMES[call]);
});

Deno.test("no call from guest code passes", () => {
  for (let call = -2; call < 600; call++) {
    for (const ip of [0x400000, STUB_BASE, STUB_BASE + 0x101]) {
      for (const args of [[], [0n, 0n], [6n, 1n, 8n], [0n, 1n, 7n, 0x11n]]) {
        assertEquals(verdict(call, args, ip), SECCOMP_RET_TRAP, `call ${call}`);
      }
    }
  }
  assertEquals(verdict(nr.SYS_getpid | 0x40000000, []), SECCOMP_RET_TRAP);
});

Deno.test("each call of the stub is allowed at its own instruction only", () => {
  for (const place of PLACES) {
    const ip = addressOf(place);
    assertEquals(isAllowed(nr.SYS_futex, [0n, 0n], ip), place.startsWith("futex"));
    assertEquals(isAllowed(nr.SYS_futex, [0n, 1n], ip), place.startsWith("futex"));
    assert(!isAllowed(nr.SYS_futex, [0n, 128n], ip), "private");
    assert(!isAllowed(nr.SYS_futex, [0n, 13n], ip));
    const bell = BigInt(FD_DOORBELL), one = BigInt(addressOf(ONE));
    assertEquals(isAllowed(nr.SYS_write, [bell, one], ip), place === "ring");
    assert(!isAllowed(nr.SYS_write, [4n, one], ip));
    assert(!isAllowed(nr.SYS_write, [bell, one + 1n], ip), "another number");
    assert(!isAllowed(nr.SYS_write, [bell, one + 2n ** 32n], ip), "another number");
    assertEquals(isAllowed(nr.SYS_rt_sigreturn, [], ip), place === "back");
    assertEquals(isAllowed(nr.SYS_rt_sigprocmask, [], ip), place === "mask");
    assertEquals(isAllowed(nr.SYS_exit, [], ip), place === "exit");
    assert(!isAllowed(nr.SYS_futex, [0n, 0n], ip + 2 ** 32), "the high half counts");
  }
});

Deno.test("the secret opens the calls of mapper and zygote, and nothing less does", () => {
  const args = (first: number, low: bigint, high: bigint) => [
    BigInt(first),
    0x1000n,
    0n,
    0n,
    low,
    high,
  ];
  for (const { nr: call, reason, first = [0x1000] } of PRIVILEGED) {
    assert(reason.length > 10);
    for (const value of first) {
      assert(isAllowed(call, args(value, LOW, HIGH)), reason);
      for (let bit = 0n; bit < 64n; bit++) {
        assert(!isAllowed(call, args(value, LOW ^ 1n << bit, HIGH)));
        assert(!isAllowed(call, args(value, LOW, HIGH ^ 1n << bit)));
      }
    }
  }
  const calls: readonly number[] = PRIVILEGED.map((call) => call.nr);
  for (let call = 0; call < 600; call++) {
    if (calls.includes(call)) continue;
    assert(!isAllowed(call, args(0x1000, LOW, HIGH)), `call ${call}`);
  }
});

Deno.test("with the secret too clone makes threads and stubs, and prctl only one thing", () => {
  const rest = [0n, 0n, 0n, LOW, HIGH];
  const may = (call: number, first: number) => isAllowed(call, [BigInt(first), ...rest]);
  for (const more of [CLONE_NEWUSER, CLONE_NEWNS, CLONE_PTRACE, CLONE_VFORK]) {
    assert(!may(nr.SYS_clone, STUB_FLAGS | more));
  }
  assert(!may(nr.SYS_clone, 0));
  for (let option = 0; option < 100; option++) {
    assertEquals(may(nr.SYS_prctl, option), option === PR_SET_PDEATHSIG, `prctl ${option}`);
  }
  for (let fd = 0; fd < 100; fd++) {
    assertEquals(may(nr.SYS_pwrite64, fd), fd === FD_CONTROL);
    assertEquals(may(nr.SYS_recvmsg, fd), fd === FD_MESSAGES);
  }
});

Deno.test("mmap shows the secret in high halves, and is always shared and fixed", () => {
  const mmap = (prot: bigint, flags: bigint, fd: bigint) =>
    isAllowed(nr.SYS_mmap, [0x1000n, 0x1000n, prot, flags, fd, 0n]);
  const a = 0x11111111n << 32n, b = 0x22222222n << 32n, c = 0x83333333n << 32n;
  assert(mmap(a | 3n, b | 0x11n, c | 5n));
  assert(!mmap(a | 3n, b | 0x12n, c | 5n), "private");
  assert(!mmap(a | 3n, b | 0x01n, c | 5n), "anywhere");
  for (let bit = 32n; bit < 64n; bit++) {
    assert(!mmap(a ^ 1n << bit, b | 0x11n, c));
    assert(!mmap(a, (b | 0x11n) ^ 1n << bit, c));
    assert(!mmap(a, b | 0x11n, c ^ 1n << bit));
  }
});

Deno.test("32-bit calls do not pass", () => {
  const args = [0n, 0n, 0n, 0n, LOW, HIGH];
  assertEquals(verdict(nr.SYS_munmap, args, STUB_BASE, AUDIT_ARCH_I386), SECCOMP_RET_TRAP);
  const ip = addressOf("back");
  assertEquals(verdict(nr.SYS_rt_sigreturn, [], ip, AUDIT_ARCH_I386), SECCOMP_RET_TRAP);
});
