import { assert, assertEquals } from "@std/assert";
import { stringToBytes } from "../../../kernel/core/bytes.ts";
import { AccountFile } from "./account_files.ts";

function accounts(text: string): AccountFile {
  return new AccountFile(stringToBytes(text));
}

Deno.test("a line is found by a whole field, and by one of a list", () => {
  const file = accounts("ann:x:1\n\nan:x:1:b,ann,c\nx:ann:7:c,bob,\nann:x:2:bob");
  const names = [file.lineWith(0, "ann"), file.lineWith(0, "an"), file.lineWith(1, "ann")];
  assertEquals(names.map((line) => file.field(line, 2)), ["1", "1", "7"]);
  assertEquals([file.lineWith(0, "b"), file.lineWith(3, "b"), file.lineWith(3, "bob")], [
    -1,
    -1,
    file.lineWith(0, "ann", 1),
  ]);
  const first = file.lineListing(3, "bob");
  assertEquals(file.field(first, 0), "x");
  const second = file.lineListing(3, "bob", file.after(first));
  assertEquals([file.field(second, 2), file.field(second, 4), file.field(0, 3)], ["2", "", ""]);
  assertEquals(file.lineListing(3, "bob", file.after(second)), -1);
});

Deno.test("no text makes more than one field a string", () => {
  const size = 128 << 10;
  for (const piece of ["\n", ":", ",", "a", "a:a:a:a,\n"]) {
    const file = accounts(piece.repeat(size / piece.length));
    assertEquals([file.lineWith(0, "bob"), file.lineListing(3, "bob")], [-1, -1]);
    for (let i = 0; i < 8; i++) assert(file.field(0, i).length <= 2, piece);
  }
  const long = accounts(`bob:x:1:1::/${"d".repeat(size)}`);
  assertEquals([long.field(0, 5), long.field(0, 2)], ["", "1"]);
});
