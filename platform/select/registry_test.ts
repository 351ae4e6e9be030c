import { assert, assertEquals } from "@std/assert";
import { descendants } from "../conformance/host_view.ts";
import { coreCount, inspectHost } from "./host_offer.ts";
import { tryPlatform } from "./registry.ts";

Deno.test("ptrace runs a guest on this machine, and leaves nothing behind", () => {
  const before = descendants();
  assertEquals(tryPlatform("ptrace"), null);
  assertEquals(descendants(), before);
});

Deno.test("inspectHost gives the reason for its choice", () => {
  const offer = inspectHost({ best: "ptrace", why: "as asked" });
  const names = offer.findings.map((finding) => finding.name);
  assertEquals(new Set(names).size, names.length);
  for (const finding of offer.findings) assert(finding.detail !== "", finding.name);
  assertEquals(offer.platform, "ptrace");
  assert(offer.reason.startsWith("as asked; "), offer.reason);
  assert(coreCount() >= 1);
});
