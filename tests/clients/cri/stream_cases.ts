/**
 * Exec, attach, port-forward, logs, and a containerd that is started again meanwhile. Not a test.
 */

import { assert, assertEquals, assertMatch, assertRejects } from "@std/assert";
import { type EngineCase, pause, until } from "../engines/engine_case.ts";
import { type Container, type Cri, Pod } from "./cri.ts";
import { Stream } from "./stream.ts";

const STDIN = 0, STDOUT = 1, STDERR = 2, ERROR = 3, RESIZE = 4;

/** containerd's word for an end that it did not see. */
const LOST = 255;

async function open(c: Cri, method: string, request: Record<string, unknown>): Promise<Stream> {
  const reply = await c.ask(method, request);
  return await Stream.open(String(reply["url"]));
}

const STREAM_CASES: readonly EngineCase<Cri>[] = [
  {
    name: "exec in time, and not in time: what ran is ended",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000");
      await assertRejects(() => one.execFor(1, "sleep", "77"), Error, "DEADLINE_EXCEEDED");
      await until("end of sleep", async () => !(await one.shell("ps")).includes("sleep 77"));
      assertEquals(await one.state(), "CONTAINER_RUNNING");
    },
  },
  {
    name: "exec as streams: stdin, stdout, stderr and the code",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000");
      const cmd = ["sh", "-c", "read x; echo out $x; echo err >&2; exit 6"];
      const flags = { stdin: true, stdout: true, stderr: true };
      const stream = await open(c, "Exec", { container_id: one.id, cmd, ...flags });
      stream.send(STDIN, "line\n");
      await stream.saw(STDOUT, "out line");
      await stream.saw(STDERR, "err");
      await stream.saw(ERROR, '"message":"6"');
      await stream.closed();
    },
  },
  {
    name: "exec on a terminal, whose size changes",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000");
      const flags = { stdin: true, stdout: true, tty: true };
      const stream = await open(c, "Exec", { container_id: one.id, cmd: ["sh"], ...flags });
      stream.send(RESIZE, JSON.stringify({ Width: 77, Height: 33 }));
      await until("the size", async () => {
        stream.send(STDIN, "stty size\n");
        await pause(200);
        return stream.text(STDOUT).includes("33 77");
      });
      stream.send(STDIN, "tty; exit\n");
      await stream.saw(STDOUT, "/dev/pts/");
      await stream.closed();
    },
  },
  {
    name: "exec with much output",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000");
      const cmd = ["sh", "-c", "dd if=/dev/zero bs=1M count=20 2>/dev/null"];
      const stream = await open(c, "Exec", { container_id: one.id, cmd, stdout: true });
      await stream.closed();
      assertEquals(stream.bytes(STDOUT), 20 << 20);
    },
  },
  {
    name: "attach to a container: its output, its input",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("while read x; do echo got $x; done", { stdin: true });
      const flags = { stdin: true, stdout: true, stderr: true };
      const stream = await open(c, "Attach", { container_id: one.id, ...flags });
      stream.send(STDIN, "a\n");
      await stream.saw(STDOUT, "got a");
      await one.logged("got a");
      stream.close();
      assertEquals(await one.state(), "CONTAINER_RUNNING");
    },
  },
  {
    name: "attach to a terminal",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sh -i", { stdin: true, tty: true });
      const flags = { stdin: true, stdout: true, tty: true };
      const stream = await open(c, "Attach", { container_id: one.id, ...flags });
      stream.send(STDIN, "echo $((6*7)); tty\n");
      await stream.saw(STDOUT, "\n42");
      stream.send(STDIN, "exit 5\n");
      assertEquals(await one.exited(), 5);
      await stream.closed();
    },
  },
  {
    name: "port-forward: requests, much data, several at once, and a closed port",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container(
        "mkdir /w; dd if=/dev/zero of=/w/big bs=1M count=8; echo small >/w/s; " +
          "httpd -p 127.0.0.1:80 -h /w; echo up; exec nc -ll -p 81 -e cat",
      );
      await one.logged("up");
      const forward = (port: number) => {
        return open(c, "PortForward", { pod_sandbox_id: pod.id, port: [port] });
      };
      const get = async (path: string) => {
        const stream = await forward(80);
        stream.send(0, `GET ${path} HTTP/1.0\r\n\r\n`);
        await stream.closed();
        return stream;
      };
      const answers = await Promise.all([get("/s"), get("/big"), get("/s"), get("/nosuch")]);
      assertMatch(answers[0].text(0), /200 OK[^]*small\n$/);
      assert(answers[1].bytes(0) > 8 << 20);
      assertMatch(answers[3].text(0), /404/);
      const echo = await forward(81);
      echo.send(0, "first");
      await echo.saw(0, "first");
      echo.send(0, "second");
      await echo.saw(0, "second");
      echo.close();
      const nobody = await forward(99);
      await nobody.saw(1, "refused");
    },
  },
  {
    name: "a log is opened anew",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("i=0; while :; do echo l$i; i=$((i+1)); sleep 0.1; done");
      await one.logged("l3");
      Deno.renameSync(one.logPath, `${one.logPath}.1`);
      await c.ask("ReopenContainerLog", { container_id: one.id });
      await until("a new log", () => /stdout F l\d+/.test(one.log()));
      const old = Deno.readTextFileSync(`${one.logPath}.1`);
      const last = Number(/l(\d+)\n$/.exec(old)?.[1]);
      assertMatch(one.log(), new RegExp(`^\\S+ stdout F l${last + 1}\\n`));
    },
  },
];

/** Pods across a restart of containerd. */
async function survives(c: Cri, signal: Deno.Signal): Promise<void> {
  const pod = await c.pod();
  const ticks = "i=0; while :; do echo t$i; i=$((i+1)); sleep 0.1; done";
  const one = await pod.container(ticks);
  const meets = await pod.container('trap "exit 7" TERM; echo up; while :; do sleep 0.1; done');
  const ends = await pod.container("while [ ! -e /dev/shm/end ]; do sleep 0.1; done; exit 44");
  const server = await pod.container("mkdir /w; echo hello >/w/h; exec httpd -f -p 80 -h /w");
  await one.logged("t3");
  await meets.logged("up");
  await one.shell("echo kept >/kept");
  await c.containerd.stop(signal);
  // It ends while containerd does not run.
  const pid = Deno.readTextFileSync(init(c, one)).trim();
  Deno.writeTextFileSync(`/proc/${pid}/root/dev/shm/end`, "");
  await pause(1500);
  await c.startAgain();
  for (const each of [one, meets, server]) assertEquals(await each.state(), "CONTAINER_RUNNING");
  // containerd may start too late to learn the status.
  assert([44, LOST].includes(await ends.exited()));
  assertEquals(await one.shell("cat /kept"), "kept\n");
  const before = one.log().length;
  await until("more of the log", () => one.log().length > before + 100);
  const stream = await open(c, "PortForward", { pod_sandbox_id: pod.id, port: [80] });
  stream.send(0, "GET /h HTTP/1.0\r\n\r\n");
  await stream.saw(0, "hello");
  stream.close();
  const late = await pod.container("wget -qO- http://127.0.0.1/h; exit 3");
  assertEquals(await late.exited(), 3);
  await late.logged("hello");
  assertEquals(await meets.stop(20), 7);
  assertEquals(await one.stop(0), 137);
}

function init(c: Cri, one: Container): string {
  return `${c.dir}/containerd-state/io.containerd.runtime.v2.task/k8s.io/${one.id}/init.pid`;
}

const RESTART_CASES: readonly EngineCase<Cri>[] = [
  {
    name: "containerd is killed and started again: pods live, exit codes are known",
    run: (c) => survives(c, "SIGKILL"),
  },
  {
    name: "containerd is ended and started again: pods live, exit codes are known",
    run: (c) => survives(c, "SIGTERM"),
  },
  {
    name: "a pod ends while containerd is away",
    async run(c) {
      const pod = await c.pod();
      const one = await pod.container("exec sleep 1000");
      const pid = Number(Deno.readTextFileSync(init(c, one)));
      await c.containerd.stop("SIGKILL");
      Deno.kill(pid, "SIGKILL");
      await c.startAgain();
      assert([137, LOST].includes(await one.exited()));
      await one.remove();
      await new Pod(c, pod.id, pod.config).stop();
    },
  },
];

export const STREAM_AND_RESTART_CASES: readonly EngineCase<Cri>[] = [
  ...STREAM_CASES,
  ...RESTART_CASES,
];
