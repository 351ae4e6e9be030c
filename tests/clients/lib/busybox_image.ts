/** A small image for Docker, and the control groups of its containers. Not a test. */

import { assertEquals } from "@std/assert";
import { run } from "../../harness/dvisor.ts";
import { Bundle } from "../../oci/bundle.ts";
import type { Docker } from "./docker.ts";

const CGROUPS = "/sys/fs/cgroup";

export const BUSYBOX_IMAGE = "bb:1";

/** Gives a daemon the image. */
export async function importBusybox(docker: Docker): Promise<void> {
  const bundle = new Bundle();
  try {
    const client = docker.argv("import", "-", BUSYBOX_IMAGE).join(" ");
    const result = await run(["sh", "-c", `tar -C ${bundle.root} -c . | ${client}`]);
    assertEquals(result.code, 0, result.stderr);
  } finally {
    bundle.remove();
  }
}

/** Directories directly below a group, of each tree. */
export function groupsBelow(cgroup: string): string[] {
  return [...Deno.readDirSync(CGROUPS)].flatMap(({ name }) => {
    const dir = `${CGROUPS}/${name}${cgroup}`;
    try {
      return [...Deno.readDirSync(dir)].filter((e) => e.isDirectory).map((e) => `${dir}/${e.name}`);
    } catch {
      return [];
    }
  });
}
