/**
 * Root directories whose links lead out, for whatever a runtime makes in them: places of mounts, of devices, of the
 * working directory, hidden and read-only paths. Whether it works or is refused: nothing outside of the root directory
 * changes. So with runc too, which has met most of these before.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { named, noContainers } from "../harness/machine.ts";
import { Bundle, type BundleConfig, shellConfig } from "./bundle.ts";
import { runtimesOf, withEach } from "./lifecycle.ts";
import { namesOf, snapshot } from "./outside.ts";

interface HostileRoot {
  readonly name: string;
  /** Links in the root directory, `OUT` being a directory beside it. */
  readonly links: Readonly<Record<string, string>>;
  readonly change?: (config: BundleConfig) => void;
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
const device = (path: string) =>
  withLinux({ devices: [{ path, type: "c", major: 1, minor: 3, fileMode: 0o666 }] });

const ROOTS: readonly HostileRoot[] = [
  { name: "/proc is a link out", links: { proc: "OUT/dir" } },
  { name: "/sys is a link out", links: { sys: "OUT/dir" } },
  { name: "/dev is a link out", links: { dev: "OUT/dir" }, notRunc },
  { name: "/dev is a link to what is not there", links: { dev: "OUT/new" } },
  { name: "/dev/pts is below a link", links: { dev: "../outside" }, notRunc },
  {
    name: "/dev is a link, without a mount on it",
    notRunc,
    links: { dev: "OUT/dir" },
    change: (c) => {
      c.mounts = c.mounts.filter((mount) => !JSON.stringify(mount).includes('"/dev'));
    },
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
    name: "a file on a link to what is not there",
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

function prepare(bundle: Bundle, links: Readonly<Record<string, string>>): void {
  const { dir, root } = bundle;
  Deno.mkdirSync(`${dir}/outside/dir`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/outside/file`, "outside");
  Deno.mkdirSync(`${dir}/src`);
  Deno.mkdirSync(`${dir}/state`);
  Deno.writeTextFileSync(`${dir}/src/file`, "source");
  for (const [name, target] of Object.entries(links)) {
    Deno.symlinkSync(target.replace("OUT", `${dir}/outside`), `${root}/${name}`);
  }
}

for (const { name, links, change, ...runtimes } of ROOTS) {
  Deno.test({
    ...named(`hostile root: ${name}`, noContainers),
    fn: () =>
      withEach(runtimesOf(runtimes), async (runtime) => {
        const bundle = new Bundle(), { dir } = bundle;
        try {
          prepare(bundle, links);
          const config = shellConfig("");
          config.process["args"] = ["/bin/busybox", "true"];
          change?.(config);
          bundle.write(config);
          const facts =
            () => [...snapshot(`${dir}/outside`), ...snapshot(`${dir}/src`), ...namesOf(dir)];
          const before = facts();
          const result = await bundle.run(runtime);
          assertEquals(facts(), before, describe(result));
          if (result.code === 0 || runtime !== "dvisor") return;
          assertMatch(result.stderr, /^dvisor: config\.json: \S+: .*\n$/, describe(result));
        } finally {
          bundle.remove();
        }
      }),
  });
}
