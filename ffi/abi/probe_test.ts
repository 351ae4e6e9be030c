/**
 * Compares every layout and every constant of this folder with a C compiler and the installed
 * headers.
 *
 * There is one C file for the kernel's headers and one for glibc's; both print values, and this
 * test compares them. Headers older than a constant do not have its name: that is an error only if
 * they are as new as the kernel that a sandbox claims to be.
 */

import { assert, assertEquals } from "@std/assert";
import {
  type LayoutProbe,
  LAYOUTS,
  MODULES,
  NOT_IN_C,
  type Side,
} from "./probe_registry_testing.ts";
import { named } from "../../tests/harness/machine.ts";

const KERNEL_HEADERS = `asm/unistd.h linux/version.h linux/errno.h linux/fcntl.h linux/openat2.h
linux/falloc.h linux/fadvise.h linux/stat.h asm/stat.h asm/statfs.h linux/magic.h linux/mman.h
linux/memfd.h linux/signal.h asm/sigcontext.h asm/ucontext.h linux/sched.h linux/sched/types.h
linux/time.h linux/timex.h linux/times.h linux/utime.h linux/poll.h linux/eventpoll.h
linux/aio_abi.h linux/io_uring.h
linux/eventfd.h linux/timerfd.h linux/signalfd.h linux/inotify.h linux/fanotify.h linux/socket.h
asm/socket.h linux/un.h linux/uio.h
linux/in.h linux/in6.h linux/tcp.h linux/udp.h linux/netlink.h linux/rtnetlink.h
linux/errqueue.h linux/net_tstamp.h
linux/sock_diag.h linux/inet_diag.h linux/unix_diag.h linux/if_addr.h linux/veth.h
linux/packet_diag.h linux/netlink_diag.h linux/fib_rules.h linux/neighbour.h
linux/if_link.h linux/sockios.h linux/wait.h linux/termios.h asm/ioctls.h linux/prctl.h asm/prctl.h
linux/futex.h linux/resource.h linux/xattr.h linux/mount.h linux/fiemap.h linux/fs.h
linux/capability.h linux/securebits.h linux/seccomp.h linux/filter.h linux/audit.h linux/elf.h
linux/auxvec.h asm/auxvec.h linux/utsname.h linux/sysinfo.h linux/ptrace.h asm/ptrace.h
asm/ptrace-abi.h linux/ipc.h linux/shm.h linux/sem.h linux/msg.h linux/mqueue.h linux/rseq.h
linux/membarrier.h linux/kcmp.h linux/random.h linux/mempolicy.h linux/pidfd.h linux/nsfs.h
linux/bpf.h linux/landlock.h linux/loop.h linux/keyctl.h linux/lsm.h linux/userfaultfd.h
linux/reboot.h
linux/personality.h linux/kvm.h
  linux/close_range.h linux/ioprio.h`
  .split(
    /\s+/,
  );

const LIBC_HEADERS =
  `linux/if.h net/if_arp.h sys/socket.h sys/un.h netinet/in.h netinet/tcp.h dirent.h
unistd.h limits.h linux/limits.h sys/stat.h fcntl.h sys/user.h sys/mount.h sys/statvfs.h sched.h
elf.h
`.trim().split(/\s+/);

/** `uname -r` of a sandbox, as LINUX_VERSION_CODE. */
const OUR_VERSION = (6 << 16) + (12 << 8);

interface Expectation {
  readonly key: string;
  readonly expression: string;
  readonly value: number;
}

function constants(): Expectation[] {
  const all: Expectation[] = [];
  for (const [file, module] of Object.entries(MODULES)) {
    for (const [name, value] of Object.entries(module)) {
      if (typeof value !== "number" || NOT_IN_C.has(name)) continue;
      const expression = file === "syscall_numbers" ? name.replace("SYS_", "__NR_") : name;
      all.push({ key: name, expression, value });
    }
  }
  return all;
}

function layoutExpectations(side: Side): Expectation[] {
  return LAYOUTS.filter((p) => p.side === side).flatMap((p) => [...fieldExpectations(p)]);
}

function* fieldExpectations(p: LayoutProbe): Generator<Expectation> {
  const key = `${p.type} ${p.layout.name}`;
  // An arm of siginfo_t is shorter than the union; the flexible array of a dirent is not flexible
  // in glibc.
  if (p.type !== "siginfo_t" && p.type !== "struct dirent64") {
    yield { key: `sizeof ${key}`, expression: `sizeof(${p.type})`, value: p.layout.size };
  }
  for (const [field, value] of Object.entries(p.layout.at)) {
    const name = p.rename[field] ?? p.prefix + field;
    if (name === "") continue;
    yield { key: `${key} ${field}`, expression: `__builtin_offsetof(${p.type}, ${name})`, value };
    const size = p.layout.sizeOf[field] ?? 0;
    if (size === 0 || p.type === "siginfo_t") continue;
    yield {
      key: `${key} ${field} bytes`,
      expression: `sizeof(((${p.type} *)0)->${name})`,
      value: size,
    };
  }
}

async function run(command: string, args: string[], stdin = ""): Promise<Deno.CommandOutput> {
  const child = new Deno.Command(command, {
    args,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
    env: { LC_ALL: "C" },
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(stdin));
  await writer.close();
  return await child.output();
}

function source(headers: string[], expectations: readonly Expectation[]): string {
  const lines = expectations.map((e, i) => `P(${i}, ${e.expression})`);
  return [
    "#define _GNU_SOURCE",
    ...headers.map((h) => `#include <${h}>`),
    "int printf(const char *, ...);",
    '#define P(i, x) printf("%d %lld\\n", i, (long long)(x));',
    "int main(void) {",
    ...lines,
    "return 0; }",
  ].join("\n");
}

interface Answers {
  /** By key. */
  readonly values: Map<string, number>;
  /** Keys that the headers do not have. */
  readonly unknown: Set<string>;
}

/** Compiles and runs a probe, without the names that the compiler reports as unknown. */
async function ask(headers: string[], expectations: Expectation[]): Promise<Answers> {
  const dir = await Deno.makeTempDir();
  const unknown = new Set<string>();
  let asked = expectations;
  try {
    for (;;) {
      const text = source(headers, asked);
      const compiled = await run("gcc", ["-w", "-O0", "-x", "c", "-o", `${dir}/probe`, "-"], text);
      if (compiled.success) break;
      const message = new TextDecoder().decode(compiled.stderr);
      const names = new Set(
        Array.from(
          message.matchAll(/'(\w+)' undeclared|has no member named '(\w+)'/g),
          (m) => m[1] ?? m[2],
        ),
      );
      const gone = asked.filter((e) => e.expression.split(/\W+/).some((word) => names.has(word)));
      assert(gone.length > 0, message);
      for (const e of gone) unknown.add(e.key);
      asked = asked.filter((e) => !unknown.has(e.key));
    }
    const output = await run(`${dir}/probe`, []);
    const values = new Map<string, number>();
    for (const line of new TextDecoder().decode(output.stdout).trim().split("\n")) {
      const [index, value] = line.split(" ").map(Number);
      const e = asked[index ?? -1];
      if (e !== undefined && value !== undefined) values.set(e.key, value);
    }
    return { values, unknown };
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** C has the same number, or the same 32 bits as a signed int. */
function isSame(expected: number, actual: number): boolean {
  return expected === actual ||
    (expected >= 2 ** 31 && expected < 2 ** 32 && (expected | 0) === actual);
}

function differences(expectations: Expectation[], answers: Answers): string[] {
  return expectations.filter((e) => {
    const actual = answers.values.get(e.key);
    return actual !== undefined && !isSame(e.value, actual);
  }).map((e) => `${e.key}: ${e.value}, C says ${answers.values.get(e.key)}`);
}

async function reasonToSkip(): Promise<string | null> {
  try {
    const text = "#include <linux/version.h>\n#include <dirent.h>\nint main(void) { return 0; }";
    const { success } = await run("gcc", ["-x", "c", "-o", "/dev/null", "-"], text);
    return success ? null : "headers of libc and Linux are not installed";
  } catch {
    return "gcc is not installed";
  }
}

const skip = await reasonToSkip();

Deno.test({
  ...named("every layout has the sizes and offsets that C gives it", skip),
  async fn() {
    for (const [side, headers] of [["kernel", KERNEL_HEADERS], ["libc", LIBC_HEADERS]] as const) {
      const expectations = layoutExpectations(side);
      const answers = await ask(headers, expectations);
      assertEquals(differences(expectations, answers), []);
      // Fields that came after 6.1: stx_subvol and stx_atomic_write_*.
      const old = [...answers.unknown].filter((key) => !/statx (subvol|atomicWrite)/.test(key));
      assertEquals(old, []);
      assertEquals(answers.values.size + answers.unknown.size, expectations.length);
    }
  },
});

Deno.test({
  ...named("every constant has the value that C gives it", skip),
  async fn() {
    const version = { key: "version", expression: "LINUX_VERSION_CODE", value: 0 };
    const all = constants();
    const kernel = await ask(KERNEL_HEADERS, [...all, version]);
    const rest = all.filter((e) => kernel.unknown.has(e.key));
    const libc = await ask(LIBC_HEADERS, rest);
    assertEquals(differences(all, kernel), []);
    assertEquals(differences(rest, libc), []);
    if ((kernel.values.get("version") ?? 0) < OUR_VERSION) return;
    const tooNew = /^SYS_(\w+xattrat|open_tree_attr|file_[gs]etattr|uretprobe)$/; // since 6.11
    assertEquals([...libc.unknown].filter((key) => !tooNew.test(key)), []);
  },
});

Deno.test("every layout that has a C type is in the registry", () => {
  const known = new Set(LAYOUTS.map((p) => p.layout));
  const missing: string[] = [];
  for (const module of Object.values(MODULES)) {
    for (const [name, value] of Object.entries(module)) {
      if (typeof value === "object" && value !== null && "sizeOf" in value) {
        if (!LAYOUTS.some((p) => p.layout === value)) missing.push(name);
      }
    }
  }
  // C has no type for these three in any header of user space.
  assertEquals(missing.sort(), ["LinuxDirent", "SigsetArgpack", "SpaceResv"]);
  assertEquals(known.size, LAYOUTS.length);
});
