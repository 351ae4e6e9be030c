import { assert, assertEquals, assertThrows } from "@std/assert";
import { UserError } from "../user_error.ts";
import { ownDirectory } from "./root_dir.ts";

const uid = Deno.uid() ?? 0, MISSING = "/nonexistent";

function inPlace(body: (place: string) => void): void {
  const place = Deno.makeTempDirSync();
  try {
    Deno.chmodSync(place, 0o1777);
    body(place);
  } finally {
    Deno.removeSync(place, { recursive: true });
  }
}

Deno.test("a user's containers are in the runtime directory if the user owns it", () =>
  inPlace((place) => {
    assertThrows(() => ownDirectory(uid, place, []), UserError, "--root");
    Deno.chmodSync(place, 0o700);
    assertEquals(ownDirectory(uid, place, []), `${place}/dvisor`);
    assertThrows(() => ownDirectory(uid + 1, place, []), UserError, "--root");
  }));

Deno.test("otherwise a directory for the user alone is made in a place of all users", () =>
  inPlace((place) => {
    const path = ownDirectory(uid, MISSING, [MISSING, place]);
    assert(path.startsWith(`${place}/dvisor-`), path);
    assertEquals((Deno.statSync(path).mode ?? 0) & 0o777, 0o700);
    assertEquals(ownDirectory(uid, MISSING, [place]), path, "and found again");
  }));

Deno.test("a directory that another user may have made is not used", () =>
  inPlace((place) => {
    const path = ownDirectory(uid, MISSING, [place]), other = `${place}/other`;
    Deno.removeSync(path);
    Deno.mkdirSync(other, { mode: 0o700 });
    Deno.symlinkSync(other, path);
    assertThrows(() => ownDirectory(uid, MISSING, [place]), UserError, "--root", "a link");
    Deno.removeSync(path);
    Deno.mkdirSync(path);
    Deno.chmodSync(path, 0o777);
    assertThrows(() => ownDirectory(uid, MISSING, [place]), UserError, "--root", "open to all");
    Deno.chmodSync(path, 0o700);
    Deno.chmodSync(place, 0o777);
    assertThrows(() => ownDirectory(uid, MISSING, [place]), UserError, "--root", "renamed");
    Deno.chmodSync(place, 0o1777);
    assert(ownDirectory(uid, MISSING, [place]) === path);
  }));
