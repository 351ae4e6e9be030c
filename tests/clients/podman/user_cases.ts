/** The users in a container of an ordinary user, and their ids on the host. Not a test. */

import { assertEquals, assertMatch } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import type { EngineCase } from "../engines/engine_case.ts";
import { IMAGE } from "./podman.ts";
import { type RootlessPodman, UID } from "./rootless.ts";

const SCRIPT = "id -u; touch /v/x && stat -c %u /v/x";

/** Returns the ids that a container sees, and the owner of its file on the host. */
async function seen(p: RootlessPodman, users: string): Promise<[string, number]> {
  const folder = `${p.dir}/of-user`;
  Deno.mkdirSync(folder, { recursive: true });
  Deno.chownSync(folder, UID, UID);
  const text = await p.shell(SCRIPT, "--userns", users, "-v", `${folder}:/v`);
  const owner = Deno.statSync(`${folder}/x`).uid ?? -1;
  Deno.removeSync(`${folder}/x`);
  return [text, owner];
}

export const USER_CASES: readonly EngineCase<RootlessPodman>[] = [
  {
    name: "--userns host: root inside is the user outside",
    async run(p) {
      assertEquals(await seen(p, "host"), ["0\n0\n", UID]);
    },
  },
  {
    name: "--userns keep-id: the user is himself, or another whom he names",
    async run(p) {
      assertEquals(await seen(p, "keep-id"), [`${UID}\n${UID}\n`, UID]);
      assertEquals(await seen(p, "keep-id:uid=7,gid=8"), ["7\n7\n", UID]);
    },
  },
  {
    name: "--userns nomap: the user's files belong to the overflow ids",
    async run(p) {
      const folder = `${p.dir}/private`;
      Deno.mkdirSync(folder, { mode: 0o755 });
      Deno.chownSync(folder, UID, UID);
      const options = ["--userns", "nomap", "-v", `${folder}:/v`];
      const result = await p.call("run", "--rm", ...options, IMAGE, "touch", "/v/x");
      assertEquals(result.code, 1, describe(result));
      assertMatch(result.stderr, /permission denied/i);
    },
  },
  {
    name: "root of a container has the user's subordinate ids",
    async run(p) {
      const script =
        "touch /x; chown 1000:1000 /x; stat -c %u /x; su user1 -c 'id -u; echo y >/tmp/y'";
      assertEquals(await p.shell(script), "1000\n1000\n");
      await p.fails(/invalid|not permitted/i, "run", "--rm", IMAGE, "chown", "100000", "/bin/sh");
    },
  },
  {
    name: "slirp4netns and pasta bring a link and an address",
    async run(p) {
      for (const network of ["pasta", "slirp4netns"]) {
        assertMatch(await p.shell("ip addr show tap0", "--network", network), /inet \d+\./);
      }
    },
  },
  {
    name: "a limit that cannot be set is not passed over",
    async run(p) {
      // Podman itself leaves limits out where it has no control groups.
      const result = await p.call("run", "--rm", "--memory", "64m", IMAGE, "echo", "ran");
      if (result.code === 0) assertMatch(result.stderr, /ignored|^$/, describe(result));
      else assertMatch(result.stderr, /cgroup/, describe(result));
    },
  },
];
