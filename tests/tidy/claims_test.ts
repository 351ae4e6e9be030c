/**
 * No silent lies: what the system call table and its flags claim is held against the guest tests
 * that there are, and the page made of them against the one in docs/. Handlers are looked at in
 * handlers_test.ts.
 */

import { assert, assertEquals } from "@std/assert";
import { FLAG_SETS } from "../../kernel/syscalls/flags/flag_sets.ts";
import { ALL_ROWS, LAST_CALL, ROWS } from "../../kernel/syscalls/x86_64.ts";
import { NAMES } from "../../ffi/abi/syscall_numbers.ts";
import { CaseNames } from "../guest/case_names.ts";
import { FAMILIES, SCRIPTS } from "../guest/scripts.ts";
import { BEYOND_GVISOR } from "./beyond_gvisor.ts";
import { commandLinePage, PAGE as COMMAND_LINE_PAGE } from "./command_line_page.ts";
import { compatibilityPage, PAGE } from "./compatibility_page.ts";
import { isThere, ROOT } from "./source_files.ts";
import { calledWithoutNumber } from "./wrapped_calls.ts";

const cases = new CaseNames();
/** Pages about the code, whose paths are from the root of the project. */
const PAGES: readonly string[] = [
  "ARCHITECTURE.md",
  "SECURITY.md",
  "docs/fuzzing.md",
  "docs/glossary.md",
  "docs/releases.md",
  "docs/threat-model.md",
  ...[
    "accounts",
    "credentials",
    "faults",
    "host_traces",
    "memory",
    "read",
    "start",
    "tasks",
    "turns",
  ].map((name) => `docs/internals/${name}.md`),
];
/** The path of a file of the project, and where a link leads to that is relative to its page. */
const PATH = /\b(?:[a-z]\w*\/)+\w+\.(?:ts|py|md)\b/g, LINK = /\]\(([^)#:]+)\)/g;
const flags = FLAG_SETS.flatMap((set) => set.flags);

Deno.test("each flag that works or is refused as on Linux names a guest case that there is", () => {
  const bad = flags.filter((f) => f.shown !== "" && !cases.has(f.shown)).map((f) => f.shown);
  assertEquals(bad, []);
  const unshown = flags.filter((f) => f.support === "works" && f.shown === "");
  assertEquals(unshown.map((f) => f.name), []);
});

Deno.test("each row of the page about credentials names tests that there are", () => {
  const page = Deno.readTextFileSync(`${ROOT}/docs/internals/credentials.md`);
  const rows = page.split("\n").filter((line) =>
    line.startsWith("| ") && !line.startsWith("| -") && !/ test +\|$/.test(line)
  );
  const bad = rows.filter((row) => {
    const names = row.split("|").at(-2)?.split(",") ?? [];
    return !names.every((name) => isTest(/^ *`(.+)` *$/.exec(name)?.[1] ?? ""));
  });
  assertEquals(bad, []);
  assert(rows.length > 100, `${rows.length} rows`);
});

Deno.test("pages about security and mechanisms name files that there are", () => {
  const bad = PAGES.flatMap((page) => {
    const text = Deno.readTextFileSync(`${ROOT}/${page}`), dir = page.replace(/[^/]*$/, "");
    const paths = [...text.replaceAll(LINK, "").matchAll(PATH)].map(([path]) => path);
    const links = [...text.matchAll(LINK)].map(([, path]) => `${dir}${path}`);
    assert(paths.length > 0, page);
    return [...paths, ...links].filter((path) => !isThere(path)).map((path) => `${page}: ${path}`);
  });
  assertEquals(bad, []);
});

/** A guest case, or the file of a unit test. */
function isTest(name: string): boolean {
  return name.includes("/") ? isThere(name) : cases.has(name);
}

Deno.test("each flag without support has a reason or an errno", () => {
  const bad = flags.filter((f) => f.support === "refused" ? f.error === "" : f.error !== "");
  assertEquals(bad.map((f) => f.name), []);
  const unsaid = flags.filter((f) => f.support === "partial" && f.note === "");
  assertEquals(unsaid.map((f) => f.name), []);
});

Deno.test("the calls of a set of flags are in the table", () => {
  const names = new Set(ALL_ROWS.map((row) => row.name));
  const calls = FLAG_SETS.flatMap((set) => set.calls.replace(/ ?\(.*$/, "").split(" "));
  assertEquals(calls.filter((name) => !names.has(name)), []);
});

Deno.test("a set names no flag twice", () => {
  const twice = FLAG_SETS.flatMap(({ calls, flags }) => {
    const names = flags.map((flag) => flag.name);
    return names.filter((name, i) => names.indexOf(name) !== i).map((name) => `${calls}: ${name}`);
  });
  assertEquals(twice, []);
});

Deno.test("each call that is said to work in full is made by a guest test", () => {
  const text = cases.text;
  const silent = ALL_ROWS.filter(({ name, nr, support }) =>
    support === "full" && !calledWithoutNumber(name, text) &&
    !new RegExp(`NR\\.${name}\\b|\\bsc\\(${nr},|gives\\([^,]*, ${nr}[,)]`).test(text)
  );
  assertEquals(silent.map((row) => row.name), []);
});

Deno.test("each call of Linux 6.12 has a row", () => {
  const missing = NAMES.slice(0, LAST_CALL + 1).filter((name, nr) => name && !ROWS[nr]);
  assertEquals(missing, []);
});

Deno.test("at least 300 calls work", () => {
  const works = ALL_ROWS.filter((row) => row.support !== "refused").length;
  assertEquals(works >= 300, true, `${works} work`);
});

Deno.test("no two guest scripts have one name, which a case is found by", () => {
  const names = SCRIPTS.map(([script]) => script);
  assertEquals(names.filter((name, i) => names.indexOf(name) !== i), []);
});

Deno.test("each family of guest scripts has a link to their library", () => {
  const links = FAMILIES.map((family) => Deno.readLinkSync(`${ROOT}/tests/guest/${family}/lib`));
  assertEquals(new Set(links), new Set(["../lib"]));
});

Deno.test("guest cases show each feature that gVisor lacks", () => {
  const shown = BEYOND_GVISOR.flatMap(([, shown]) => shown.split(" "));
  assertEquals(shown.filter((name) => !cases.has(name)), []);
});

Deno.test("docs/command-line.md is what the tables of options say (deno task docs)", async () => {
  const isSame = Deno.readTextFileSync(COMMAND_LINE_PAGE) === await commandLinePage();
  assertEquals(isSame, true, "run: deno task docs");
});

Deno.test("docs/compatibility.md is what the tables say (deno task docs)", async () => {
  assertEquals(
    Deno.readTextFileSync(PAGE) === await compatibilityPage(),
    true,
    "run: deno task docs",
  );
});
