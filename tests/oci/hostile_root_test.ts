/**
 * Root directories whose links lead out, at each place where a runtime makes something: mount
 * points, devices, the working directory, hidden and read-only paths. Whether a command works or is
 * refused, nothing outside of the root directory changes. runc, which has met most of these links
 * before, runs the cases too.
 */

import { assertEquals, assertMatch, assertNotEquals } from "@std/assert";
import { dirname } from "@std/path";
import { describe } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { Bundle, type BundleConfig, shellConfig } from "./bundle.ts";
import { runtimesOf, withEach } from "./lifecycle.ts";
import { namesOf, snapshot } from "./directory_snapshot.ts";

interface HostileRoot {
  readonly name: string;
  /** Links in the root directory, `OUT` being a directory beside it. */
  readonly links: Readonly<Record<string, string>>;
  readonly change?: (config: BundleConfig) => void;
  /** Files in the root directory, with their directories. */
  readonly files?: readonly string[];
  /** The message of dvisor: the file cannot be made. */
  readonly refused?: RegExp;
  /** Why runc is not asked. */
  readonly notRunc?: string;
}

const notRunc = "version 1.1.15 makes links and nodes of /dev outside";

const tmpfs = (destination: string): object => ({ destination, type: "tmpfs", source: "t" });
const bind = (destination: string, source = "src"): object => ({
  ...{ destination, source, type: "bind", options: ["rbind"] },
});
const withMount = (mount: object) => (c: BundleConfig) => void c.mounts.push(mount);
const withLinux = (more: object) => (c: BundleConfig) => void Object.assign(c.linux, more);
const ORDINARY = /must be mounted on an ordinary directory/;
const withoutDev = (c: BundleConfig): void => {
  c.mounts = c.mounts.filter((mount) => !JSON.stringify(mount).includes('"/dev'));
};
const device = (path: string) =>
  withLinux({ devices: [{ path, type: "c", major: 1, minor: 3, fileMode: 0o666 }] });

const ROOTS: readonly HostileRoot[] = [
  { name: "/proc is a link out", links: { proc: "OUT/dir" } },
  { name: "/proc is a link to a directory inside", links: { proc: "bin" }, refused: ORDINARY },
  { name: "/sys is a link to a directory inside", links: { sys: "bin" }, refused: ORDINARY },
  {
    name: "/proc and /sys hold what looks like settings",
    links: {},
    files: ["proc/sys/net/ipv4/ip_forward", "proc/self/attr/exec", "sys/fs/cgroup/cgroup.procs"],
    change: withLinux({ sysctl: { "net.ipv4.ip_forward": "1" } }),
  },
  {
    name: "settings without a /proc, and with a link instead of /proc",
    links: { proc: "OUT" },
    change: (c) => {
      c.mounts = c.mounts.filter((mount) => !JSON.stringify(mount).includes('"/proc"'));
      Object.assign(c.linux, { sysctl: { "net.ipv4.ip_forward": "1" } });
    },
  },
  {
    name: "/dev/null is a link to what is to be hidden",
    notRunc: "version 1.1.15 takes any /dev/null",
    links: { "dev/null": "/proc/meminfo" },
    change: (c) => {
      withoutDev(c);
      Object.assign(c.linux, { maskedPaths: ["/proc/meminfo"] });
    },
    refused: /maskedPaths\[0\]: \/dev\/null is not the null device/,
  },
  {
    name: "/dev/console, /dev/ptmx and /dev/stdin are links out",
    notRunc,
    links: { "dev/console": "OUT/new", "dev/ptmx": "OUT/file", "dev/stdin": "OUT/dir" },
    change: withoutDev,
  },
  {
    name: "/etc/passwd and /etc/resolv.conf are links out",
    links: { "etc/passwd": "OUT/file", "etc/resolv.conf": "../../outside/new", e: "OUT" },
    change: (c) => {
      for (const at of ["/etc/passwd", "/etc/resolv.conf", "/e/hosts"]) {
        c.mounts.push(bind(at, "src/file"));
      }
    },
  },
  {
    name: "a mount by way of a descriptor of the runtime",
    links: { m: "/proc/self/fd/7", n: "/proc/self/cwd", o: "/proc/1/root/tmp" },
    change: (c) => c.mounts.push(tmpfs("/m/new"), tmpfs("/n/new"), bind("/o/new")),
  },
  {
    name: "a working directory that is a descriptor of the runtime",
    links: {},
    change: (c) => c.process["cwd"] = "/proc/self/fd/7",
    refused: /./,
  },
  {
    name: "a working directory by a link to a descriptor of the runtime",
    links: { m: "/proc/self/fd/8/../../.." },
    change: (c) => c.process["cwd"] = "/m",
    refused: /./,
  },
  { name: "/sys is a link out", links: { sys: "OUT/dir" } },
  { name: "/dev is a link out", links: { dev: "OUT/dir" }, notRunc },
  { name: "/dev is a link to what is not there", links: { dev: "OUT/new" } },
  { name: "/dev/pts is below a link", links: { dev: "../outside" }, notRunc },
  {
    name: "/dev is a link, without a mount on it",
    notRunc,
    links: { dev: "OUT/dir" },
    change: withoutDev,
  },
  { name: "a tmpfs on a link out", links: { m: "OUT/dir" }, change: withMount(tmpfs("/m")) },
  { name: "a tmpfs below a link out", links: { m: "OUT" }, change: withMount(tmpfs("/m/new/a")) },
  { name: "a directory on a link out", links: { m: "OUT/new" }, change: withMount(bind("/m")) },
  { name: "a directory below ..", links: { m: ".." }, change: withMount(bind("/m/outside/new")) },
  {
    name: "a file on a link out",
    links: { m: "OUT/file" },
    change: withMount(bind("/m", "src/file")),
  },
  {
    name: "a file on a dangling link",
    links: { m: "OUT/new" },
    change: withMount(bind("/m", "src/file")),
  },
  {
    name: "a mount on links in a circle",
    links: { m: "n", n: "m" },
    change: withMount(bind("/m")),
  },
  {
    name: "a mount by way of /proc/self/root",
    links: { m: "/proc/self/root/OUT" },
    change: withMount(tmpfs("/m/new")),
  },
  {
    name: "a mount by way of a link that .. follows",
    links: { m: "OUT/dir" },
    change: withMount(bind("/m/../new")),
  },
  {
    name: "a tmpfs that copies what a link leads to",
    links: { m: "OUT" },
    change: withMount({ ...tmpfs("/m"), options: ["tmpcopyup"] }),
  },
  { name: "a device on a link out", links: { m: "OUT/new" }, change: device("/m") },
  { name: "a device below a link out", links: { m: "OUT" }, change: device("/m/new") },
  { name: "a device below ..", links: {}, change: device("/dev/../../outside/new") },
  {
    name: "a working directory on a link out",
    links: { m: "OUT/new" },
    change: (c) => c.process["cwd"] = "/m",
  },
  {
    name: "a working directory below a link out",
    links: { m: "../outside" },
    change: (c) => c.process["cwd"] = "/m/a/b",
  },
  {
    name: "a hidden path that is a link out",
    links: { m: "OUT/file" },
    change: withLinux({ maskedPaths: ["/m"] }),
  },
  {
    name: "a read-only path that is a link out",
    links: { m: "OUT/dir" },
    change: withLinux({ readonlyPaths: ["/m"] }),
  },
];

function prepare(bundle: Bundle, { links, files = [] }: HostileRoot): void {
  const { dir, root } = bundle;
  Deno.mkdirSync(`${dir}/outside/dir`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/outside/file`, "outside");
  Deno.mkdirSync(`${dir}/src`);
  Deno.mkdirSync(`${dir}/state`);
  Deno.writeTextFileSync(`${dir}/src/file`, "source");
  for (const [name, target] of Object.entries(links)) {
    const path = `${root}/${name}`;
    Deno.mkdirSync(dirname(path), { recursive: true });
    Deno.symlinkSync(target.replace("OUT", `${dir}/outside`), path);
  }
  for (const name of files) {
    Deno.mkdirSync(dirname(`${root}/${name}`), { recursive: true });
    Deno.writeTextFileSync(`${root}/${name}`, "");
  }
}

for (const hostile of ROOTS) {
  const { name, change, refused, ...runtimes } = hostile;
  Deno.test({
    ...named(`hostile root: ${name}`, noContainers),
    fn: () =>
      withEach(runtimesOf(runtimes), async (runtime) => {
        const bundle = new Bundle(), { dir } = bundle;
        try {
          prepare(bundle, hostile);
          const config = shellConfig("");
          config.process["args"] = ["/bin/busybox", "true"];
          change?.(config);
          bundle.write(config);
          const facts =
            () => [...snapshot(`${dir}/outside`), ...snapshot(`${dir}/src`), ...namesOf(dir)];
          const before = facts();
          const result = await bundle.run(runtime);
          assertEquals(facts(), before, describe(result));
          if (refused !== undefined) assertNotEquals(result.code, 0, describe(result));
          if (result.code === 0 || runtime !== "dvisor") return;
          assertMatch(result.stderr, refused ?? /./, describe(result));
          assertMatch(result.stderr, /^dvisor: config\.json: \S+: .*\n$/, describe(result));
        } finally {
          bundle.remove();
        }
      }),
  });
}
