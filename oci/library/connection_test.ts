import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import {
  CONTROL,
  HELLO,
  INPUT,
  OUTPUT,
  PAYLOAD_MAX,
  PROTOCOL_VERSION,
  RESULT,
  SESSION,
  WINDOW_BYTES,
} from "../protocol/session/frame.ts";
import { Connection } from "./connection.ts";
import { LimitError, NotFoundError, SandboxError, SandboxGoneError } from "./errors.ts";
import { SandboxFiles } from "./files.ts";
import { execProgram, Program } from "./program.ts";
import { type Behaviour, EXITED, FakeSandbox, INFO } from "./testing/fake_sandbox.ts";

const TRUE = ["true"];
const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

Deno.test("a connection keeps the script alive while requests are open", async () => {
  const opened: number[] = [];
  const { fake, connection } = await FakeSandbox.connect({
    onOpen: (_, channel) => opened.push(channel),
  });
  assertEquals(fake.isHeld, false);
  const first = execProgram(connection, TRUE, {}), second = execProgram(connection, TRUE, {});
  await waitFor(() => opened.length === 2);
  assertEquals([opened, fake.isHeld], [[1, 2], true]);
  fake.result(2, EXITED);
  await second;
  assertEquals(fake.isHeld, true);
  fake.result(1, EXITED);
  await first;
  assertEquals(fake.isHeld, false);
});

Deno.test("output of a program is collected, and data may cross the result", async () => {
  const { connection } = await FakeSandbox.connect({
    onOpen(fake, channel) {
      fake.output(channel, "out");
      fake.output(channel, "err", 2);
      fake.output(channel, "put");
      fake.result(channel, { ...EXITED, code: 3 });
      fake.output(channel, "late");
      fake.credit(channel, INPUT, 1);
    },
  });
  const result = await execProgram(connection, TRUE, {});
  assertEquals([result.code, result.text, result.errorText], [3, "output", "err"]);
  assertEquals((await execProgram(connection, TRUE, {})).text, "output");
});

Deno.test("a stream of 10 MB comes whole, and the window is never exceeded", async () => {
  const size = 10 << 20, data = new Uint8Array(size).map((_, i) => i * 7);
  let window = WINDOW_BYTES, at = 0;
  const pump = (fake: FakeSandbox, channel: number): void => {
    while (at < size && window > 0) {
      const n = Math.min(PAYLOAD_MAX, window, size - at);
      fake.output(channel, data.subarray(at, at + n));
      at += n;
      window -= n;
    }
    if (at === size) {
      at++;
      fake.result(channel);
    }
  };
  const { connection } = await FakeSandbox.connect({
    onOpen: pump,
    onCredit(fake, channel, stream, bytes) {
      assertEquals(stream, OUTPUT);
      window += bytes;
      assert(window <= WINDOW_BYTES);
      pump(fake, channel);
    },
  });
  assertEquals(await new SandboxFiles(connection).readFile("/a"), data);
});

Deno.test("a stream that is not read gives no credit, and one that is read does", async () => {
  let credit = 0, sent = 0;
  const { connection } = await FakeSandbox.connect({
    onOpen(fake, channel) {
      for (; sent < WINDOW_BYTES; sent += PAYLOAD_MAX) {
        fake.output(channel, new Uint8Array(PAYLOAD_MAX));
      }
      fake.endOutput(channel);
      fake.event(channel, { pid: 7, job: 1 });
    },
    onCredit: (_fake, _channel, _stream, bytes) => credit += bytes,
  });
  const program = await Program.start(connection, TRUE, {});
  assertEquals([program.pid, credit], [7, 0]);
  const reader = program.stdout.getReader();
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.length;
  }
  assertEquals(length, WINDOW_BYTES);
  connection.close("the test ends");
  await assertRejects(() => program.status, SandboxGoneError);
});

Deno.test("a sandbox that sends more than it may is cut off", async () => {
  const { fake, connection } = await FakeSandbox.connect({
    onOpen(fake, channel) {
      fake.event(channel, { pid: 7, job: 1 });
      for (let sent = 0; sent <= WINDOW_BYTES; sent += PAYLOAD_MAX) {
        fake.output(channel, new Uint8Array(PAYLOAD_MAX));
      }
    },
  });
  const program = await Program.start(connection, TRUE, {});
  await assertRejects(() => program.status, SandboxError, "more data than was granted");
  assertEquals(fake.isDestroyed, true);
});

Deno.test("a sandbox that sends more output than a program may have is cut off", async () => {
  const { connection } = await FakeSandbox.connect({
    onOpen: (fake, channel) => fake.output(channel, "1234"),
  });
  const running = execProgram(connection, TRUE, { maxOutputBytes: 3 });
  await assertRejects(() => running, SandboxError, "more data than was asked for");
});

Deno.test("what is no frame of the protocol ends the connection", async () => {
  const faults: ((fake: FakeSandbox) => void)[] = [
    (fake) => fake.skipSequence(),
    (fake) => fake.message(1, CONTROL, {}),
    (fake) => fake.message(9, RESULT, {}),
    (fake) => fake.message(SESSION, HELLO, INFO),
    (fake) => fake.output(1, "input", INPUT),
    (fake) => fake.credit(1, OUTPUT, 1),
    (fake) => fake.frame(1, RESULT, 0, new TextEncoder().encode("[]")),
    (fake) => fake.frame(1, 77, 0, new Uint8Array()),
    (fake) => fake.raw(new Uint8Array(16).fill(255)),
  ];
  for (const fault of faults) {
    const { fake, connection } = await FakeSandbox.connect({
      onOpen(fake, channel) {
        fault(fake);
        fake.result(channel, EXITED);
      },
    });
    const error = await assertRejects(() => execProgram(connection, TRUE, {}), SandboxError);
    assertEquals([error.code, fake.isDestroyed], ["Protocol", true], error.message);
  }
});

Deno.test("a message without its members ends the connection, and not the script", async () => {
  for (const event of [{}, { entries: 1 }, { entries: null }]) {
    const { connection } = await FakeSandbox.connect({
      onOpen: (fake, channel) => fake.event(channel, event),
    });
    const listing = new SandboxFiles(connection).list("/");
    await assertRejects(() => listing, SandboxError, "broke the protocol");
  }
});

Deno.test("a lost connection fails all that is open, and all that comes later", async () => {
  const { fake, connection } = await FakeSandbox.connect({
    onOpen(fake, channel, request) {
      if (request.op === "exec") fake.event(channel, { pid: channel, job: channel });
    },
  });
  const files = new SandboxFiles(connection);
  const program = await Program.start(connection, ["sleep", "9"], {});
  const open = [
    program.status,
    execProgram(connection, ["cat"], { stdin: new ReadableStream<Uint8Array>() }),
    files.readFile("/f"),
    files.writeFile("/f", "x".repeat(3 << 20)),
    files.list("/d"),
    files.watch("/d").next(),
    program.stdout.getReader().read(),
    program.stdin.getWriter().write(new Uint8Array(3 << 20)),
  ];
  fake.end();
  const results = await Promise.allSettled(open);
  const errors = results.map((result) => result.status === "rejected" ? result.reason : result);
  for (const error of errors.slice(0, -1)) {
    assert(error instanceof SandboxGoneError, String(error));
    assertStringIncludes(error.message, "the fake has ended");
  }
  assert(errors.at(-1) instanceof SandboxError);
  assertEquals(fake.isHeld, true);
  await assertRejects(() => files.stat("/f"), SandboxGoneError, "stat /f");
});

Deno.test("input waits for credit and for room", async () => {
  const size = 10 << 20, data = new Uint8Array(size).map((_, i) => i * 3);
  const got: Uint8Array[] = [];
  let window = WINDOW_BYTES, length = 0;
  const { connection } = await FakeSandbox.connect({
    onInput(fake, channel, bytes) {
      got.push(bytes.slice());
      length += bytes.length;
      window -= bytes.length;
      assert(window >= 0);
      if (window > 0) return;
      window = WINDOW_BYTES;
      fake.credit(channel, INPUT, WINDOW_BYTES);
    },
    onInputEnd: (fake, channel) => fake.result(channel, { bytes: length }),
  });
  await new SandboxFiles(connection).writeFile("/f", data);
  assertEquals(new Uint8Array(await new Blob(got as BlobPart[]).arrayBuffer()), data);
});

Deno.test("a program that does not read its input can end", async () => {
  const { connection } = await FakeSandbox.connect({
    onInput: (fake, channel) => fake.result(channel, EXITED),
  });
  const never = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(3 << 20)),
  });
  for (const stdin of ["x".repeat(3 << 20), never]) {
    const result = await execProgram(connection, TRUE, { stdin }).catch((error) => error);
    // Data that follows the result is for a closed channel.
    assertEquals(result.code, 0);
    break;
  }
});

Deno.test("a source of input that fails ends the program", async () => {
  const { connection } = await FakeSandbox.connect(cancellable());
  const stdin = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.error(new Error("no more")),
  });
  await assertRejects(() => execProgram(connection, ["cat"], { stdin }), Error, "no more");
});

Deno.test("an aborted program is cancelled, and the reason comes after its end", async () => {
  let isCancelled = false;
  const { fake, connection } = await FakeSandbox.connect({
    onControl(fake, channel, message) {
      assertEquals(message, { close: true });
      isCancelled = true;
      fake.result(channel, { ...EXITED, code: null, signal: "SIGKILL", reason: "killed" });
    },
  });
  const controller = new AbortController();
  const running = execProgram(connection, ["sleep", "9"], { signal: controller.signal });
  controller.abort(new Error("enough"));
  await assertRejects(() => running, Error, "enough");
  assertEquals([isCancelled, fake.isHeld], [true, false]);
  await assertRejects(
    () => execProgram(connection, TRUE, { signal: controller.signal }),
    Error,
    "enough",
  );
});

Deno.test("an aborted read fails with the reason", async () => {
  const { connection } = await FakeSandbox.connect(cancellable());
  const controller = new AbortController(), { signal } = controller;
  const reader = new SandboxFiles(connection).readable("/f", { signal }).getReader();
  const reading = reader.read();
  controller.abort(new Error("enough"));
  await assertRejects(() => reading, Error, "enough");
});

Deno.test("errors of the sandbox have classes, codes, paths and explanations", async () => {
  const { connection } = await FakeSandbox.connect({
    onOpen(fake, channel, request) {
      if (request.op === "exec") fake.error(channel, { code: "NotFound", message: "execve" });
      else fake.error(channel, { code: "IsADirectory", message: "open", errno: "EISDIR" });
    },
  });
  const missing = await assertRejects(() => execProgram(connection, ["gcc"], {}), NotFoundError);
  assertStringIncludes(missing.message, "cannot run gcc: there is no such program");
  const files = new SandboxFiles(connection);
  const directory = await assertRejects(() => files.readFile("/etc"), SandboxError);
  assertEquals(
    [directory.name, directory.code, directory.path, directory.errno, directory.message],
    [
      "IsADirectoryError",
      "IsADirectory",
      "/etc",
      "EISDIR",
      "cannot read /etc: it is a directory (EISDIR)",
    ],
  );
});

Deno.test("a request that fits no frame, and one too many, fail alone", async () => {
  const { connection } = await FakeSandbox.connect({});
  const long = "x".repeat(PAYLOAD_MAX);
  await assertRejects(
    () => execProgram(connection, ["echo", long], {}),
    LimitError,
    "262216 bytes",
  );
  const open = Array.from({ length: 1024 }, () => execProgram(connection, TRUE, {}));
  await assertRejects(() => execProgram(connection, TRUE, {}), LimitError, "1024 requests");
  connection.close("the test ends");
  for (const result of await Promise.allSettled(open)) assertEquals(result.status, "rejected");
});

Deno.test("a sandbox that refuses, ends or speaks another version is no connection", async () => {
  const answers: [(fake: FakeSandbox) => void, string][] = [
    [(fake) => fake.error(SESSION, { code: "NotFound", message: "no rootfs /x" }), "no rootfs /x"],
    [(fake) => fake.end(), "the fake has ended"],
    [(fake) => fake.message(SESSION, HELLO, { ...INFO, protocol: 2 }), "version 2"],
    [(fake) => fake.raw(new TextEncoder().encode("dvisor: unknown verb")), "protocol"],
  ];
  for (const [answer, message] of answers) {
    const fake = new FakeSandbox({});
    const opening = Connection.open(fake.transport, { protocol: PROTOCOL_VERSION });
    answer(fake);
    await assertRejects(() => opening, SandboxError, message);
    assertEquals(fake.isDestroyed, true);
  }
});

Deno.test("events wait for the reader, are counted when there are too many, and end", async () => {
  const { connection } = await FakeSandbox.connect({
    onOpen(fake, channel) {
      for (let i = 0; i < 10_005; i++) fake.event(channel, { kind: "create", path: `/${i}` });
    },
    ...cancellable(),
  });
  const changes = new SandboxFiles(connection).watch("/");
  await waitFor(() => true);
  const kinds = new Map<string, number>();
  for await (const { kind } of changes) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    if (kind === "overflow") break;
  }
  assertEquals([...kinds], [["create", 10_000], ["overflow", 1]]);
  assertEquals(await changes.next(), { done: true, value: undefined });
});

Deno.test("pieces of any size make the same frames", async () => {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed}`);
  const random = randomOf(seed);
  const { fake, connection } = await FakeSandbox.connect({});
  const running = [0, 1, 2].map(() => execProgram(connection, TRUE, {}));
  await waitFor(() => true);
  const script = new FakeSandbox({}), bytes: number[] = [];
  script.transport.readable.on("data", (part: Uint8Array) => bytes.push(...part));
  script.message(SESSION, HELLO, INFO);
  await waitFor(() => bytes.length > 0);
  bytes.length = 0;
  const expected = ["", "", ""];
  for (let i = 0; i < 200; i++) {
    const which = random(3), part = "abc".repeat(random(40));
    expected[which] += part;
    script.output(which + 1, part);
  }
  for (const channel of [1, 2, 3]) script.result(channel, EXITED);
  await waitFor(() => bytes.length > 0);
  for (let at = 0; at < bytes.length;) {
    const n = 1 + random(random(2) === 0 ? 20 : 2000);
    fake.raw(new Uint8Array(bytes.slice(at, at + n)));
    at += n;
  }
  assertEquals((await Promise.all(running)).map((result) => text(result.stdout)), expected);
});

Deno.test("random bytes end the connection, with an error of the protocol alone", async () => {
  const seed = Number(Deno.env.get("SEED") ?? Math.floor(Math.random() * 2 ** 31));
  console.log(`seed ${seed}`);
  const random = randomOf(seed);
  for (let round = 0; round < 50; round++) {
    const { fake, connection } = await FakeSandbox.connect({});
    const running = execProgram(connection, TRUE, {});
    const channel = random(3), type = random(10), flags = random(random(2) === 0 ? 3 : 256);
    fake.frame(channel, type, flags, new Uint8Array(random(40)).map(() => random(256)));
    fake.end();
    await assertRejects(() => running, SandboxError);
  }
});

Deno.test("wrong arguments are found before anything is sent", async () => {
  const { connection } = await FakeSandbox.connect({ onOpen: () => assert(false) });
  const files = new SandboxFiles(connection);
  await assertRejects(() => execProgram(connection, [], {}), SandboxError, "argv");
  await assertRejects(() => execProgram(connection, ["a\0"], {}), SandboxError, "NUL");
  await assertRejects(() => files.readFile("relative"), SandboxError, '"relative"');
  await assertRejects(() => files.chmod("/f", 0o10000), SandboxError, "mode must be");
  await assertRejects(() => Program.start(connection, TRUE, { pty: { cols: 0, rows: 1 } }));
  assertThrows(() => files.watch("/f", { recursiv: true } as object), SandboxError, "recursive?");
});

/** A sandbox that ends what is cancelled. */
function cancellable(): Behaviour {
  return { onControl: (fake, channel) => fake.result(channel, EXITED) };
}

async function waitFor(condition: () => boolean): Promise<void> {
  do await new Promise((done) => setTimeout(done, 1)); while (!condition());
}

/** Numbers below a bound, the same ones for a seed. */
function randomOf(seed: number): (below: number) => number {
  let state = seed | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}
