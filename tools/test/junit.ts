/**
 * Reads the JUnit report that `deno test --junit-path` writes. Only what that writer produces: not
 * an XML parser. Neighbour: `run_file.ts`.
 */

/** The result of one test or step. */
export interface Outcome {
  readonly name: string;
  readonly status: "passed" | "failed" | "skipped";
}

const CASE = /<testcase name="([^"]*)"[^>]*?(?:\/>|>([\s\S]*?)<\/testcase>)/g;
const ENTITIES: Record<string, string> = { lt: "<", gt: ">", amp: "&", quot: '"', apos: "'" };

function unescapeXml(text: string): string {
  return text.replace(/&(?:#x([0-9a-f]+)|#(\d+)|(\w+));/gi, (all, hex, dec, name) => {
    if (hex !== undefined) return String.fromCodePoint(parseInt(hex, 16));
    if (dec !== undefined) return String.fromCodePoint(parseInt(dec, 10));
    return ENTITIES[name] ?? all;
  });
}

/** Every test and every step of a report, in its order. */
export function parseJunit(xml: string): Outcome[] {
  const out: Outcome[] = [];
  for (const [, name = "", body = ""] of xml.matchAll(CASE)) {
    const status = /^\s*<(failure|error)\b/.test(body)
      ? "failed"
      : /^\s*<skipped\b/.test(body)
      ? "skipped"
      : "passed";
    out.push({ name: unescapeXml(name), status });
  }
  return out;
}
