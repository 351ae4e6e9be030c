import { assertEquals } from "@std/assert";
import { ContainerDir } from "../state/store.ts";
import { hasCrashed, keepReport, logPath, REPORT_BYTES, REPORTS } from "./crash_report.ts";

const BUG = "dvisor: this is a bug in dvisor: x\n";

function withRoot(test: (root: string) => void): void {
  const root = Deno.makeTempDirSync({ prefix: "dvisor-report-" });
  try {
    test(root);
  } finally {
    Deno.removeSync(root, { recursive: true });
  }
}

function failed(root: string, id: string, log: string): ContainerDir {
  const dir = new ContainerDir(root, id);
  Deno.mkdirSync(dir.path);
  Deno.writeTextFileSync(logPath(dir), log);
  return dir;
}

Deno.test("a report is the beginning of a log, however long a kernel wrote", () => {
  withRoot((root) => {
    const dir = failed(root, "c", BUG + "y".repeat(3 * REPORT_BYTES));
    assertEquals(keepReport(dir), `${root}/c.crash`);
    const text = Deno.readTextFileSync(`${root}/c.crash`);
    assertEquals([text.length, text.startsWith(BUG)], [REPORT_BYTES, true]);
  });
});

Deno.test("only a log with the right beginning is a report", () => {
  withRoot((root) => {
    const late = failed(root, "late", "y".repeat(REPORT_BYTES) + BUG);
    assertEquals([hasCrashed(late), keepReport(late)], [false, null]);
    assertEquals(keepReport(new ContainerDir(root, "none")), null);
  });
});

Deno.test("there are never more reports than the limit, and the newest is there", () => {
  withRoot((root) => {
    for (let i = 0; i < 3 * REPORTS; i++) {
      const dir = failed(root, `c${i}`, BUG), kept = keepReport(dir);
      assertEquals(kept, `${root}/c${i}.crash`);
      assertEquals(Deno.statSync(kept ?? "").isFile, true);
    }
    const reports = [...Deno.readDirSync(root)].filter(({ name }) => name.endsWith(".crash"));
    assertEquals(reports.length, REPORTS);
  });
});
