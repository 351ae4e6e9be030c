/**
 * Real images under Docker with dvisor as its runtime: built here from Debian's packages, then used
 * as their users do. Each case removes what it made. All share one daemon, which holds nothing at
 * the end.
 */

import { assertEquals } from "@std/assert";
import { named } from "../harness/machine.ts";
import { CASES as BUILD } from "./docker_images/build.ts";
import { CASES as FILES } from "./docker_images/files.ts";
import { CASES as MEMORY } from "./docker_images/memory.ts";
import { CASES as NETWORK } from "./docker_images/network.ts";
import { CASES as OPTIONS } from "./docker_images/options.ts";
import { CASES as POSTGRES } from "./docker_images/postgres.ts";
import { RECIPES } from "./docker_images/recipes.ts";
import { CASES as SERVERS } from "./docker_images/servers.ts";
import { CASES as TERMINAL } from "./docker_images/terminal.ts";
import { CASES as TRIO } from "./docker_images/trio.ts";
import { CASES as WEB } from "./docker_images/web.ts";
import { noDebian } from "./lib/debian.ts";
import { noFullDocker } from "./lib/docker.ts";
import { Images } from "./lib/images.ts";

const ALL = [
  ...BUILD,
  ...WEB,
  ...NETWORK,
  ...POSTGRES,
  ...TRIO,
  ...SERVERS,
  ...MEMORY,
  ...FILES,
  ...TERMINAL,
  ...OPTIONS,
];

Deno.test({
  ...named("Docker: real images", noFullDocker ?? noDebian),
  fn: async (t) => {
    await using images = await Images.make(RECIPES);
    for (const { name, run } of ALL) {
      await t.step(name, async () => {
        try {
          await run(images);
        } finally {
          assertEquals(await images.docker.clear(), [], "records of containers that are gone");
        }
      });
    }
  },
});
