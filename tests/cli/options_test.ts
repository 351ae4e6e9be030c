/**
 * `dvisor do`: exit codes, standard files, options, volumes, bundles. Terminals: terminal_test.ts.
 */

import { assertEquals, assertMatch } from "@std/assert";
import { describe, doCommand, dvisor, dvisorCommand, PLATFORM, run } from "../harness/dvisor.ts";
import { runClean } from "../harness/leftovers.ts";
import { isRoot, lacks, named, PYTHON } from "../harness/machine.ts";

const noPython = PYTHON === null ? "no python3 on this machine" : null;

function inSandbox(options: readonly string[], script: string): string[] {
  return [...doCommand(PLATFORM, ...options), "sh", "-c", script];
}

async function prints(options: readonly string[], script: string, expected: string): Promise<void> {
  const result = await run(inSandbox(options, script), { timeoutS: 30 });
  assertEquals(result.code, 0, describe(result));
  assertEquals(result.stdout, expected, describe(result));
}

async function withDirectory(fn: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "dvisor-cli-" });
  try {
    await fn(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

for (
  const [script, code] of [
    ["exit 0", 0],
    ["exit 1", 1],
    ["exit 255", 255],
    ["exit 256", 0],
    ["kill -TERM $$", 143],
    ["kill -KILL $$", 137],
    ["kill -SEGV $$", 139],
    ["exec /no/such", 127],
    ["exec /etc/passwd", 126],
    ["sleep 100 & kill $!; wait $!", 143],
  ] as const
) {
  Deno.test({
    ...named(`the exit code of "${script}" is ${code}`, noPython),
    fn: async () => {
      const result = await runClean(inSandbox([], script), { timeoutS: 30 });
      assertEquals(result.code, code, describe(result));
    },
  });
}

Deno.test({
  ...named("orphans of the first process end with it", noPython),
  fn: async () => {
    const script = "for i in 1 2 3; do (setsid sleep 500 &) ; done; echo started";
    const result = await runClean(inSandbox([], script), { timeoutS: 30 });
    assertEquals([result.code, result.stdout], [0, "started\n"], describe(result));
    assertEquals(result.elapsedMs < 20_000, true, "did not wait for them");
  },
});

Deno.test("a command without a terminal leads no session", async () => {
  const script = "read pid name state ppid pgrp session tty rest < /proc/self/stat; " +
    "echo $session $tty; setsid -w sh -c 'read pid name state ppid pgrp session rest " +
    "< /proc/self/stat; test $session = $$ && echo leads'";
  const result = await run(inSandbox([], script), { timeoutS: 30 });
  assertEquals(result.stdout, "0 0\nleads\n", describe(result));
});

Deno.test("limits on files of the caller do not apply to the sandbox", async () => {
  const command = inSandbox([], "echo started").map((word) => `'${word.replaceAll("'", "'\\''")}'`);
  for (const limit of ["-S -n 64", "-n 64", "-S -f 10"]) {
    const script = `ulimit ${limit} && ${command.join(" ")}`;
    const result = await runClean(["bash", "-c", script], { timeoutS: 30 });
    assertEquals([result.code, result.stdout], [0, "started\n"], `${limit}: ${describe(result)}`);
  }
});

Deno.test("standard input is a pipe, and ends", async () => {
  const text = "line\n".repeat(50_000);
  const result = await run(
    inSandbox([], "wc -lc; readlink /proc/self/fd/0 > /dev/null; echo end"),
    {
      stdin: text,
    },
  );
  assertEquals(result.stdout.split(/\s+/).filter((x) => x !== ""), ["50000", "250000", "end"]);
});

Deno.test("stdout and stderr stay apart, and much goes through", async () => {
  const script = "head -c 3000000 /dev/zero | tr '\\0' x; echo problem >&2";
  const result = await run(inSandbox([], script));
  assertEquals([result.stdout.length, result.stderr], [3_000_000, "problem\n"], describe(result));
});

Deno.test("standard files may be files, also for appending", async () => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/in`, "from a file\nsecond\n");
    await Deno.writeTextFile(`${dir}/out`, "before\n");
    const inner = `read -r a; echo "got $a"; cat >&2; echo again`;
    const result = await run([
      "sh",
      "-c",
      `"$@" < ${dir}/in >> ${dir}/out 2> ${dir}/err`,
      "sh",
      ...inSandbox([], inner),
    ]);
    assertEquals(result.code, 0, describe(result));
    assertEquals(await Deno.readTextFile(`${dir}/out`), "before\ngot from a file\nagain\n");
    assertEquals(await Deno.readTextFile(`${dir}/err`), "second\n");
  });
});

Deno.test("a standard file has the size and the times that it has outside", async () => {
  await withDirectory(async (dir) => {
    const path = `${dir}/in`;
    await Deno.writeTextFile(path, "12345");
    await Deno.utime(path, 1_500_000_000, 1_600_000_000);
    const shown = await run([
      "sh",
      "-c",
      `"$@" < ${path}`,
      "sh",
      ...inSandbox([], "stat -L -c '%s %X %Y %h' /dev/stdin"),
    ], { timeoutS: 30 });
    assertEquals(shown.stdout, "5 1500000000 1600000000 1\n", describe(shown));
  });
});

Deno.test("standard files may be closed, or /dev/null, or /dev/full", async () => {
  const shell = (redirect: string, inner: string) =>
    run(["sh", "-c", `"$@" ${redirect}`, "sh", ...inSandbox([], inner)], { timeoutS: 30 });
  const nothing = await shell("< /dev/null", "cat; echo end");
  assertEquals(nothing.stdout, "end\n", describe(nothing));
  const full = await shell("> /dev/full", "echo x 2>/dev/null || echo failed >&2");
  assertEquals(full.stderr, "failed\n", describe(full));
  const closed = await shell("<&- 2>&-", "echo still here");
  assertEquals(closed.stdout, "still here\n", describe(closed));
});

Deno.test("a reader that goes away ends a writer in the sandbox", async () => {
  const result = await run([
    "bash",
    "-c",
    `"$@" | head -n 1; echo "\${PIPESTATUS[0]}"`,
    "bash",
    ...inSandbox([], "yes"),
  ], { timeoutS: 30 });
  assertEquals(result.stdout, "y\n141\n", describe(result));
});

Deno.test("files that a guest writes stay in the sandbox", async () => {
  await withDirectory(async (dir) => {
    await Deno.writeTextFile(`${dir}/kept`, "as it was\n");
    // Directories of the system are writable for root only, as outside.
    const other = isRoot ? "/etc/dvisor-test" : "/var/tmp/dvisor-test";
    const script = `cd ${dir} && echo new > kept && rm -f kept && mkdir sub && echo x > sub/y && ` +
      `ls && echo z > ${other} && cat ${other} && ` +
      `${isRoot ? "rm -rf /usr/share/doc" : "true"} && echo done`;
    await prints([], script, "sub\nz\ndone\n");
    assertEquals([...Deno.readDirSync(dir)].map((e) => e.name), ["kept"]);
    assertEquals(await Deno.readTextFile(`${dir}/kept`), "as it was\n");
  });
});

Deno.test("environment, directory and host name are the caller's or those asked for", async () => {
  await prints(["--env", "A=1", "--env", "B=x y", "--env", "A=2"], 'echo "$A $B"', "2 x y\n");
  await prints(["--unset", "HOME"], 'echo "${HOME-none}"', "none\n");
  await prints(["--cwd", "/usr/bin"], "pwd", "/usr/bin\n");
  await prints(["--hostname", "box"], "uname -n; cat /proc/sys/kernel/hostname", "box\nbox\n");
  await prints([], "uname -n; uname -r | cut -d. -f1,2", `${Deno.hostname()}\n6.12\n`);
  await withDirectory(async (dir) => {
    const result = await run(inSandbox([], "pwd"), { cwd: dir });
    assertEquals(result.stdout, `${dir}\n`, describe(result));
  });
});

Deno.test("of the caller's variables a few are passed, and those that are named", async () => {
  const env = { LC_TIME: "C", SECRET_TOKEN: "t", OTHER: "o" };
  const script = 'echo "${LC_TIME-none} ${SECRET_TOKEN-none} ${OTHER-none} ${MISSING-none}"';
  const cases: readonly (readonly [string[], string])[] = [
    [[], "C none none none\n"],
    [["--env=OTHER", "--env=MISSING"], "C none o none\n"],
    [["--env-all"], "C t o none\n"],
    [["--env-all", "--unset=SECRET_TOKEN", "--unset=LC_TIME"], "none none o none\n"],
  ];
  for (const [options, expected] of cases) {
    const result = await run(inSandbox(options, script), { env });
    assertEquals(result.stdout, expected, describe(result));
  }
});

Deno.test("--explain prints what a command can see and spend, and runs nothing", async () => {
  await withDirectory(async (dir) => {
    const options = [
      "--explain",
      "--memory=64M",
      "--cpus=0.5",
      "--pids=9",
      `--volume=${dir}:/mnt:ro`,
    ];
    const asked = [...doCommand(PLATFORM, ...options, "--hide=/usr/share"), "touch", `${dir}/made`];
    const found = await run(["sh", "-c", "command -v touch"]), name = found.stdout.trim();
    const file = Deno.realPathSync(name),
      touch = name === file ? name : `${name}, a link to ${file}`;
    const result = await run(asked, { cwd: dir, env: { HOME: "/none", SECRET_TOKEN: "t" } });
    assertEquals([result.code, result.stderr], [0, ""], describe(result));
    for (
      const line of [
        `command    touch ${dir}/made`,
        `program    ${touch}`,
        `directory  ${dir}`,
        "  hidden     /usr/share (--hide)",
        `  shown      ${dir} (the working directory)`,
        `  volume     ${dir} at /mnt, read-only (--volume)`,
        "  network    none but a loopback of its own; --network host gives that of this machine",
        "  memory     64M (--memory)",
        "  disk       32M of the memory for files that are written (half of it)",
        "  processors 0.5 (--cpus)",
        "  processes  9, threads too (--pids)",
      ]
    ) assertEquals(result.stdout.split("\n").includes(line), true, `${line}: ${result.stdout}`);
    assertEquals(result.stdout.includes("SECRET_TOKEN"), false);
    assertEquals([...Deno.readDirSync(dir)], []);
    const alone = await run([...dvisorCommand(), "do", "--explain"]);
    assertEquals([alone.code, alone.stdout.split("\n")[0]], [0, "command    none given"]);
    const missing = await run([...dvisorCommand(), "do", "--explain", "--", "no-such-program"]);
    const line = "program    none: no directory of PATH has a program no-such-program";
    assertEquals([missing.code, missing.stdout.split("\n")[1]], [0, line]);
  });
});

Deno.test("relative paths begin at the caller's working directory", async () => {
  await withDirectory(async (dir) => {
    await Deno.mkdir(`${dir}/in/open`, { recursive: true });
    await Deno.mkdir(`${dir}/in/secret`);
    await Deno.writeTextFile(`${dir}/in/secret/file`, "x");
    const options = ["--hide=secret", "--show=../in/open", "--cwd=open", "--volume=open:/mnt"];
    const argv = inSandbox(options, "pwd; ls ../secret; touch /mnt/seen");
    const result = await run(argv, { cwd: `${dir}/in` });
    assertEquals([result.code, result.stdout], [0, `${dir}/in/open\n`], describe(result));
    assertEquals([...Deno.readDirSync(`${dir}/in/open`)].map(({ name }) => name), ["seen"]);
  });
});

Deno.test({
  ...named("--user runs as another user, with permissions that count", isRoot ? null : "not root"),
  fn: () =>
    prints(
      // The user may have no right to the caller's directory.
      ["--cwd", "/", "--user", "1234:567"],
      "id -u; id -g; cat /etc/shadow 2> /dev/null || echo refused; touch /etc/x 2>/dev/null || echo refused",
      "1234\n567\nrefused\nrefused\n",
    ),
});

Deno.test("--volume shows a directory; with ro it cannot be written", async () => {
  await withDirectory(async (dir) => {
    Deno.mkdirSync(`${dir}/src`);
    await Deno.writeTextFile(`${dir}/src/f`, "data\n");
    await prints(
      ["--volume", `${dir}/src:/mnt`],
      "cat /mnt/f; echo written > /mnt/g; mkdir /mnt/d; mv /mnt/g /mnt/d/h; ln -s h /mnt/d/l; cat /mnt/d/l",
      "data\nwritten\n",
    );
    assertEquals(await Deno.readTextFile(`${dir}/src/d/h`), "written\n");
    await prints(
      ["--volume", `${dir}/src:/mnt:ro`],
      "echo x 2>/dev/null > /mnt/z || echo refused; rm /mnt/f 2>/dev/null || echo refused; cat /mnt/f",
      "refused\nrefused\ndata\n",
    );
    await prints(["--volume", `${dir}/src/f:/mnt/single`], "cat /mnt/single", "data\n").catch(
      async () => await prints(["--volume", `${dir}/src/f:/etc/hosts`], "cat /etc/hosts", "data\n"),
    );
  });
});

Deno.test("--rw writes through to the host", async () => {
  await withDirectory(async (dir) => {
    // An ordinary user cannot have the kernel make places for mounts, which would be root's.
    for (const name of ["proc", "sys", "dev"]) {
      Deno.mkdirSync(`${dir}/root/${name}`, { recursive: true });
    }
    const busybox = "/bin/busybox";
    if (lacks(["busybox"]) !== null) return;
    await Deno.copyFile(busybox, `${dir}/root/busybox`);
    const result = await run([
      ...doCommand(PLATFORM, "--rw", "--root", `${dir}/root`),
      "/busybox",
      "sh",
      "-c",
      "echo through > /file; /busybox ls /",
    ]);
    assertEquals(result.code, 0, describe(result));
    assertEquals(await Deno.readTextFile(`${dir}/root/file`), "through\n");
  });
});

Deno.test("--strace writes calls with their arguments to the debug log", async () => {
  await withDirectory(async (dir) => {
    const log = `${dir}/log`;
    const result = await run(inSandbox(["--strace", "--debug-log", log], "cat /etc/hostname"));
    assertEquals(result.code, 0, describe(result));
    assertEquals(result.stderr, "");
    const text = await Deno.readTextFile(log);
    assertMatch(text, /openat\(.*"\/etc\/hostname"/);
    assertMatch(text, /execve\(/);
  });
});

Deno.test("help, version, syscalls and doctor print their texts", async () => {
  const version = await dvisor(["--version"]);
  assertMatch(version.stdout, /^dvisor version \d+\.\d+\.\d+/);
  const help = await dvisor(["help"]);
  for (const verb of ["do", "run", "spec", "syscalls", "doctor"]) {
    assertMatch(help.stdout, new RegExp(`^\\s+${verb}\\b`, "m"));
    const one = await dvisor(["help", verb]);
    assertEquals(one.code, 0);
    assertMatch(one.stdout, /Usage: dvisor /);
  }
  const calls = await dvisor(["syscalls"]);
  assertMatch(calls.stdout, /\bopenat2?\b/);
  assertEquals(calls.stdout.split("\n").length > 200, true, "about 220 calls");
  const doctor = await dvisor(["doctor"]);
  assertMatch(doctor.stdout, /systrap/);
  assertMatch(doctor.stdout, /seccomp/);
  // An option that the host cannot serve is an error with the option's name.
  const asked = [
    ["speculation", "--speculation=strict"],
    ["core scheduling", "--core-scheduling=on"],
  ] as const;
  for (const [name, option] of asked) {
    const isThere = new RegExp(`^${name} +yes`, "m").test(doctor.stdout);
    const result = await dvisor(["do", option, "--", "true"]);
    assertEquals(result.code, isThere ? 0 : 1, describe(result));
    if (!isThere) assertMatch(result.stderr, new RegExp(`^dvisor: ${option}: the host has no`));
  }
});

Deno.test({
  ...named("run runs a bundle, spec writes one", noPython ?? lacks(["busybox"])),
  fn: () =>
    withDirectory(async (dir) => {
      const bundle = ["--bundle", dir, ...isRoot ? [] : ["--rootless"]];
      const spec = await dvisor(["spec", ...bundle]);
      assertEquals(spec.code, 0, describe(spec));
      const again = await dvisor(["spec", ...bundle]);
      assertEquals(again.code, 1, "an existing one is left alone");
      const config = JSON.parse(await Deno.readTextFile(`${dir}/config.json`));
      Deno.mkdirSync(`${dir}/rootfs/bin`, { recursive: true });
      await Deno.copyFile("/bin/busybox", `${dir}/rootfs/bin/busybox`);
      await Deno.symlink("busybox", `${dir}/rootfs/bin/sh`);
      config.process.terminal = false;
      config.process.args = ["/bin/sh", "-c", 'busybox id -u; echo "$X"; busybox pwd; exit 5'];
      config.process.env = ["PATH=/bin", "X=from the bundle"];
      config.process.cwd = "/bin";
      await Deno.writeTextFile(`${dir}/config.json`, JSON.stringify(config));
      const state = ["--root", `${dir}/state`];
      const result = await run([...dvisorCommand(), ...state, "run", "--bundle", dir, "box"]);
      assertEquals(result.stdout, "0\nfrom the bundle\n/bin\n", describe(result));
      assertEquals(result.code, 5);
    }),
});

Deno.test({
  ...named("signals to dvisor reach the command", noPython),
  fn: async () => {
    const script = [
      ...inSandbox([], 'trap "echo caught; exit 9" TERM; echo ready; while :; do sleep 0.05; done'),
    ];
    const child = new Deno.Command(script[0]!, {
      args: script.slice(1),
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("ready")) text += (await reader.read()).value ?? "";
    child.kill("SIGTERM");
    for (let r = await reader.read(); !r.done; r = await reader.read()) text += r.value;
    assertEquals([text, (await child.status).code], ["ready\ncaught\n", 9]);
  },
});
