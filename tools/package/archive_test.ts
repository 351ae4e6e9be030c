import { assertEquals, assertThrows } from "@std/assert";
import { type ArchiveFile, below, filesOfTar, gunzip, gzip, tarOf, textFile } from "./archive.ts";

const FILES: readonly ArchiveFile[] = [
  { path: "z/second", linkTo: "z/first", bytes: new Uint8Array(), mode: 0o755 },
  { path: "z/first", bytes: new Uint8Array(513).fill(7), mode: 0o755 },
  textFile(`${"d".repeat(90)}/${"f".repeat(60)}`, "ü"),
  textFile("a", ""),
];

async function command(argv: readonly string[], input: Blob): Promise<string> {
  const [program = "", ...args] = argv;
  const child = new Deno.Command(program, {
    args,
    stdin: "piped",
    stdout: "piped",
    env: { LC_ALL: "C", TZ: "UTC" },
  }).spawn();
  const [{ stdout, success }] = await Promise.all([
    child.output(),
    input.stream().pipeTo(child.stdin),
  ]);
  assertEquals(success, true);
  return new TextDecoder().decode(stdout);
}

Deno.test("tar(1) lists what is in an archive, sorted, links behind their files", async () => {
  const listed = await command(["tar", "tvf", "-"], tarOf(below("./top", FILES), true));
  assertEquals(
    listed.trimEnd().split("\n").map((line) => line.replaceAll(/ +/g, " ")),
    [
      "drwxr-xr-x root/root 0 1970-01-01 00:00 ./",
      "drwxr-xr-x root/root 0 1970-01-01 00:00 ./top/",
      "-rw-r--r-- root/root 0 1970-01-01 00:00 ./top/a",
      `drwxr-xr-x root/root 0 1970-01-01 00:00 ./top/${"d".repeat(90)}/`,
      `-rw-r--r-- root/root 2 1970-01-01 00:00 ./top/${"d".repeat(90)}/${"f".repeat(60)}`,
      "drwxr-xr-x root/root 0 1970-01-01 00:00 ./top/z/",
      "-rwxr-xr-x root/root 513 1970-01-01 00:00 ./top/z/first",
      "hrwxr-xr-x root/root 0 1970-01-01 00:00 ./top/z/second link to ./top/z/first",
    ],
  );
});

Deno.test("an archive that was read is what was written, in any order of the files", async () => {
  const archive = await gzip(tarOf(FILES));
  const read = filesOfTar(await gunzip(archive));
  const { length } = FILES;
  assertEquals(read.map(({ path }) => path).slice(0, 2), ["a", FILES[length - 2]?.path]);
  for (const file of FILES) assertEquals(read.find(({ path }) => path === file.path), file);
  const again = await gzip(tarOf(FILES.toReversed()));
  assertEquals(await again.bytes(), await archive.bytes());
});

Deno.test("a path that no archive can have is an error", () => {
  assertThrows(() => tarOf([textFile("x".repeat(101), "")]), Error, "too long");
  assertThrows(() => tarOf([textFile(`${"d/".repeat(80)}x`.repeat(2), "")]), Error, "too long");
  const link = { ...textFile("x", ""), linkTo: "x".repeat(101) };
  assertThrows(() => tarOf([link]), Error, "too long");
});
