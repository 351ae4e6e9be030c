/**
 * Containers and what they print: a script, a change of config.json, and the expected output. runc
 * runs each case too and has to agree, unless the case says otherwise. Not a test: bundle_test.ts
 * runs them.
 */

import type { Bundle, BundleConfig } from "./bundle.ts";

export interface BundleCase {
  readonly name: string;
  /** The script of the container's shell; the arguments of the command when there are `args`. */
  readonly script: string;
  /** Standard output, exactly. */
  readonly prints: string;
  /** Changes the config.json, and puts files into the bundle. */
  readonly prepare?: (config: BundleConfig, bundle: Bundle) => void;
  /** The state that the host must have after the container's end. */
  readonly after?: (bundle: Bundle) => void;
  readonly code?: number;
  /** Why runc does not run the case. */
  readonly notRunc?: string;
}

const LATER = "runc 1.1 does not know it";

export function mount(
  destination: string,
  type: string,
  source: string,
  ...options: string[]
): object {
  return { destination, type, source, options };
}

export function bind(source: string, destination: string, ...options: string[]): object {
  return mount(destination, "bind", source, "rbind", ...options);
}

function mustExist(path: string): void {
  Deno.lstatSync(path);
}

function mustNotExist(path: string): void {
  let isThere = true;
  try {
    Deno.lstatSync(path);
  } catch {
    isThere = false;
  }
  if (isThere) throw new Error(`${path} is there`);
}

/** Flags of a mount in /proc/mounts, without what file systems add. */
const flagsOf = (path: string) =>
  `awk '$2=="${path}"{print $1, $3, $4}' /proc/mounts | sed 's/,inode64//'`;

export const PROCESS_CASES: readonly BundleCase[] = [
  {
    name: "arguments and environment are passed on as they are",
    script: 'printf "%s|" "$A" "$0" "$1" "$2"',
    prints: "é x|name|a b|ü|",
    prepare: (c) => {
      c.process.env = ["PATH=/bin", "A=é x"];
      c.process.args = [...(c.process.args as string[]), "name", "a b", "ü"];
    },
  },
  {
    name: "the exit code is the program's",
    script: "exit 7",
    prints: "",
    code: 7,
  },
  {
    name: "a working directory that is missing is made",
    script: "pwd; stat -c %a .",
    prints: "/a/b\n755\n",
    prepare: (c) => c.process.cwd = "/a/b",
    after: (b) => mustExist(`${b.root}/a/b`),
  },
  {
    name: "user, group and additional groups",
    script: "id -u; id -g; grep Groups: /proc/self/status",
    prints: "1000\n1001\nGroups:\t7 1002 \n",
    prepare: (c) => c.process.user = { uid: 1000, gid: 1001, additionalGids: [7, 1002] },
  },
  {
    name: "the umask",
    script: "umask; touch /tmp-x; stat -c %a /tmp-x",
    prints: "0027\n640\n",
    prepare: (c) => c.process.user = { uid: 0, gid: 0, umask: 0o027 },
  },
  {
    name: "limits",
    script: "ulimit -n; ulimit -Hn; ulimit -c",
    prints: "100\n200\n0\n",
    prepare: (c) =>
      c.process.rlimits = [
        { type: "RLIMIT_NOFILE", soft: 100, hard: 200 },
        { type: "RLIMIT_CORE", soft: 0, hard: 0 },
      ],
  },
  {
    name: "capabilities of root, whose exec gains all that are bounded",
    script: "grep ^Cap /proc/self/status",
    prints: "CapInh:\t0000000000000000\nCapPrm:\t0000000000000021\n" +
      "CapEff:\t0000000000000021\nCapBnd:\t0000000000000021\nCapAmb:\t0000000000000000\n",
    prepare: (c) =>
      c.process.capabilities = {
        bounding: ["CAP_KILL", "CAP_CHOWN"],
        permitted: ["CAP_KILL", "CAP_CHOWN"],
        effective: ["CAP_KILL"],
      },
  },
  {
    name: "another user loses capabilities, except ambient ones",
    script: "grep -E '^Cap(Prm|Eff|Amb)' /proc/self/status",
    prints: "CapPrm:\t0000000000000020\nCapEff:\t0000000000000020\nCapAmb:\t0000000000000020\n",
    prepare: (c) => {
      c.process.user = { uid: 1000, gid: 1000 };
      const both = ["CAP_KILL", "CAP_CHOWN"];
      c.process.capabilities = {
        bounding: both,
        permitted: both,
        effective: both,
        inheritable: ["CAP_KILL"],
        ambient: ["CAP_KILL"],
      };
    },
  },
  {
    name: "ambient capabilities that are not inheritable are none",
    script: "grep ^CapAmb /proc/self/status",
    prints: "CapAmb:\t0000000000000000\n",
    prepare: (c) => {
      const both = ["CAP_KILL", "CAP_CHOWN"];
      c.process.capabilities = { bounding: both, permitted: both, ambient: both };
    },
  },
  {
    name: "HOME is that of the user",
    script: "echo $HOME",
    prints: "/home/u\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.root}/etc`);
      const users = "root:x:0:0:root:/root:/bin/sh\nu:x:1000:1000::/home/u:/bin/sh\n";
      Deno.writeTextFileSync(`${b.root}/etc/passwd`, users);
      c.process.user = { uid: 1000, gid: 1000 };
    },
  },
  {
    name: "HOME of a user that the container does not know",
    script: "env | grep HOME; cd; pwd",
    prints: "HOME=/\n/\n",
    prepare: (c) => c.process.user = { uid: 77, gid: 77 },
  },
  {
    name: "no new privileges",
    script: "grep NoNewPrivs /proc/self/status",
    prints: "NoNewPrivs:\t1\n",
    prepare: (c) => c.process.noNewPrivileges = true,
  },
  {
    name: "oom_score_adj is set",
    script: "cat /proc/self/oom_score_adj",
    prints: "500\n",
    prepare: (c) => c.process.oomScoreAdj = 500,
  },
  {
    name: "host name",
    script: "hostname; uname -n",
    prints: "box\nbox\n",
  },
  {
    name: "domain name by a kernel setting",
    script: "cat /proc/sys/kernel/domainname; hostname",
    prints: "example\nbox\n",
    prepare: (c) => c.linux.sysctl = { "kernel.domainname": "example" },
  },
  {
    name: "domain name",
    script: "cat /proc/sys/kernel/domainname",
    prints: "example\n",
    prepare: (c) => c.domainname = "example",
    notRunc: LATER,
  },
  {
    name: "personality",
    script: "uname -m",
    prints: "i686\n",
    prepare: (c) => c.linux.personality = { domain: "LINUX32" },
    notRunc: LATER,
  },
  {
    name: "scheduling and I/O priority",
    script: "ionice; awk '{print $19, $41}' /proc/self/stat",
    prints: "best-effort: prio 3\n5 3\n",
    prepare: (c) => {
      c.process.ioPriority = { class: "IOPRIO_CLASS_BE", priority: 3 };
      c.process.scheduler = { policy: "SCHED_BATCH", nice: 5 };
    },
    notRunc: LATER,
  },
  {
    name: "the first process is init, and leads a session",
    script: "echo $$; awk '{print $5, $6}' /proc/1/stat",
    prints: "1\n1 1\n",
  },
];

export const MOUNT_CASES: readonly BundleCase[] = [
  {
    name: "a user that cannot mount has mounts that are shared with the host",
    script: "ls -d /x/.; mount -t tmpfs t /x 2>/dev/null || echo no",
    prints: "/x/.\nno\n",
    prepare: (c) => {
      const options = ["rbind", "rshared", ""];
      c.mounts.push({ destination: "/x", type: "bind", source: "/srv", options });
    },
  },
  {
    name: "a read-only root has its mounts all the same",
    script: "touch /x 2>/dev/null || echo no; echo a >/dev/shm/a; cat /dev/shm/a; ls /new",
    prints: "no\na\n",
    prepare: (c) => {
      c.root.readonly = true;
      c.mounts.push(
        mount("/dev/shm", "tmpfs", "shm", "nosuid", "noexec", "nodev", "mode=1777"),
        mount("/new", "tmpfs", "tmpfs", "ro"),
      );
    },
  },
  {
    name: "writes to the root are on the host",
    script: "echo data >/made; mkdir -p /d/e; ln -s made /link; rm /bin/nice",
    prints: "",
    after: (b) => {
      if (Deno.readTextFileSync(`${b.root}/made`) !== "data\n") throw new Error("other data");
      mustExist(`${b.root}/d/e`);
      mustNotExist(`${b.root}/bin/nice`);
    },
  },
  {
    name: "flags of a tmpfs",
    script: flagsOf("/t") + "; stat -c '%a %u %g' /t; touch /t/x 2>/dev/null || echo no",
    prints: "name tmpfs ro,nosuid,nodev,noexec,noatime,size=1024k,mode=750,uid=5,gid=6\n" +
      "750 5 6\nno\n",
    prepare: (c) =>
      c.mounts.push(
        mount(
          ...["/t", "tmpfs", "name", "ro", "nosuid", "nodev", "noexec", "noatime"] as const,
          ...["mode=750", "size=1m", "uid=5", "gid=6"],
        ),
      ),
  },
  {
    name: "a tmpfs takes the mode of the directory that it covers",
    script: "stat -c %a /t; stat -c %a /u; stat -c %a /v",
    prints: "700\n1777\n711\n",
    prepare: (c, b) => {
      for (const name of ["t", "v"]) Deno.mkdirSync(`${b.root}/${name}`);
      Deno.chmodSync(`${b.root}/t`, 0o700);
      Deno.chmodSync(`${b.root}/v`, 0o700);
      c.mounts.push(mount("/t", "tmpfs", "t"), mount("/u", "tmpfs", "u"));
      c.mounts.push(mount("/v", "tmpfs", "v", "mode=711"));
    },
    notRunc: "runc 1.1.15 keeps the directory's mode even where the options say otherwise",
  },
  {
    name: "a tmpfs that starts with a copy of the covered directory",
    script: "cat /t/a/b; stat -c '%a %u' /t/a/b; readlink /t/l; echo new >/t/a/b; cat /t/a/b",
    prints: "text640 3\na/b\nnew\n".replace("text", "text\n"),
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.root}/t/a`, { recursive: true });
      Deno.writeTextFileSync(`${b.root}/t/a/b`, "text\n");
      Deno.chmodSync(`${b.root}/t/a/b`, 0o640);
      Deno.chownSync(`${b.root}/t/a/b`, 3, 3);
      Deno.symlinkSync("a/b", `${b.root}/t/l`);
      c.mounts.push(mount("/t", "tmpfs", "t", "tmpcopyup"));
    },
    after: (b) => {
      if (Deno.readTextFileSync(`${b.root}/t/a/b`) !== "text\n") throw new Error("it was changed");
    },
  },
  {
    name: "bind mounts of a directory and of a file, for writing and not",
    script: "cat /rw/a /file; echo b >/rw/b; echo c 2>/dev/null >/ro/c || echo no; " +
      "(echo d >/file) 2>/dev/null || echo no; ls /ro",
    prints: "a\na\nno\nno\na\nb\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/a`, "a\n");
      c.mounts.push(
        bind(`${b.dir}/src`, "/rw"),
        bind("src", "/ro", "ro"),
        bind("src/a", "/file", "ro"),
      );
    },
    after: (b) => mustExist(`${b.dir}/src/b`),
  },
  {
    name: "more bind mounts than the runtime has descriptors of its own",
    script: "cat /many/*/a | sort | uniq -c | awk '{print $1, $2}'",
    prints: "150 x\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/a`, "x\n");
      for (let i = 0; i < 150; i++) c.mounts.push(bind("src", `/many/${i}`));
    },
  },
  {
    name: "mounts below a source are shown by rbind, not by bind",
    script: "ls /deep/sub /flat/sub",
    prints: "/deep/sub:\nf\n\n/flat/sub:\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src/sub`, { recursive: true });
      b.mount(`${b.dir}/src/sub`);
      Deno.writeTextFileSync(`${b.dir}/src/sub/f`, "");
      c.mounts.push(bind("src", "/deep"), mount("/flat", "none", "src", "bind"));
    },
  },
  {
    name: "flags of bind mounts work",
    script:
      "cp() { cat /bin/busybox >/b/x; chmod 755 /b/x; }; cp; /b/x true 2>/dev/null || echo noexec",
    prints: "noexec\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      c.mounts.push(bind("src", "/b", "noexec", "nosuid", "nodev"));
    },
  },
  {
    name: "mount points are made at targets of links, inside the root",
    script: "cat /abs/in/f; cat /rel/f; ls /etc/away; cat /to/f",
    prints: "f\nf\nin\nf\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/f`, "f\n");
      Deno.mkdirSync(`${b.root}/deep/er`, { recursive: true });
      // Each link leads out of the root directory, if the host resolves it.
      Deno.symlinkSync("/etc/away", `${b.root}/abs`);
      Deno.symlinkSync("../../../../../../up", `${b.root}/rel`);
      Deno.symlinkSync(`${b.dir}/outside`, `${b.root}/to`);
      c.mounts.push(bind("src", "/abs/in"), bind("src", "/rel"), bind("src", "/to"));
    },
    after: (b) => {
      mustNotExist("/etc/away");
      mustNotExist("/up");
      mustNotExist(`${b.dir}/outside`);
      mustExist(`${b.root}/up`);
      mustExist(`${b.root}/etc/away/in`);
    },
  },
  {
    name: "later mounts cover earlier ones, in their order",
    script: "ls /m; ls /m/sub; cat /m/sub/deep/f",
    prints: "sub\ndeep\nf\n",
    prepare: (c, b) => {
      Deno.mkdirSync(`${b.dir}/src`);
      Deno.writeTextFileSync(`${b.dir}/src/f`, "f\n");
      c.mounts.push(
        mount("/m", "tmpfs", "m"),
        mount("/m/sub", "tmpfs", "n"),
        bind("src", "/m/sub/deep"),
      );
    },
  },
  {
    name: "an overlay of directories of the host",
    script: "cat /o/low /o/up; echo changed >/o/low; rm /o/gone; ls /o; cat /o/low",
    prints: "low\nup\nlow\nup\nchanged\n",
    prepare: (c, b) => {
      for (const name of ["l1", "l2", "u", "w"]) Deno.mkdirSync(`${b.dir}/${name}`);
      Deno.writeTextFileSync(`${b.dir}/l1/low`, "low\n");
      Deno.writeTextFileSync(`${b.dir}/l2/low`, "covered\n");
      Deno.writeTextFileSync(`${b.dir}/l2/gone`, "");
      Deno.writeTextFileSync(`${b.dir}/u/up`, "up\n");
      const layers = `lowerdir=${b.dir}/l1:${b.dir}/l2`;
      const own = [`upperdir=${b.dir}/u`, `workdir=${b.dir}/w`];
      c.mounts.push(mount("/o", "overlay", "overlay", layers, ...own));
    },
    after: (b) => {
      if (Deno.readTextFileSync(`${b.dir}/u/low`) !== "changed\n") throw new Error("not there");
      if (Deno.readTextFileSync(`${b.dir}/l1/low`) !== "low\n") throw new Error("it was changed");
    },
  },
  {
    name: "message queues",
    script: flagsOf("/dev/mqueue") + "; stat -c %a /dev/mqueue",
    prints: "mqueue mqueue rw,nosuid,nodev,noexec,relatime\n1777\n",
    prepare: (c) =>
      c.mounts.push(mount("/dev/mqueue", "mqueue", "mqueue", "nosuid", "noexec", "nodev")),
  },
  {
    name: "terminals have the requested mode and group",
    script: "stat -c %a /dev/pts/ptmx; " + flagsOf("/dev/pts"),
    prints: "666\ndevpts devpts rw,nosuid,noexec,relatime,gid=5,mode=620,ptmxmode=666\n",
  },
  {
    name: "files of a root directory that is an overlay of the host, changed for the first time",
    script: "cat /f; echo more >>/f; cat /f; exec 3</k; echo changed >/k; cat /k; cat <&3; " +
      "chmod 600 /g; cat /g; echo x >/g; cat /g; cd /d; touch y; ls; mkdir n; ls; " +
      "mv /f /d/n/f; cat /d/n/f; rm /h; ls /h 2>/dev/null; ln /k /l; echo l >>/l; cat /k; " +
      "mv /d/n /m; cat /m/f; rm -r /e; mkdir /e; ls /e; stat -c %a /g",
    prints: "f\nf\nmore\nchanged\nchanged\ng\nx\nlow\ny\nlow\nn\ny\nf\nmore\n" +
      "changed\nl\nf\nmore\n600\n",
    prepare: (_c, b) => {
      for (const name of ["upper", "work", "lower"]) Deno.mkdirSync(`${b.dir}/${name}`);
      Deno.renameSync(`${b.root}/bin`, `${b.dir}/lower/bin`);
      for (const name of ["f", "g", "h", "k"]) {
        Deno.writeTextFileSync(`${b.dir}/lower/${name}`, `${name}\n`);
      }
      for (const name of ["d", "e"]) {
        Deno.mkdirSync(`${b.dir}/lower/${name}`);
        Deno.writeTextFileSync(`${b.dir}/lower/${name}/low`, "");
      }
      const layers = `lowerdir=${b.dir}/lower,upperdir=${b.dir}/upper,workdir=${b.dir}/work`;
      if (!b.mount(b.root, "overlay", layers)) throw new Error("this host mounts no overlay");
    },
  },
  {
    name: "propagation of the root directory",
    script: "awk '$5==\"/\"{print $7}' /proc/self/mountinfo | sed 's/:.*//'",
    prints: "shared\n",
    prepare: (c) => c.linux.rootfsPropagation = "shared",
    notRunc: "with pivot_root it has it lost when the program starts",
  },
  {
    name: "a relative destination counts from the root",
    script: "ls /rel; stat -c %a /rel",
    prints: "1777\n",
    prepare: (c) => c.mounts.push(mount("rel", "tmpfs", "t")),
  },
];
