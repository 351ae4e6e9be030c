/** Tests of hex and base64 against the vectors of RFC 4648 and against malformed text. */

import { assertEquals, assertThrows } from "@std/assert";
import { decodeBase64, decodeHex, encodeBase64, encodeHex } from "@std/encoding";

const VECTORS: [string, string, string][] = [
  ["", "", ""],
  ["f", "66", "Zg=="],
  ["fo", "666f", "Zm8="],
  ["foo", "666f6f", "Zm9v"],
  ["foob", "666f6f62", "Zm9vYg=="],
  ["fooba", "666f6f6261", "Zm9vYmE="],
  ["foobar", "666f6f626172", "Zm9vYmFy"],
];

Deno.test("both encodings give the vectors of RFC 4648 and read them back", () => {
  for (const [text, hex, base64] of VECTORS) {
    const bytes = new TextEncoder().encode(text);
    assertEquals(encodeHex(text), hex);
    assertEquals(encodeHex(bytes.buffer), hex);
    assertEquals(decodeHex(hex), bytes);
    assertEquals(decodeHex(hex.toUpperCase()), bytes);
    assertEquals(encodeBase64(bytes), base64);
    assertEquals(decodeBase64(base64), bytes);
    assertEquals(decodeBase64(base64.replaceAll("=", "")), bytes);
  }
});

Deno.test("every byte value survives a round trip", () => {
  const all = Uint8Array.from({ length: 256 }, (_, i) => i);
  assertEquals(decodeHex(encodeHex(all)), all);
  assertEquals(decodeBase64(encodeBase64(all)), all);
  assertEquals(encodeBase64(all), btoa(String.fromCharCode(...all)));
});

Deno.test("malformed text is refused", () => {
  assertThrows(() => decodeHex("abc"), RangeError);
  for (const bad of ["0g", "--", " 0", "é", "éé"]) assertThrows(() => decodeHex(bad), TypeError);
  for (const bad of ["A", "A=", "AAAAA"]) assertThrows(() => decodeBase64(bad), RangeError);
  for (const bad of ["A===", "Z g=", "Zg==Zg==", "Zm9_", "Zg=A", "Zé==", "é"]) {
    assertThrows(() => decodeBase64(bad), TypeError);
  }
});

Deno.test("padding that is too short is as good as none", () => {
  assertEquals(decodeBase64("Zg="), decodeBase64("Zg=="));
});
