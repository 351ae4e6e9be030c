/**
 * Hostile root directories: links that lead out, in circles and into /proc, and mounts whose places
 * go through them. Nothing outside of the root directory may change, and what does not work has a
 * message that names the place.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { describe } from "../harness/dvisor.ts";
import { runCases } from "../harness/fuzz_run.ts";
import { named, noContainers } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { Bundle, shellConfig } from "./bundle.ts";
import { namesOf, snapshot } from "./directory_snapshot.ts";

const CASES = { ci: 8, full: 200 };
const LINKS = 12, MOUNTS = 6;

const NAMES = ["a", "b", "c", "d", "e", "bin", "etc"] as const;

function pathOf(random: Random, withDots: boolean): string {
  let path = "";
  for (let i = random.below(4) + 1; i > 0; i--) {
    path += `/${withDots && random.below(4) === 0 ? ".." : random.pick(NAMES)}`;
  }
  return path;
}

function targetOf(random: Random, bundle: Bundle): string {
  switch (random.below(7)) {
    case 0:
      return `${bundle.dir}/outside${random.pick(["", "/dir", "/new", "/file"])}`;
    case 1:
      return `${"../".repeat(random.below(12))}${bundle.dir.slice(1)}/outside`;
    case 2:
      return `/proc/self/${random.pick(["root", "cwd", "fd/0", "exe"])}`;
    case 3:
      return random.pick(NAMES);
    case 4:
      return "..";
    default:
      return pathOf(random, true).slice(random.below(2));
  }
}

function prepare(random: Random, bundle: Bundle): void {
  const { dir, root } = bundle;
  Deno.mkdirSync(`${dir}/outside/dir`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/outside/file`, "outside");
  Deno.mkdirSync(`${dir}/src/sub`, { recursive: true });
  Deno.writeTextFileSync(`${dir}/src/file`, "source");
  for (let i = 0; i < LINKS; i++) {
    const place = `${root}${pathOf(random, false)}`, target = targetOf(random, bundle);
    try {
      Deno.mkdirSync(parentOf(place), { recursive: true });
      // One of its names may be a link already: outside of the root nothing is made.
      if (Deno.realPathSync(parentOf(place)).startsWith(root)) Deno.symlinkSync(target, place);
    } catch {
      // The path exists already, or cannot be made.
    }
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

function mountsOf(random: Random, bundle: Bundle): object[] {
  return Array.from({ length: MOUNTS }, () => {
    const destination = pathOf(random, true);
    const isBind = random.below(2) === 0;
    const source = `${bundle.dir}/src${random.pick(["", "/sub", "/file"])}`;
    return isBind
      ? { destination, type: "bind", source, options: ["rbind", random.pick(["ro", "rw"])] }
      : { destination, type: "tmpfs", source: "tmpfs", options: random.pick([[], ["ro"]]) };
  });
}

async function runMounts(random: Random): Promise<void> {
  const bundle = new Bundle();
  try {
    prepare(random, bundle);
    const config = shellConfig("echo it runs");
    config.mounts.push(...mountsOf(random, bundle));
    config.linux.maskedPaths = [pathOf(random, true), pathOf(random, true)];
    config.linux.readonlyPaths = [pathOf(random, true)];
    config.linux.devices = [{ path: pathOf(random, true), type: "c", major: 1, minor: 3 }];
    config.process.args = ["/bin/busybox", "true"];
    config.process.cwd = pathOf(random, true);
    bundle.write(config);
    // The sources may change: a mount inside of one that can be written makes its place there.
    const before = [...snapshot(`${bundle.dir}/outside`), ...namesOf(bundle.dir)];
    const result = await bundle.run("dvisor");
    const after = [...snapshot(`${bundle.dir}/outside`), ...namesOf(bundle.dir)];
    assertEquals(after, before, describe(result));
    if (result.code === 0) return;
    assertEquals(result.stderr.includes("bug"), false, describe(result));
    assertMatch(result.stderr, EXPECTED, describe(result));
  } finally {
    bundle.remove();
  }
}

Deno.test({
  ...named("mounts through hostile links stay inside", noContainers),
  fn: () => runCases("mounts", CASES, runMounts),
});

/** The place in config.json, or what stands in the way of the program itself. */
const EXPECTED = /config\.json: (mounts|linux|root|process)|exec: "[^"]*busybox"/;
