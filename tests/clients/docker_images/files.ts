/**
 * What Docker does with a container's files: cp, diff, commit, export, volumes; beside runc where
 * it can be. Not a test.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { run } from "../../harness/dvisor.ts";
import { PEER } from "../lib/docker.ts";
import type { ImageCase, Images } from "../lib/images.ts";

const NAME = "files", IMAGE = "files:1";
/** Touches a file system in most of the ways that there are. */
const CHANGES =
  "cd /srv && mkdir -p d/e && echo one >d/e/f && ln d/e/f hard && ln -s /nowhere link && " +
  "chown 12:34 d && chmod 1750 d && echo x >>/etc/hosts.allow; " +
  "rm -rf /usr/share/locale/de /etc/issue; " +
  "mv /etc/motd /etc/motd2; mkdir /opt/o; rmdir /media; mv /srv/d /srv/moved; mkfifo /srv/p; " +
  "truncate -s 5000000 /srv/big; " +
  "printf abc | dd of=/srv/big bs=1 seek=4000000 conv=notrunc status=none; " +
  "touch -d @86400 /srv/big /srv/hard; chmod 600 /etc/passwd; echo done";

/** Runs the changes with a runtime; gives what Docker sees of them. */
async function changed(x: Images, runtime: string): Promise<Record<string, string>> {
  const name = `${NAME}-${runtime}`, { docker } = x;
  const made = ["run", "--name", name, "--network", "none", "--runtime", runtime, x.base];
  assertEquals(await docker.must(...made, "sh", "-c", CHANGES), "done");
  const diff = (await docker.must("diff", name)).split("\n").sort().join("\n");
  const list = "tar -tvf - --numeric-owner --full-time | " +
    "grep -E ' (srv|opt|etc/(motd|passwd|hosts.allow|issue)|media)'";
  const piped = `docker -H unix://${docker.socket} export ${name} | ${list} | sort -k6`;
  const exported = (await run(["sh", "-c", piped])).stdout;
  const big = await run([
    "sh",
    "-c",
    `docker -H unix://${docker.socket} cp ${name}:/srv/big - | tar -xO | md5sum`,
  ]);
  // Times of what this run made differ from one run to the other.
  const timeless = exported.replaceAll(/20\d\d-\d\d-\d\d \d\d:\d\d:\d\d/g, "now");
  return { diff, exported: timeless, big: big.stdout };
}

export const CASES: readonly ImageCase[] = [
  {
    name: "docker diff, export and cp see the same changes as with runc",
    run: async (x) => {
      const ours = await changed(x, "dvisor"), theirs = await changed(x, PEER);
      assertStringIncludes(ours["diff"]!, "D /etc/issue");
      assertMatch(ours["exported"]!, /drwxr-x--T 12\/34 .* srv\/moved\//);
      assertEquals(ours, theirs);
    },
  },
  {
    name: "docker cp into and out of a running container, both seen at once",
    run: async (x) => {
      const { docker } = x, dir = await Deno.makeTempDir({ prefix: "dvisor-cp-" });
      try {
        await docker.must("run", "-d", "--name", NAME, "-v", "/vol", x.base, "sleep", "600");
        // The name is looked up before it is there: it is not to be remembered as missing.
        assertEquals((await docker.run(["exec", NAME, "test", "-e", "/srv/tree"])).code, 1);
        await run([
          "sh",
          "-c",
          `mkdir -p ${dir}/tree/sub && echo text >${dir}/tree/sub/a && ` +
          `ln -s sub/a ${dir}/tree/l && chmod 4750 ${dir}/tree/sub/a && chown 5:6 ${dir}/tree/sub`,
        ]);
        await docker.must("cp", "-a", `${dir}/tree`, `${NAME}:/srv/`);
        const look = "cat /srv/tree/l; stat -c %a /srv/tree/sub/a; stat -c %u:%g /srv/tree/sub";
        assertEquals(await docker.must("exec", NAME, "sh", "-c", look), "text\n4750\n5:6");
        await Deno.writeTextFile(`${dir}/tree/sub/a`, "another text\n");
        await docker.must("cp", `${dir}/tree/sub/a`, `${NAME}:/srv/tree/sub/a`);
        assertEquals(await docker.must("exec", NAME, "cat", "/srv/tree/l"), "another text");
        await docker.must("cp", `${dir}/tree/sub/a`, `${NAME}:/vol/a`);
        assertEquals(await docker.must("exec", NAME, "cat", "/vol/a"), "another text");
        const write = "mkdir /srv/out && seq 100000 >/srv/out/seq && ln -s seq /srv/out/l";
        await docker.must("exec", NAME, "sh", "-c", write);
        await docker.must("cp", `${NAME}:/srv/out`, `${dir}/out`);
        assertEquals(await Deno.readLink(`${dir}/out/l`), "seq");
        const lines = (await Deno.readTextFile(`${dir}/out/seq`)).split("\n");
        assertEquals([lines.length, lines[99_999]], [100_001, "100000"]);
        const none = await docker.run(["cp", `${NAME}:/srv/none`, dir]);
        assertMatch(none.stderr, /Could not find the file|No such/);
      } finally {
        await run(["rm", "-rf", dir]);
      }
    },
  },
  {
    name: "docker commit of a running container, with a change of its configuration",
    run: async (x) => {
      const { docker } = x;
      await docker.must(
        "run",
        "-d",
        "--name",
        NAME,
        x.base,
        "sh",
        "-c",
        "echo kept >/kept; sleep 600",
      );
      await docker.must("exec", NAME, "sh", "-c", "until test -e /kept; do sleep 0.1; done");
      const change = ["--change", "ENV A=b", "--change", 'CMD ["sh", "-c", "cat /kept; echo $A"]'];
      await docker.must("commit", ...change, NAME, IMAGE);
      assertEquals(await docker.must("exec", NAME, "echo", "alive"), "alive");
      for (const runtime of ["dvisor", PEER]) {
        assertEquals(await docker.must("run", "--rm", "--runtime", runtime, IMAGE), "kept\nb");
      }
      await docker.clear();
      await docker.must("rmi", IMAGE);
    },
  },
  {
    name: "volumes: filled from the image, shared by two containers, read-only, of a subdirectory",
    run: async (x) => {
      const { docker } = x, volume = "shared-volume";
      const image = await x.of("nginx");
      try {
        const first = ["run", "-d", "--name", "one", "-v", `${volume}:/etc/nginx`, image];
        await docker.must(...first, "sleep", "600");
        assertEquals(await docker.must("exec", "one", "test", "-s", "/etc/nginx/nginx.conf"), "");
        await docker.must(
          "run",
          "-d",
          "--name",
          "two",
          "--volumes-from",
          "one:ro",
          x.base,
          "sleep",
          "600",
        );
        // What one writes the other reads at once.
        for (const text of ["first", "second, longer", "3"]) {
          await docker.must("exec", "one", "sh", "-c", `echo '${text}' >/etc/nginx/f`);
          assertEquals(await docker.must("exec", "two", "cat", "/etc/nginx/f"), text);
        }
        await docker.must("exec", "one", "sh", "-c", "mv /etc/nginx/f /etc/nginx/g");
        const names = await docker.must(
          "exec",
          "two",
          "sh",
          "-c",
          "ls /etc/nginx | grep -x '[fg]'",
        );
        assertEquals(names, "g");
        const write = ["exec", "two", "sh", "-c", "echo x >/etc/nginx/g"];
        assertMatch((await docker.run(write)).stderr, /Read-only file system/);
        const part = `type=volume,src=${volume},dst=/part,volume-subpath=conf.d`;
        const parted = await docker.run([
          "run",
          "--rm",
          "--mount",
          part,
          x.base,
          "ls",
          "-d",
          "/part",
        ]);
        assertEquals(parted.stdout, "/part\n");
      } finally {
        await docker.clear();
        await docker.run(["volume", "rm", volume]);
      }
    },
  },
];
