/** The checks of buildah. Not a test. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { describe } from "../../harness/dvisor.ts";
import type { EngineCase } from "../engines/engine_case.ts";
import { type Buildah, LIMITS } from "./buildah.ts";

export const BUILDAH_CASES: readonly EngineCase<Buildah>[] = [
  {
    name: "run in a working container: output, codes, what stays",
    async run(b) {
      const name = await b.base();
      assertEquals(await b.shell(name, "echo out; echo kept >/kept"), "out\n");
      assertEquals(await b.shell(name, "cat /kept"), "kept\n");
      const argv = b.argv("run", ...b.isolation, name, "--", "sh", "-c", "exit 9");
      const result = await b.host(argv);
      assertEquals(result.code, 9, describe(result));
    },
  },
  {
    name: "run with real work: owners, modes, links, devices, archives",
    async run(b) {
      const name = await b.base();
      const script = `set -e
mkdir -p /app/deep/er; cd /app
for i in $(seq 300); do echo $i >f$i; done
chown -R 1500:1501 deep; chmod 4755 f1; chmod 2775 deep; ln f1 hard; ln -s f1 soft; mkfifo p
tar -cf all.tar f1 hard soft deep p; mkdir out; tar -xf all.tar -C out
sha256sum f* | sha256sum | cut -c1-8
stat -c '%a %u %g %h %F' f1 deep out/hard out/p`;
      const text = await b.shell(name, script);
      assertMatch(text, /^[0-9a-f]{8}\n4755 0 0 2 regular file\n2775 1500 1501 \d directory\n/);
      assertMatch(text, /4755 0 0 2 regular file\n644 0 0 1 fifo\n$/);
    },
  },
  {
    name: "run with a user, directory, variables, volumes and a terminal",
    async run(b) {
      const name = await b.base(), path = b.folder("v");
      const options = ["--user", "1000:1000", "--workingdir", "/tmp", "--env", "A=b"];
      const script = "id -u; pwd; echo $A; echo y >/v/y";
      const text = await b.shell(name, script, ...options, "-v", `${path}:/v`);
      assertEquals(text, "1000\n/tmp\nb\n");
      assertEquals(Deno.readTextFileSync(`${path}/y`), "y\n");
      const args = ["run", "-t", ...b.isolation, name, "--", "sh", "-c", "tty; exit 5"];
      const result = await b.terminal(args);
      assertEquals(result.code, 5, describe(result));
    },
  },
  {
    name: "run without a network, and with the host's",
    async run(b) {
      const name = await b.base();
      assertEquals(await b.shell(name, "ls /sys/class/net", "--network", "none"), "lo\n");
      assertMatch(await b.shell(name, "ls /sys/class/net", "--network", "host"), /^lo$/m);
    },
  },
  {
    name: "copy, config, commit, and a container from the image",
    async run(b) {
      const name = await b.base();
      await b.must("copy", "-q", "--chown", "1000:1000", name, b.file("in", "in\n"), "/c/in");
      await b.shell(name, "cat /c/in >/made");
      await b.must("config", "--label", "l=1", "--cmd", "/bin/cat /made", "--user", "1000", name);
      await b.must("commit", "-q", name, "localhost/made:1");
      assertMatch(await b.must("inspect", "--type", "image", "localhost/made:1"), /"l": "1"/);
      const again = (await b.must("from", ...LIMITS, "localhost/made:1")).trim();
      assertEquals(await b.shell(again, "cat /made; stat -c %u /c/in; id -u"), "in\n1000\n1000\n");
    },
  },
  {
    name: "mount shows what run wrote",
    async run(b) {
      const name = await b.base();
      await b.shell(name, "echo seen >/seen");
      const root = (await b.must("mount", name)).trim();
      assertEquals(Deno.readTextFileSync(`${root}/seen`), "seen\n");
      await b.must("umount", name);
    },
  },
  {
    name: "build in stages, with a cache, a secret, a heredoc and a failing step",
    async run(b) {
      b.file("ctx/src/a.txt", "alpha\n");
      const secret = b.file("secret", "hidden");
      b.file(
        "ctx/Containerfile",
        `FROM scratch AS base
ADD rootfs.tar /
ENV PATH=/bin
SHELL ["/bin/sh", "-c"]
FROM base AS work
COPY src /src
RUN mkdir /o && tr a-z A-Z </src/a.txt >/o/upper
RUN --mount=type=cache,target=/cache echo c >/cache/c && cp /cache/c /o/c
RUN --mount=type=secret,id=s cat /run/secrets/s >/o/secret
RUN --mount=type=bind,source=src,target=/b cat /b/a.txt >/o/bound
RUN --mount=type=tmpfs,target=/t echo t >/t/t && cat /t/t >/o/t
RUN <<X
set -e
cd /o
for i in 1 2 3; do echo line $i; done >doc
X
FROM base
COPY --from=work --chown=1000:1000 /o /o
USER 1000
RUN cd /o && cat upper c bound t doc && stat -c %u upper && touch /o/mine
`,
      );
      Deno.copyFileSync(`${b.dir}/rootfs.tar`, `${b.dir}/ctx/rootfs.tar`);
      const options = ["--layers", "--secret", `id=s,src=${secret}`, "-t", "localhost/staged:1"];
      const result = await b.build(`${b.dir}/ctx`, ...options);
      assertEquals(result.code, 0, describe(result));
      const seen = "ALPHA\nc\nalpha\nt\nline 1\nline 2\nline 3\n1000\n";
      assertStringIncludes(result.stdout, seen);
      b.file("bad/Containerfile", "FROM localhost/staged:1\nRUN echo before; exit 9\n");
      const bad = await b.build(`${b.dir}/bad`);
      assertEquals(bad.code, 9, describe(bad));
    },
  },
  {
    name: "a bud of steps at once",
    async run(b) {
      const name = await b.base();
      await b.must("commit", "-q", name, "localhost/base:1");
      b.file("jobs/Containerfile", "FROM localhost/base:1\nARG N\nRUN sleep 0.2; echo $N >/n\n");
      await Promise.all([1, 2, 3, 4].map(async (n) => {
        const options = ["--build-arg", `N=${n}`, "-t", `localhost/n:${n}`];
        const result = await b.build(`${b.dir}/jobs`, ...options);
        assertEquals(result.code, 0, describe(result));
      }));
      const third = (await b.must("from", ...LIMITS, "localhost/n:3")).trim();
      assertEquals(await b.shell(third, "cat /n"), "3\n");
    },
  },
  {
    name: "nothing is left of what ran",
    async run(b) {
      const name = await b.base();
      await b.shell(name, "true");
      const state = b.peer === "runc" ? "/run/runc" : "/run/dvisor";
      const result = await b.host(["sh", "-c", `ls ${state} 2>/dev/null | wc -l`]);
      assertEquals(result.stdout.trim(), "0");
    },
  },
];
