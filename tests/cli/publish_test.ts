/** `dvisor do --publish`: ports of the sandbox's loopback on this machine's. */

import { assert, assertEquals } from "@std/assert";
import { doCommand, PLATFORM } from "../harness/dvisor.ts";
import { named, PYTHON } from "../harness/machine.ts";

const noPython = PYTHON === null ? "no python3 on this machine" : null;
const SIZE = 3_000_000, AT_ONCE = 8, READY_TRIES = 200, RETRY_MS = 50;
const IDLE = 64;

/** Answers each connection with what it got, twice, when the client has ended its side. */
const SERVER = `
import socket, sys, threading
family = socket.AF_INET6 if sys.argv[1] == "6" else socket.AF_INET
server = socket.socket(family, socket.SOCK_STREAM)
server.bind(("::1" if sys.argv[1] == "6" else "127.0.0.1", 7000))
server.listen(64)
def serve(peer):
    data = b""
    while True:
        part = peer.recv(65536)
        if not part: break
        data += part
    peer.sendall(data + data)
    peer.close()
while True:
    peer, address = server.accept()
    threading.Thread(target=serve, args=(peer,), daemon=True).start()
`;

/** The port that dvisor prints. */
async function portOf(child: Deno.ChildProcess): Promise<number> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const part of child.stderr) {
    text += decoder.decode(part, { stream: true });
    const match = /^dvisor: port 7000 of the sandbox is 127\.0\.0\.1:(\d+)$/m.exec(text);
    if (match !== null) return Number(match[1]);
  }
  throw new Error(`no port: ${text}`);
}

async function exchange(port: number, data: Uint8Array<ArrayBuffer>): Promise<number[]> {
  using peer = await Deno.connect({ hostname: "127.0.0.1", port });
  const sent = (async () => {
    for (let at = 0; at < data.length;) at += await peer.write(data.subarray(at));
    await peer.closeWrite();
  })();
  let bytes = 0, sum = 0;
  const buffer = new Uint8Array(65536);
  for (let n = await peer.read(buffer); n !== null; n = await peer.read(buffer)) {
    bytes += n;
    for (const byte of buffer.subarray(0, n)) sum = (sum + byte) % 1_000_003;
  }
  await sent;
  return [bytes, sum];
}

for (const family of ["4", "6"]) {
  Deno.test({
    ...named(`a published port reaches a server on the sandbox's loopback, IPv${family}`, noPython),
    fn: async () => {
      const [path = "", ...args] = [
        ...doCommand(PLATFORM, "--publish", "0:7000"),
        ...["python3", "-c", SERVER, family],
      ];
      const child = new Deno.Command(path, { args, stdin: "null", stdout: "null", stderr: "piped" })
        .spawn();
      try {
        const port = await portOf(child);
        const data = Uint8Array.from({ length: SIZE }, (_, i) => i * 7 & 0xff);
        const expected = [2 * SIZE, 2 * data.reduce((sum, byte) => sum + byte, 0) % 1_000_003];
        await untilServed(port);
        assertEquals(await exchange(port, data), expected);
        const all = Array.from({ length: AT_ONCE }, () => exchange(port, data));
        for (const result of await Promise.all(all)) assertEquals(result, expected);
        assertEquals(await exchange(port, new Uint8Array(0)), [0, 0]);
      } finally {
        child.kill("SIGKILL");
        await child.status;
      }
    },
  });
}

Deno.test({
  ...named("idle connections of a published port make room for another client", noPython),
  fn: async () => {
    // An eighth of 512 descriptors: 64 connections.
    const limit = ["-c", 'ulimit -n 512; exec "$@"', "sh"],
      command = ["python3", "-c", SERVER, "4"];
    const args = [...limit, ...doCommand(PLATFORM, "--publish", "0:7000"), ...command];
    const child = new Deno.Command("sh", { args, stdin: "null", stdout: "null", stderr: "piped" })
      .spawn();
    const idle: Deno.TcpConn[] = [];
    try {
      const port = await portOf(child);
      await untilServed(port);
      for (let i = 0; i < IDLE; i++) idle.push(await Deno.connect({ hostname: "127.0.0.1", port }));
      assertEquals((await exchange(port, new Uint8Array(10)))[0], 20);
      // The first one was closed, and the last one works.
      assertEquals(await idle[0]?.read(new Uint8Array(1)), null);
      const last = idle.at(-1), answer = new Uint8Array(8);
      await last?.write(new Uint8Array([1, 2, 3]));
      await last?.closeWrite();
      assertEquals(await last?.read(answer), 6);
    } finally {
      for (const peer of idle) peer.close();
      child.kill("SIGKILL");
      await child.status;
    }
  },
});

/** Until the program listens, a connection is closed without an answer. */
async function untilServed(port: number): Promise<void> {
  for (let i = 0; i < READY_TRIES; i++) {
    try {
      if ((await exchange(port, new Uint8Array([1])))[0] === 2) return;
    } catch {
      // The connection was reset.
    }
    await new Promise((done) => setTimeout(done, RETRY_MS));
  }
  assert(false, "the server does not answer");
}
