/** Cases about programs: arguments, streams, signals, terminals, ends. */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  AREA,
  bytesOf,
  type Case,
  failure,
  inSandbox,
  processes,
  readTo,
  textOf,
  until,
  untilGone,
} from "../support.ts";

export const programCases: readonly Case[] = [
  inSandbox("exec: code, streams and statistics", async (box) => {
    const result = await box.exec(["sh", "-c", "echo out; echo err >&2; exit 3"]);
    const { code, signal, reason, text, errorText } = result;
    assert.deepEqual([code, signal, reason], [3, null, "exit"]);
    assert.deepEqual([text, errorText], ["out\n", "err\n"]);
    assert.equal(result.stdout.length, 4);
    assert(result.durationMs >= 0 && result.peakMemoryBytes > 0, JSON.stringify(result));
  }),

  inSandbox("exec: an exit code of 255 is the program's own", async (box) => {
    const { code, reason } = await box.exec(["sh", "-c", "exit 255"]);
    assert.deepEqual([code, reason], [255, "exit"]);
  }),

  inSandbox("exec: a program that a signal ends has no code", async (box) => {
    const { code, signal, reason } = await box.exec(["sh", "-c", "kill -TERM $$"]);
    assert.deepEqual([code, signal, reason], [null, "SIGTERM", "signal"]);
  }),

  inSandbox("exec: a program that kills itself was not out of memory", async (box) => {
    const { code, signal, reason } = await box.exec(["sh", "-c", "kill -KILL $$"]);
    assert.deepEqual([code, signal, reason], [null, "SIGKILL", "signal"]);
  }),

  inSandbox("exec: a missing program is an error that names it", async (box, library) => {
    for (const program of ["/no/such/program", "no-such-program"]) {
      const error = await failure(library.NotFoundError, box.exec([program, "argument"]));
      assert.equal(error.code, "NotFound");
      assert(error.message.includes(`cannot run ${program}`), error.message);
    }
  }),

  inSandbox("exec: a file that is no program is an error that names it", async (box, library) => {
    await box.fs.writeFile(`${AREA}/text`, "text", { mode: 0o644 });
    const error = await failure(library.PermissionError, box.exec([`${AREA}/text`]));
    assert(error.message.includes(`${AREA}/text`), error.message);
    await box.fs.chmod(`${AREA}/text`, 0o755);
    await failure(library.UnsupportedError, box.exec([`${AREA}/text`]));
    const long = await failure(library.LimitError, box.exec(["echo", "x".repeat(140_000)]));
    assert(long.message.includes("cannot run echo"), long.message);
  }),

  inSandbox("exec: a missing directory and a missing user are named", async (box, library) => {
    const cwd = await failure(library.SandboxError, box.exec(["true"], { cwd: "/no/such" }));
    assert.equal(cwd.code, "NotFound");
    assert(cwd.message.includes("/no/such"), cwd.message);
    const user = await failure(library.SandboxError, box.exec(["true"], { user: "no-such-user" }));
    assert(user.message.includes("no-such-user"), user.message);
  }),

  inSandbox("which: the program that a name runs, or null", async (box, library) => {
    const path = await box.which("sh");
    assert(path !== null && /^\/.*\/sh$/.test(path), String(path));
    assert.equal(await box.which("no-such-program"), null);
    assert.equal(await box.which(path), path);
    await box.fs.writeFile(`${AREA}/bin/tool`, "#!/bin/sh\n", { recursive: true, mode: 0o644 });
    assert.deepEqual([await box.which("tool"), await box.which(`${AREA}/bin/tool`)], [null, null]);
    await box.fs.chmod(`${AREA}/bin/tool`, 0o755);
    assert.equal(await box.which("tool"), `${AREA}/bin/tool`);
    assert.equal(await box.which("tool", { user: "nobody" }), `${AREA}/bin/tool`);
    await failure(library.NotFoundError, box.which("sh", { user: "no-such-user" }));
  }, { create: { env: { PATH: `/no/such:${AREA}/bin:/usr/bin:/bin` } } }),

  inSandbox("exec: environment, directory, name of the machine", async (box) => {
    const script = 'echo "$A $B $C"; pwd; uname -n';
    const { text } = await box.exec(["sh", "-c", script], {
      env: { B: "2", C: "a b=c" },
      cwd: "/usr",
    });
    assert.equal(text, "1 2 a b=c\n/usr\nbox\n");
  }, { create: { env: { A: "1", B: "1" }, hostname: "box" } }),

  inSandbox("exec: a user by numbers and by name", async (box) => {
    const numbers = await box.exec(["id", "-u"], { user: { uid: 1234, gid: 1235 } });
    assert.equal(numbers.text, "1234\n");
    const name = await box.exec(["id", "-un"], { user: "nobody" });
    assert.equal(name.text, "nobody\n");
  }),

  inSandbox("exec: arguments of any text", async (box) => {
    const args = ["", " ", "a b", "$HOME", "'\"\\", "\n", "ü€😀", "*", "x".repeat(100_000)];
    const { text } = await box.exec(["printf", "<%s>", ...args]);
    assert.equal(text, args.map((arg) => `<${arg}>`).join(""));
  }),

  inSandbox("exec: input as text, bytes and a stream", async (box) => {
    assert.equal((await box.exec(["cat"], { stdin: "ü" })).text, "ü");
    assert.equal((await box.exec(["cat"])).text, "");
    const bytes = new Uint8Array(5 << 20).map((_, i) => i * 7 + (i >> 8));
    const echoed = await box.exec(["cat"], { stdin: bytes });
    assert.equal(Buffer.compare(echoed.stdout, bytes), 0);
    let left = 40;
    const stream = new ReadableStream<Uint8Array>({
      pull(controller) {
        if (left-- === 0) controller.close();
        else controller.enqueue(new Uint8Array(50_000));
      },
    });
    const counted = await box.exec(["wc", "-c"], { stdin: stream });
    assert.equal(counted.text.trim(), "2000000");
  }),

  inSandbox("exec: a program need not read its input", async (box) => {
    const { code } = await box.exec(["true"], { stdin: new Uint8Array(3 << 20) });
    assert.equal(code, 0);
    const never = new ReadableStream<Uint8Array>({});
    assert.equal((await box.exec(["true"], { stdin: never })).code, 0);
  }),

  inSandbox("exec: output of any bytes comes unchanged", async (box) => {
    const { stdout } = await box.exec([
      "sh",
      "-c",
      'i=0; while [ $i -lt 256 ]; do printf "\\\\$(printf %03o $i)"; i=$((i+1)); done',
    ]);
    assert.deepEqual([...stdout], Array.from({ length: 256 }, (_, i) => i));
  }),

  inSandbox("exec: twenty at once", async (box) => {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, i) => box.exec(["sh", "-c", `echo ${i}; exit ${i}`])),
    );
    assert.deepEqual(
      results.map(({ code, text }) => [code, text]),
      results.map((_, i) => [i, `${i}\n`]),
    );
  }),

  inSandbox("exec: an abort ends all that came from the program", async (box) => {
    const controller = new AbortController(), reason = new Error("enough");
    const script = "sleep 1001 & (sleep 1001 &) ; sleep 1001";
    const running = box.exec(["sh", "-c", script], { signal: controller.signal });
    running.catch(() => {});
    const count = async () => (await processes(box)).filter((name) => name === "sleep").length;
    await until("three sleepers", async () => await count() === 3);
    controller.abort(reason);
    assert.equal(await running.catch((error) => error), reason);
    assert.equal(await count(), 0);
    const late = box.exec(["true"], { signal: controller.signal });
    assert.equal(await late.catch((error) => error), reason);
  }),

  inSandbox("exec: output is seen as it comes, and whole at the end", async (box) => {
    const pieces: string[] = [], decoder = new TextDecoder();
    let errors = 0;
    const { text, errorText } = await box.exec([
      "sh",
      "-c",
      "echo 1; sleep 0.2; echo 2; echo e >&2",
    ], {
      onStdout: (piece) => void pieces.push(decoder.decode(piece)),
      onStderr: (piece) => void (errors += piece.length),
    });
    assert.deepEqual([text, errorText, errors], ["1\n2\n", "e\n", 2]);
    assert.deepEqual([pieces[0], pieces.join("")], ["1\n", text]);
  }),

  inSandbox("exec: what a callback throws ends the program", async (box) => {
    const reason = new Error("enough");
    const onStdout = (): void => {
      throw reason;
    };
    const running = box.exec(["sh", "-c", "echo 1; sleep 1005"], { onStdout });
    assert.equal(await running.catch((error) => error), reason);
    assert(!(await processes(box)).includes("sleep"));
  }),

  inSandbox("sh: values are words", async (box) => {
    const name = 'it\'s; echo "$HOME" `id`', words = ["a b", "*"];
    const { text } = await box.sh`printf '<%s>' ${name} ${words} "in ${name}"`;
    assert.equal(text, `<${name}><a b><*><in ${name}>`);
    const failed = await box.sh({ cwd: "/usr", env: { X: "1" } })`pwd; echo $X; exit ${4}`;
    assert.deepEqual([failed.code, failed.text], [4, "/usr\n1\n"]);
  }),

  inSandbox("spawn: streams go both ways while the program runs", async (box) => {
    const program = await box.spawn(["sh", "-c", "while read -r x; do echo got $x; done; exit 5"]);
    assert(program.pid > 1, String(program.pid));
    const writer = program.stdin.getWriter(), reader = program.stdout.getReader();
    for (const word of ["one", "two"]) {
      await writer.write(bytesOf(`${word}\n`));
      assert.equal(await readTo(reader, "\n"), `got ${word}\n`);
    }
    await writer.close();
    assert.equal((await reader.read()).done, true);
    assert.equal((await program.status).code, 5);
    assert.equal((await program.wait()).reason, "exit");
  }),

  inSandbox("spawn: lines, one after the other", async (box, library) => {
    const program = await box.spawn(["sh", "-c", "echo starting; echo ready; cat; printf end"]);
    for await (const line of program.lines()) if (line === "ready") break;
    const writer = program.stdin.getWriter();
    await writer.write(bytesOf("one\ntwo\n"));
    await writer.close();
    const lines: string[] = [];
    for await (const line of program.lines()) lines.push(line);
    assert.deepEqual(lines, ["one", "two", "end"]);
    const long = await box.spawn(["sh", "-c", "head -c 100000 /dev/zero; sleep 1006"]);
    await failure(library.LimitError, long.lines({ maxLineBytes: 1000 }).next());
    assert.throws(() => long.lines({ maxLineBytes: 0 }), library.InvalidArgumentError);
    long.kill();
    await failure(library.InvalidArgumentError, long.attach());
  }),

  inSandbox("spawn: a program waits for its reader, and all output comes", async (box) => {
    const program = await box.spawn(["sh", "-c", "head -c 8000000 /dev/zero; echo end >&2"]);
    let length = 0;
    for await (const part of program.stdout) length += part.length;
    assert.equal(length, 8_000_000);
    assert.equal(await textOf(program.stderr), "end\n");
    assert.equal((await program.status).code, 0);
  }),

  inSandbox("spawn: one that is not read delays no other", async (box) => {
    const program = await box.spawn(["yes"]);
    assert.equal((await box.exec(["echo", "other"])).text, "other\n");
    program.kill();
    const { signal, reason } = await program.status;
    assert.deepEqual([signal, reason], ["SIGKILL", "killed"]);
  }),

  inSandbox("spawn: a stream that is cancelled ends its writer", async (box) => {
    const program = await box.spawn(["yes"]);
    await program.stdout.cancel();
    const { code, signal } = await program.status;
    assert(signal === "SIGPIPE" || code === 1, JSON.stringify({ code, signal }));
  }),

  inSandbox("spawn: signals reach the program", async (box, library) => {
    const script = "trap 'echo caught; exit 9' USR1; echo ready; while :; do sleep 0.01; done";
    const program = await box.spawn(["sh", "-c", script]);
    const reader = program.stdout.getReader();
    await readTo(reader, "ready\n");
    for (const wrong of ["9", "SIGFOO", "SIGRTMAX+1", "", 0, 65, 1.5]) {
      assert.throws(() => program.kill(wrong), library.InvalidArgumentError);
      await failure(library.InvalidArgumentError, program.job.kill(wrong));
    }
    program.kill("SIGUSR1");
    assert.equal(await readTo(reader, "\n"), "caught\n");
    assert.equal((await program.status).code, 9);
    program.kill();
  }),

  inSandbox("spawn: signals have numbers too", async (box) => {
    const one = await box.spawn(["sleep", "1004"]), other = await box.spawn(["sleep", "1004"]);
    one.kill(15);
    assert.equal((await one.status).signal, "SIGTERM");
    await other.job.kill(9);
    assert.equal((await other.status).signal, "SIGKILL");
  }),

  inSandbox("spawn: SIGKILL and abort end all that came from the program", async (box) => {
    const script = "sleep 1002 & setsid sleep 1002 & echo ready; sleep 1002";
    const controller = new AbortController();
    for (const end of ["kill", "abort"] as const) {
      const program = await box.spawn(["sh", "-c", script], { signal: controller.signal });
      await readTo(program.stdout.getReader(), "ready\n");
      if (end === "kill") program.kill();
      else controller.abort();
      const { code, signal, reason } = await program.status;
      assert.deepEqual([code, signal, reason], [null, "SIGKILL", "killed"]);
      assert(!(await processes(box)).includes("sleep"));
    }
  }, { needs: ["setsid"] }),

  inSandbox("spawn: a missing program is an error", async (box, library) => {
    await failure(library.NotFoundError, box.spawn(["/no/such"]));
  }),

  inSandbox("spawn: a terminal, and its size", async (box) => {
    const script = "stty -echo; stty size; trap 'stty size; exit 7' WINCH; echo ready; " +
      "while :; do sleep 0.01; done";
    const program = await box.spawn(["sh", "-c", script], { pty: { cols: 81, rows: 25 } });
    const reader = program.stdout.getReader();
    assert.equal(await readTo(reader, "ready\r\n"), "25 81\r\nready\r\n");
    program.resize({ cols: 100, rows: 40 });
    assert((await readTo(reader, "40 100")).includes("40 100"));
    assert.equal((await program.status).code, 7);
    assert.equal(await textOf(program.stderr), "");
  }, { needs: ["stty"] }),

  inSandbox("spawn: keys of a terminal make signals", async (box) => {
    const program = await box.spawn(["sh", "-c", "echo ready; exec sleep 1003"], {
      pty: { cols: 80, rows: 24 },
    });
    const reader = program.stdout.getReader();
    await readTo(reader, "ready");
    await program.stdin.getWriter().write(Uint8Array.of(3));
    assert.equal((await program.status).signal, "SIGINT");
    await untilGone(box, "sleep");
  }),
];
