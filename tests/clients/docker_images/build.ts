/**
 * docker build with dvisor as the runtime of its steps, which do real work; the results beside
 * those of runc. Not a test.
 */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { PEER } from "../lib/docker.ts";
import type { ImageCase, Images, Recipe } from "../lib/images.ts";

const C = `#include <stdio.h>
#include <unistd.h>
int main(void) { printf("%d %d\\n", getuid(), geteuid()); return 0; }
`;

/** Each line is true in the step itself; runc then checks the files that it left. */
const WORK: Recipe = {
  packages: ["gcc", "libc6-dev", "make", "python3"],
  files: { "ids.c": C },
  lines: [
    "RUN useradd -u 1500 -m worker && su worker -c 'touch ~/mine' && groupadd -g 1600 crew",
    "COPY --chown=worker:crew ids.c /src/",
    "RUN test $(stat -c %U:%G /src/ids.c) = worker:crew",
    "RUN cd /src && gcc -O2 -Wall ids.c -o ids && install -m 4755 ids /usr/local/bin/ids",
    "RUN printf 'all: a.o\\n\\tar rc liba.a a.o\\n' >/src/Makefile && echo 'int a;' >/src/a.c && " +
    "make -C /src",
    "RUN install -d -o worker -g crew -m 2775 /srv/shared && touch /srv/shared/f && " +
    "test $(stat -c %G /srv/shared/f) = crew",
    "RUN cd /srv && echo text >a && ln a b && ln -s a c && mkfifo p && " +
    "truncate -s 64M sparse && chown -h 7:8 c && touch -h -d @1000000000 c && " +
    "test $(stat -c %h /srv/a) = 2",
    "RUN cd /srv && tar -cf /tmp/t.tar --sparse --xattrs --acls a b c p shared sparse && " +
    "mkdir copy && tar -C copy -xpf /tmp/t.tar && diff -r --no-dereference a copy/a && " +
    "test $(stat -c %h copy/a) = 2 && rm /tmp/t.tar",
    // Files of lower layers that are removed, moved and replaced.
    "RUN rm -rf /srv/copy /usr/share/doc && mv /src /moved && mkdir /usr/share/doc && " +
    "echo new >/usr/share/doc/x",
    "RUN python3 -c 'import zipfile,hashlib,sqlite3,subprocess,compileall; " +
    'd=sqlite3.connect("/srv/d.db"); d.execute("create table t(a)"); d.commit(); ' +
    'subprocess.check_call(["ls", "/moved"])\'',
    "RUN setcap cap_net_bind_service+ep /moved/ids 2>/dev/null; true",
    "USER worker:crew",
    'RUN test "$(id -u):$(id -g)" = 1500:1600 && test "$(ids)" = "1500 0" && ! touch /root/no && ' +
    "echo mine >/srv/shared/w",
    "ENV GREETING=hello",
    "ARG WHO=world",
    'RUN echo "$GREETING $WHO" >/srv/shared/said',
  ],
};

/** A script that lists files of the image, and the lines that it prints with runc. */
const LOOK = "stat -c '%n %a %u:%g %h %F' /usr/local/bin/ids /srv/shared /srv/shared/* /srv/* " +
  "/home/worker/mine /moved/* /usr/share/doc/*; stat -c '%Y' /srv/c; readlink /srv/c; " +
  "cat /srv/shared/said; ls -d /src /srv/copy; ids; du -k /srv/sparse";
const SEEN: readonly (string | RegExp)[] = [
  "/usr/local/bin/ids 4755 0:0 1 regular file",
  "/srv/shared 2775 1500:1600 1 directory",
  "/srv/shared/f 644 0:1600 1 regular empty file",
  "/srv/shared/w 644 1500:1600 1 regular file",
  "/srv/a 644 0:0 2 regular file",
  "/srv/b 644 0:0 2 regular file",
  "/srv/c 777 7:8 1 symbolic link",
  "/srv/p 644 0:0 1 fifo",
  "/home/worker/mine 6",
  "/moved/liba.a 644 0:0",
  "/moved/ids.c 6",
  "/usr/share/doc/x 644 0:0",
  "\n1000000000\na\nhello world\n",
  "\n1500 0\n",
  /^65536\t\/srv\/sparse$/m,
];

async function judgeWork(x: Images, tag: string): Promise<void> {
  const looks = [PEER, "dvisor"].map(async (runtime) => {
    const look = ["run", "--rm", "--network", "none", "--runtime", runtime, tag, "sh", "-c", LOOK];
    return (await x.docker.run(look)).stdout + "\n";
  });
  const [byRunc, byDvisor] = await Promise.all(looks);
  for (const part of SEEN) {
    if (typeof part === "string") assertStringIncludes(byRunc!, part);
    else assertMatch(byRunc!, part);
  }
  assertEquals(byDvisor, byRunc);
}

const STAGES: Recipe = {
  packages: ["gcc", "libc6-dev"],
  files: { "ids.c": C },
  lines: [
    "COPY ids.c /",
    "RUN gcc -static -o /ids /ids.c",
    "FROM scratch",
    "COPY --from=0 --chown=5:6 /ids /bin/ids",
    "USER 77",
    'RUN ["/bin/ids"]',
    'ENTRYPOINT ["/bin/ids"]',
  ],
};

const BUILDKIT: Recipe = {
  packages: [],
  files: { "s.txt": "a secret" },
  lines: [
    "RUN --mount=type=cache,target=/cache echo kept >/cache/f && cat /proc/version >/kernel",
    "RUN --mount=type=cache,target=/cache test $(cat /cache/f) = kept && ! test -e /nothing",
    "RUN --mount=type=tmpfs,target=/t sh -c 'touch /t/x && stat -f -c %T /t' >/kind",
    "RUN --mount=type=bind,target=/context cp /context/s.txt /copied && ! rm /context/s.txt",
    'RUN test -z "$(ls -A /cache /t /context)"',
    "RUN <<END",
    "set -e",
    "useradd -m other",
    "su other -c 'echo $HOME' >/home-of-other",
    "END",
  ],
};

export const CASES: readonly ImageCase[] = [
  {
    name: "steps of a build install, compile, link, own, pack and move",
    run: async (x) => {
      await x.build("work:1", WORK);
      await judgeWork(x, "work:1");
    },
  },
  {
    name: "a static program from one stage is all of the next one's image",
    run: async (x) => {
      const said = await x.build("stages:1", STAGES);
      assertMatch(said, /\n77 77\n/);
      for (const runtime of ["dvisor", PEER]) {
        const run = ["run", "--rm", "--runtime", runtime, "--user", "12:13", "stages:1"];
        assertEquals(await x.docker.must(...run), "12 12");
      }
      assertMatch((await x.docker.run(["run", "--rm", "stages:1", "x"])).stdout, /^77 77\n$/);
    },
  },
  {
    name: "a step that fails ends the build with its exit code",
    run: async (x) => {
      const failing: Recipe = { packages: [], lines: ["RUN echo before; exit 37"] };
      const failed = await x.build("no:1", failing).then(() => "", String);
      assertMatch(failed, /returned a non-zero code: 37/);
      const missing: Recipe = { packages: [], lines: ['RUN ["/no/such"]'] };
      assertMatch(
        await x.build("no:1", missing).then(() => "", String),
        /no such file or directory/,
      );
    },
  },
  {
    name: "BuildKit's steps: caches, tmpfs, binds, scripts",
    run: async (x) => {
      const builder = { DOCKER_BUILDKIT: "1", BUILDKIT_PROGRESS: "plain" };
      await x.build("kit:1", BUILDKIT, builder);
      const look = ["run", "--rm", "--network", "none", "kit:1"];
      const here = await x.docker.must(...look, "cat", "/proc/version");
      const seen = await x.docker.must(
        ...look,
        "cat",
        "/kernel",
        "/kind",
        "/copied",
        "/home-of-other",
      );
      assertEquals(seen, `${here}\ntmpfs\na secret/home/other`);
      const failing: Recipe = { packages: [], lines: ["RUN exit 37"] };
      const failed = await x.build("no:1", failing, builder).then(() => "", String);
      assertMatch(failed, /exit code: 37/);
    },
  },
];
