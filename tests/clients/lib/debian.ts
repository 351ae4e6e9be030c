/**
 * A small Debian for images: the tree that debootstrap makes, and packages to install into it
 * without a network. What apt of this machine knows about proxies counts; its sources and pins do
 * not. Not a test. Neighbour: images.ts.
 *
 * `DVISOR_DEBIAN` names a directory that keeps both from one run to the next: for development.
 */

import { join } from "@std/path";
import { describe, run } from "../../harness/dvisor.ts";
import { lacks } from "../../harness/machine.ts";

export const noDebian: string | null = lacks(["debootstrap", "apt-get"]);

const SUITE = "trixie";
/** LIMIT: seconds for what comes from a mirror. */
const MIRROR_S = 600;
/** No service starts because its package is installed. */
const POLICY = "#!/bin/sh\nexit 101\n";

export class Debian implements AsyncDisposable {
  readonly #dir: string;
  readonly #isKept: boolean;

  private constructor(dir: string, isKept: boolean) {
    this.#dir = dir;
    this.#isKept = isKept;
  }

  static async make(): Promise<Debian> {
    const kept = Deno.env.get("DVISOR_DEBIAN");
    const dir = kept ?? await Deno.makeTempDir({ prefix: "dvisor-debian-" });
    const debian = new Debian(dir, kept !== undefined);
    if (!exists(join(dir, "sources.list"))) await debian.#bootstrap();
    return debian;
  }

  /** The root directory. */
  get tree(): string {
    return join(this.#dir, "tree");
  }

  async #bootstrap(): Promise<void> {
    await must("debootstrap", "--variant=minbase", SUITE, this.tree);
    const sources = join(this.tree, "etc/apt/sources.list");
    const lists = join(this.tree, "var/lib/apt/lists");
    // With lists apt would rather fetch a package than take the one that it is given.
    await must("sh", "-c", `rm -rf ${lists}/*_* ${this.tree}/var/cache/apt/archives/*.deb`);
    await Deno.writeTextFile(join(this.tree, "usr/sbin/policy-rc.d"), POLICY, { mode: 0o755 });
    await Deno.mkdir(join(this.#dir, "apt/lists/partial"), { recursive: true });
    await Deno.copyFile(sources, join(this.#dir, "sources.new"));
    await Deno.writeTextFile(sources, "");
    await must("apt-get", ...this.#options("sources.new"), "update");
    await Deno.rename(join(this.#dir, "sources.new"), join(this.#dir, "sources.list"));
  }

  #options(sources = "sources.list"): string[] {
    const settings = {
      "Dir::State": join(this.#dir, "apt"),
      "Dir::State::status": join(this.tree, "var/lib/dpkg/status"),
      "Dir::Cache": join(this.#dir, "apt"),
      "Dir::Etc::sourcelist": join(this.#dir, sources),
      "Dir::Etc::sourceparts": "/dev/null",
      "Dir::Etc::preferences": "/dev/null",
      "Dir::Etc::preferencesparts": "/dev/null",
      "APT::Sandbox::User": "root",
      "APT::Install-Recommends": "false",
    };
    return Object.entries(settings).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  }

  /** A directory with these packages and all that the tree lacks for them. */
  async packages(names: readonly string[]): Promise<string> {
    const dir = join(this.#dir, "debs", names.join("+"));
    if (exists(join(dir, "complete"))) return dir;
    await Deno.mkdir(join(dir, "partial"), { recursive: true });
    const where = ["-o", `Dir::Cache::archives=${dir}`];
    await must(
      "apt-get",
      ...this.#options(),
      ...where,
      "-y",
      "--download-only",
      "install",
      ...names,
    );
    await Deno.writeTextFile(join(dir, "complete"), "");
    return dir;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#isKept) await run(["rm", "-rf", this.#dir]);
  }
}

async function must(...argv: readonly string[]): Promise<void> {
  const result = await run(argv, { timeoutS: MIRROR_S, cwd: "/" });
  if (result.code !== 0) throw new Error(`${argv[0]}: ${describe(result)}`);
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
