import { Socket } from "node:net";
import { assertEquals, assertRejects } from "@std/assert";
import { AlreadyExistsError } from "./errors.ts";
import { drained, SandboxPorts } from "./ports.ts";
import { type Behaviour, FakeSandbox } from "./testing/fake_sandbox.ts";

/** A port of the sandbox that sends back what it gets. */
const ECHO: Behaviour = {
  onInput(fake, channel, bytes) {
    fake.credit(channel, 0, bytes.length);
    fake.output(channel, bytes.slice());
  },
  onInputEnd(fake, channel) {
    fake.endOutput(channel);
    fake.result(channel);
  },
};

async function exchange(port: number, text: string): Promise<string> {
  using socket = await Deno.connect({ hostname: "127.0.0.1", port });
  const reading = new Response(socket.readable).text();
  const writer = socket.writable.getWriter();
  await writer.write(new TextEncoder().encode(text));
  await socket.closeWrite();
  return await reading;
}

Deno.test("ports: each connection is one to the sandbox, both ways, until close", async () => {
  const { connection } = await FakeSandbox.connect(ECHO);
  const exposed = await new SandboxPorts(connection).expose(8080);
  assertEquals(exposed.url, `http://127.0.0.1:${exposed.port}`);
  const texts = ["", "a", "long".repeat(200_000)];
  assertEquals(await Promise.all(texts.map((text) => exchange(exposed.port, text))), texts);
  const { port } = exposed;
  await assertRejects(
    () => new SandboxPorts(connection).expose(1, { hostPort: port }),
    AlreadyExistsError,
    String(port),
  );
  await exposed.close();
  await exposed.close();
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
});

Deno.test("ports: a refused connection is closed, and so is the port at the end", async () => {
  const { fake, connection } = await FakeSandbox.connect({
    onOpen: (fake, channel) => fake.error(channel, { code: "Failed", message: "ECONNREFUSED" }),
  });
  const { port } = await new SandboxPorts(connection).expose(8080);
  assertEquals(await exchange(port, "").catch(() => ""), "");
  fake.end();
  await connection.ended;
  await new Promise((done) => setTimeout(done, 1));
  await assertRejects(() => Deno.connect({ hostname: "127.0.0.1", port }));
});

Deno.test("ports: a connection that was full many times has no listeners of that", async () => {
  const socket = new Socket(), before = socket.listenerCount("close");
  for (let i = 0; i < 3; i++) {
    const wait = drained(socket);
    socket.emit("drain");
    await wait;
  }
  assertEquals([socket.listenerCount("close"), socket.listenerCount("drain")], [before, 0]);
  socket.destroy();
});
