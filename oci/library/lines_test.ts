import { assertEquals, assertRejects } from "@std/assert";
import { LimitError } from "./errors.ts";
import { LineReader } from "./lines.ts";

function readerOf(...pieces: readonly string[]): LineReader {
  const parts = pieces.map((piece) => new TextEncoder().encode(piece));
  return new LineReader(ReadableStream.from(parts));
}

async function linesOf(reader: LineReader, maxBytes = 100): Promise<string[]> {
  return await Array.fromAsync(reader.lines(maxBytes));
}

Deno.test("lines: whatever the pieces are in which they come", async () => {
  const text = "one\n\ntwo\r\nthree €\n", wanted = ["one", "", "two", "three €"];
  const bytes = new TextEncoder().encode(text);
  const single = ReadableStream.from([...bytes].map((byte) => Uint8Array.of(byte)));
  assertEquals(await linesOf(readerOf(text)), wanted);
  assertEquals(await linesOf(new LineReader(single)), wanted);
});

Deno.test("lines: the last one needs no end", async () => {
  assertEquals(await linesOf(readerOf("a\nb")), ["a", "b"]);
  assertEquals(await linesOf(readerOf("a\n")), ["a"]);
  assertEquals(await linesOf(readerOf()), []);
});

Deno.test("lines: a loop that is left can be gone on with", async () => {
  const reader = readerOf("1\n2\n3\nha", "lf\n");
  for await (const line of reader.lines(100)) if (line === "2") break;
  assertEquals(await linesOf(reader), ["3", "half"]);
});

Deno.test("lines: a long one is an error", async () => {
  await assertRejects(() => linesOf(readerOf("12345\n123456\n"), 5), LimitError, "5 bytes");
  await assertRejects(() => linesOf(readerOf("123", "456"), 5), LimitError);
  assertEquals(await linesOf(readerOf("12345\n"), 5), ["12345"]);
});
