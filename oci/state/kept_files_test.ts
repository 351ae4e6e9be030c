import { assertEquals } from "@std/assert";
import { keepNewest } from "./kept_files.ts";

Deno.test("the files that were changed last stay, and names of other kinds do not count", () => {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-kept-" });
  try {
    for (let i = 0; i < 6; i++) {
      Deno.writeTextFileSync(`${dir}/${i}.log`, "");
      // The later the name, the older the file.
      Deno.utimeSync(`${dir}/${i}.log`, 1000 - i, 1000 - i);
    }
    Deno.writeTextFileSync(`${dir}/other`, "");
    Deno.utimeSync(`${dir}/other`, 1, 1);
    Deno.mkdirSync(`${dir}/directory.log`);
    Deno.symlinkSync("other", `${dir}/link.log`);
    keepNewest(dir, ".log", 2, `${dir}/5.log`);
    const names = [...Deno.readDirSync(dir)].map((entry) => entry.name).sort();
    assertEquals(names, ["0.log", "1.log", "5.log", "directory.log", "link.log", "other"]);
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
});
