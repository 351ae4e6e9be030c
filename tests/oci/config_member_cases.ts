/** Containers as those of bundle_cases.ts, for members of config.json one by one. Not a test. */

import type { BundleConfig } from "./bundle.ts";
import { bind, type BundleCase, mount } from "./bundle_cases.ts";

/** Type and options of a mount in /proc/mounts, without options that file systems and hosts add. */
const optionsOf = (path: string, ...words: string[]) =>
  `awk '$2=="${path}"{print $4}' /proc/mounts | tr , '\\n' | grep -xE '${words.join("|")}' | sort`;

const MKDIR = ["mkdir", "mkdirat"];

function seccomp(action: string, more: object = {}): object {
  const syscalls = [{ names: MKDIR, action, ...more }];
  return { defaultAction: "SCMP_ACT_ALLOW", architectures: ["SCMP_ARCH_X86_64"], syscalls };
}

/** chmod(2) of modes 5, 6 and 7 under a filter of its argument: which are refused. */
function compares(op: string, refused: string, more: object = {}): BundleCase {
  const rule = (names: string[], index: number) => ({
    ...{ names, action: "SCMP_ACT_ERRNO" },
    args: [{ index, op: `SCMP_CMP_${op}`, value: 0o600, ...more }],
  });
  return {
    name: `a filter compares by ${op}`,
    script: "touch /f; for m in 500 600 700; do chmod $m /f 2>/dev/null || echo -n $m; done; echo",
    prints: `${refused}\n`,
    prepare: (c) =>
      c.linux.seccomp = {
        defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [rule(["chmod"], 1), rule(["fchmodat", "fchmodat2"], 2)],
      },
  };
}

export const MORE_PROCESS_CASES: readonly BundleCase[] = [
  {
    name: "a variable that is set twice has its last value",
    script: "echo $A; env | grep -c ^A=",
    prints: "2\n1\n",
    prepare: (c) => c.process.env = ["PATH=/bin", "A=1", "A=2"],
  },
  {
    name: "commands are found by the container's PATH",
    script: "",
    prints: "found\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.root}/own`);
      Deno.writeTextFileSync(`${b.root}/own/cmd`, "#!/bin/sh\necho found\n", { mode: 0o755 });
      c.process.env = ["PATH=/nothing:/own:/bin"];
      c.process.args = ["cmd"];
    },
  },
  {
    name: "arguments may have lines, and be empty",
    script: 'printf "<%s>" "$@"',
    prints: "<><a\nb>< >",
    prepare: (c) => c.process.args = [...(c.process.args as string[]), "sh", "", "a\nb", " "],
  },
  {
    name: "a process without a user is root",
    script: "id -u; id -g; grep ^Groups: /proc/self/status | tr -d ' \\t'",
    prints: "0\n0\nGroups:\n",
    prepare: (c) => Reflect.deleteProperty(c.process, "user"),
  },
  {
    name: "the umask is 022 by default",
    script: "umask; mkdir /d; stat -c %a /d",
    prints: "0022\n755\n",
  },
  {
    name: "a process without capabilities has none",
    script: "grep -E '^Cap(Prm|Eff|Bnd)' /proc/self/status | tr -d '\\t'",
    prints: ["Prm", "Eff", "Bnd"].map((set) => `Cap${set}:0000000000000000\n`).join(""),
    prepare: (c) => Reflect.deleteProperty(c.process, "capabilities"),
  },
  {
    name: "unknown capabilities are ignored",
    script: "grep ^CapBnd /proc/self/status",
    prints: "CapBnd:\t0000000000000020\n",
    prepare: (c) => {
      const set = ["CAP_KILL", "CAP_ODD"];
      c.process.capabilities = { bounding: set, effective: set, permitted: set };
    },
  },
  {
    name: "all resource limits",
    script: "grep -E '^Max (cpu time|file size|core file|resident|processes|locked memory|file " +
      "locks)' /proc/self/limits | grep -c '1024 .*2048'",
    prints: "7\n",
    prepare: (c) => {
      // Limits that the shell itself can live with, and that need no privilege.
      const types = "CORE CPU FSIZE LOCKS MEMLOCK NPROC RSS".split(" ");
      c.process.rlimits = types.map((type) => ({
        ...{ type: `RLIMIT_${type}`, soft: 1024, hard: 2048 },
      }));
    },
  },
  {
    name: "the working directory may be behind a link",
    script: "pwd -P; touch here",
    prints: "/real\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.root}/real`);
      Deno.symlinkSync("real", `${b.root}/link`);
      c.process.cwd = "/link";
    },
    after: (b) => void Deno.lstatSync(`${b.root}/real/here`),
  },
  {
    name: "members that the specification does not know are passed over",
    script: "echo ok",
    prints: "ok\n",
    prepare: (c) => {
      for (const place of [c, c.process, c.root, c.linux]) Reflect.set(place, "odd", { a: [1] });
    },
  },
  {
    name: "a root directory by an absolute path",
    script: "ls /bin/busybox",
    prints: "/bin/busybox\n",
    prepare: (c, b) => c.root.path = b.root,
  },
  {
    name: "a host name and domain of 64 bytes",
    script: "hostname | wc -c; cat /proc/sys/kernel/domainname | wc -c",
    prints: "65\n7\n",
    prepare: (c) => {
      c.hostname = "h".repeat(64);
      c.linux.sysctl = { "kernel.domainname": "domain" };
    },
  },
  {
    name: "a control group namespace shows the group as the root",
    script: "grep -c ':/$' /proc/self/cgroup | grep -qv '^0$' && ! grep -v ':/$' /proc/self/cgroup",
    prints: "",
    prepare: (c) => (c.linux.namespaces as object[]).push({ type: "cgroup" }),
  },
  {
    name: "without a PID namespace of its own the program is the first process, or one of many",
    script: "[ $$ -ge 1 ] && echo ok",
    prints: "ok\n",
    prepare: (c) => {
      c.linux.namespaces = (c.linux.namespaces as { type: string }[])
        .filter(({ type }) => type !== "pid");
    },
  },
];

/**
 * A script as root of user, PID and mount namespaces below the container's; /n is there to mount
 * on.
 */
function less(script: string): string {
  return `mkdir -p /n; busybox unshare -U -r -m -p -f sh -c '${script}' 2>/dev/null;`;
}

/**
 * Root of the container may be root of a user namespace too: with Docker's defaults it has this
 * capability.
 */
function mapsRoot(config: BundleConfig): void {
  const all = ["CAP_SETFCAP", "CAP_DAC_OVERRIDE", "CAP_SYS_CHROOT"];
  config.process.capabilities = { bounding: all, effective: all, permitted: all };
}

export const MORE_MOUNT_CASES: readonly BundleCase[] = [
  {
    name: "flags of a bind mount are shown",
    script: optionsOf("/b", "ro", "nosuid", "nodev", "noexec", "noatime", "nosymfollow"),
    prints: "noatime\nnodev\nnoexec\nnosuid\nnosymfollow\nro\n",
    prepare: (c) => {
      const flags = ["ro", "nosuid", "nodev", "noexec", "noatime", "nosymfollow"];
      c.mounts.push(bind("rootfs/bin", "/b", ...flags));
    },
  },
  {
    name: "the last of opposite flags counts",
    script: optionsOf("/t", "ro", "rw", "nosuid", "nodev", "noexec"),
    prints: "nodev\nrw\n",
    prepare: (c) =>
      c.mounts.push(
        mount("/t", "tmpfs", "t", ...["ro", "nosuid", "noexec", "suid", "exec", "nodev", "rw"]),
      ),
  },
  {
    name: "a bind mount that is read-only all the way down",
    script: "touch /b/x 2>/dev/null || echo no; touch /b/sub/x 2>/dev/null || echo no",
    prints: "no\nno\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src/sub`, { recursive: true });
      b.mount(`${b.dir}/src/sub`);
      c.mounts.push(bind("src", "/b", "rro"));
    },
  },
  {
    name: "a bind mount may have any type",
    script: "cat /a/f /b/f /c/f",
    prints: "f\nf\nf\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/f`, "f\n");
      for (const [i, type] of ["none", "bind", "odd"].entries()) {
        const destination = `/${"abc"[i]}`;
        c.mounts.push({ destination, type, source: "src", options: ["bind"] });
      }
    },
  },
  {
    name: "links of a bind mount are not followed with nosymfollow",
    script: "cat /yes/link; cat /no/link 2>/dev/null || echo no",
    prints: "f\nno\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/f`, "f\n");
      Deno.symlinkSync("f", `${b.dir}/src/link`);
      c.mounts.push(bind("src", "/yes"), bind("src", "/no", "nosymfollow"));
    },
  },
  {
    name: "a tmpfs has the size of its option",
    script: "dd if=/dev/zero of=/t/x bs=100k count=1 2>/dev/null; echo $?; wc -c </t/x",
    prints: "1\n65536\n",
    prepare: (c) => c.mounts.push(mount("/t", "tmpfs", "t", "size=64k")),
  },
  {
    name: "a tmpfs has the number of files of its option",
    script: "for i in 1 2 3 4 5; do touch /t/$i 2>/dev/null || echo -n $i; done",
    prints: "45",
    prepare: (c) => c.mounts.push(mount("/t", "tmpfs", "t", "nr_inodes=4")),
  },
  {
    name: "/proc with options of its own",
    script: optionsOf("/proc", "ro", "nosuid", "nodev", "noexec", "hidepid=.*"),
    prints: "hidepid=invisible\nnodev\nnoexec\nnosuid\n",
    prepare: (c) => {
      c.mounts[0] = mount("/proc", "proc", "proc", "nosuid", "nodev", "noexec", "hidepid=2");
    },
  },
  {
    name: "a file over one of /proc's",
    script: "cat /proc/cpuinfo",
    prints: "mine\n",
    prepare: (c, b) => {
      Deno.writeTextFileSync(`${b.dir}/cpuinfo`, "mine\n");
      c.mounts.push(mount("/proc/cpuinfo", "bind", "cpuinfo", "bind"));
    },
  },
  {
    name: "terminals at another place",
    script: "stat -c %a /t/ptmx; " + optionsOf("/t", "gid=.*", "mode=.*", "ptmxmode=.*"),
    prints: "666\ngid=7\nmode=600\nptmxmode=666\n",
    prepare: (c) => {
      const options = ["newinstance", "ptmxmode=0666", "mode=0600", "gid=7"];
      c.mounts.push(mount("/t", "devpts", "devpts", ...options));
    },
  },
  {
    name: "a bind mount in /dev",
    script: "cat /dev/mine/f; echo x >/dev/null && echo ok",
    prints: "f\nok\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/f`, "f\n");
      c.mounts.push(bind("src", "/dev/mine"));
    },
  },
  {
    name: "one mount over another at the same place",
    script: "ls /m; awk '$2==\"/m\"{n++}END{print n}' /proc/mounts",
    prints: "f\n2\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/f`, "");
      c.mounts.push(mount("/m", "tmpfs", "m"), bind("src", "/m"));
    },
  },
  {
    name: "a mount that cannot be bound elsewhere",
    script: "awk '$5==\"/m\"{print $7}' /proc/self/mountinfo",
    prints: "unbindable\n",
    prepare: (c) => c.mounts.push(mount("/m", "tmpfs", "m", "unbindable")),
  },
  {
    name: "masked paths of /proc and /sys are hidden",
    script: "cat /proc/cpuinfo; ls /sys/kernel; echo end",
    prints: "end\n",
    prepare: (c) => c.linux.maskedPaths = ["/proc/cpuinfo", "/sys/kernel"],
  },
  {
    name: "a user namespace reveals nothing that is hidden in /proc",
    script: less("mount -t proc p /n && echo new; umount -l /proc/cpuinfo && echo gone") +
      less("cat /proc/cpuinfo; echo end"),
    prints: "end\n",
    prepare: (c) => {
      mapsRoot(c);
      c.linux.maskedPaths = ["/proc/cpuinfo"];
    },
  },
  {
    name: "a user namespace writes nothing that is read-only in /proc",
    script: less("mount -t proc p /n && echo new; mount -o remount,bind,rw /proc/sys && echo rw") +
      less("echo x 2>/dev/null >/proc/sys/kernel/hostname && echo written; echo end"),
    prints: "end\n",
    prepare: (c) => {
      mapsRoot(c);
      c.linux.readonlyPaths = ["/proc/sys"];
    },
  },
  {
    name: "a user namespace may mount a /proc of which nothing is hidden",
    script: less("mount -t proc p /n && test -e /n/cpuinfo && echo new"),
    prints: "new\n",
    prepare: mapsRoot,
  },
  {
    name: "an overlay of lower layers alone is read-only",
    script: "cat /o/f; touch /o/x 2>/dev/null || echo no",
    prints: "upper\nno\n",
    prepare: (c, b) => {
      for (const name of ["upper", "lower"]) {
        Deno.mkdirSync(`${b.dir}/${name}`);
        Deno.writeTextFileSync(`${b.dir}/${name}/f`, `${name}\n`);
      }
      const layers = `lowerdir=${b.dir}/upper:${b.dir}/lower`;
      c.mounts.push(mount("/o", "overlay", "overlay", layers));
    },
  },
];

export const MORE_SECCOMP_CASES: readonly BundleCase[] = [
  ...["KILL", "KILL_THREAD", "KILL_PROCESS", "TRAP"].map((action): BundleCase => ({
    name: `a filter with ${action}`,
    script: "sh -c 'mkdir /a' 2>/dev/null; echo $?",
    prints: "159\n",
    prepare: (c) => c.linux.seccomp = seccomp(`SCMP_ACT_${action}`),
  })),
  {
    name: "a filter with TRACE, without a tracer",
    script: "mkdir /a 2>&1 | sed 's/.*: //'",
    prints: "Function not implemented\n",
    prepare: (c) => c.linux.seccomp = seccomp("SCMP_ACT_TRACE", { errnoRet: 7 }),
  },
  {
    name: "a filter with LOG lets a call pass",
    script: "mkdir /a && echo ok",
    prints: "ok\n",
    prepare: (c) => c.linux.seccomp = seccomp("SCMP_ACT_LOG"),
  },
  {
    name: "unknown system calls are ignored",
    script: "mkdir /a && echo ok",
    prints: "ok\n",
    prepare: (c) => c.linux.seccomp = seccomp("SCMP_ACT_ERRNO", { names: ["odd_call"] }),
  },
  {
    name: "children inherit a filter",
    script: "sh -c 'sh -c \"mkdir /a\"' 2>/dev/null || echo no",
    prints: "no\n",
    prepare: (c) => c.linux.seccomp = seccomp("SCMP_ACT_ERRNO"),
  },
  compares("EQ", "600"),
  compares("NE", "500700"),
  compares("LT", "500"),
  compares("LE", "500600"),
  compares("GT", "700"),
  compares("GE", "600700"),
  compares("MASKED_EQ", "500700", { value: 0o500, valueTwo: 0o500 }),
];
