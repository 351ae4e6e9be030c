/**
 * Images of real programs, made without a registry: `docker import` of a Debian tree, then `docker
 * build`, whose steps run in dvisor. Each is built when a test first asks for it. Not a test.
 * Neighbours: debian.ts, docker.ts.
 */

import { join } from "@std/path";
import { describe, run } from "../../harness/dvisor.ts";
import { Debian } from "./debian.ts";
import { Docker } from "./docker.ts";

const PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
const CHANGES = ["--change", `ENV PATH=${PATH}`, "--change", 'CMD ["bash"]'];
const BASE = "base:1";
/** LIMIT: seconds of a build. */
const BUILD_S = 900;
const INSTALL = "RUN DEBIAN_FRONTEND=noninteractive apt-get install -y " +
  "--no-install-recommends /debs/*.deb >/tmp/log 2>&1 || { cat /tmp/log; exit 1; }";

/** How an image is made: what is installed, and what its Dockerfile says after that. */
export interface Recipe {
  readonly packages: readonly string[];
  readonly lines: readonly string[];
  /** Files beside the Dockerfile. */
  readonly files?: Record<string, string>;
}

/** A test of images, which removes what it made. */
export interface ImageCase {
  readonly name: string;
  readonly run: (images: Images) => Promise<void>;
}

export class Images implements AsyncDisposable {
  readonly docker: Docker;
  readonly debian: Debian;
  readonly #recipes: Record<string, Recipe>;
  readonly #made = new Map<string, Promise<string>>();

  private constructor(docker: Docker, debian: Debian, recipes: Record<string, Recipe>) {
    this.docker = docker;
    this.debian = debian;
    this.#recipes = recipes;
  }

  static async make(recipes: Record<string, Recipe>): Promise<Images> {
    const debian = await Debian.make();
    const docker = await Docker.start({ settings: { experimental: true } });
    const images = new Images(docker, debian, recipes);
    await images.importBase();
    return images;
  }

  /** Makes the bare Debian an image. */
  async importBase(): Promise<void> {
    const importing = this.docker.argv("import", ...CHANGES, "-", BASE).map((a) => `'${a}'`);
    const script = `tar -C ${this.debian.tree} -c . | ${importing.join(" ")}`;
    const result = await run(["sh", "-c", script]);
    if (result.code !== 0) throw new Error(`docker import: ${describe(result)}`);
  }

  /** The bare Debian. */
  get base(): string {
    return BASE;
  }

  /** The name of the image of this recipe. */
  of(name: string): Promise<string> {
    let made = this.#made.get(name);
    if (made === undefined) this.#made.set(name, made = this.#build(name));
    return made;
  }

  async #build(name: string): Promise<string> {
    const recipe = this.#recipes[name];
    if (recipe === undefined) throw new Error(`no recipe of ${name}`);
    await this.build(`${name}:1`, recipe);
    return `${name}:1`;
  }

  /** Builds one; gives what the build printed. */
  async build(tag: string, recipe: Recipe, env: Record<string, string> = {}): Promise<string> {
    const context = await Deno.makeTempDir({ prefix: "dvisor-image-" });
    try {
      const lines = [`FROM ${BASE}`];
      if (recipe.packages.length > 0) {
        const debs = await this.debian.packages(recipe.packages);
        await run(["sh", "-c", `mkdir ${context}/debs && cp ${debs}/*.deb ${context}/debs`]);
        lines.push("COPY debs /debs", INSTALL);
      }
      for (const [path, text] of Object.entries(recipe.files ?? {})) {
        await Deno.writeTextFile(join(context, path), text);
      }
      const text = [...lines, ...recipe.lines].join("\n") + "\n";
      await Deno.writeTextFile(join(context, "Dockerfile"), text);
      const args = ["build", "--network", "none", "-t", tag, context];
      const result = await this.docker.run(args, { timeoutS: BUILD_S, env });
      if (result.code !== 0) throw new Error(`docker build of ${tag}: ${describe(result)}`);
      return result.stdout + result.stderr;
    } finally {
      await run(["rm", "-rf", context]);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.docker[Symbol.asyncDispose]();
    await this.debian[Symbol.asyncDispose]();
  }
}
