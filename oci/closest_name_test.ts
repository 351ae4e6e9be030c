import { assertEquals } from "@std/assert";
import { suggestion } from "./closest_name.ts";

Deno.test("the known name that is likely meant, if any", () => {
  const verbs = ["do", "delete", "list", "kill", "exec", "help", "resume"];
  for (
    const [word, meant] of [
      ["lsit", "list"],
      ["dlete", "delete"],
      ["exce", "exec"],
      ["od", "do"],
      ["helpp", "help"],
      ["resmue", "resume"],
    ] as const
  ) assertEquals(suggestion(word, verbs), `; did you mean ${meant}?`, word);
  for (const word of ["", "foo", "nope", "checkpoint", "x".repeat(5000)]) {
    assertEquals(suggestion(word, verbs), "", word.slice(0, 20));
  }
  assertEquals(suggestion("memroy", ["memory"], "--"), "; did you mean --memory?");
});
