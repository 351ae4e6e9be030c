/**
 * `deno task test:guest [--full] [SCRIPT...]`: the guest tests, natively and in dvisor, as a table
 * of families. Below it stand the cases that pass natively and not in dvisor; there must be none,
 * or the exit code is 1. On ptrace a part of the scripts runs, all of them with --full; on kvm all,
 * where there is /dev/kvm. DVISOR_PLATFORM=NAME judges that platform alone. Neighbours: scripts.ts
 * runs a script; guest_test.ts is what CI runs.
 */

import { parseArgs } from "@std/cli";
import { ensureBuilt } from "../../tools/build/ensure.ts";
import { refuseOthers } from "../../tools/options.ts";
import { doCommand, type PlatformName, platforms, ROOT } from "../harness/dvisor.ts";
import { noKvm } from "../harness/machine.ts";
import { FAMILIES, familyOf, isQuick, runScript, type ScriptResult, scripts } from "./scripts.ts";

/** The results of one peer for the cases that pass natively. */
interface Score {
  passed: number;
  of: number;
}

interface Sums {
  passed: number;
  failed: number;
  skipped: number;
  readonly peers: Readonly<Record<PlatformName, Score>>;
  /** Cases that cannot run natively on this machine, but pass in dvisor. */
  more: number;
}

/** The columns. */
const PEERS = platforms("systrap", "ptrace", "kvm").filter((name) => name !== "kvm" || !noKvm);

/** "script.case: why" of what passes natively and not in a peer. */
const differing: string[] = [];
/** "script.case: why" of what fails natively. */
const wrong: string[] = [];

function newSums(): Sums {
  const score = (): Score => ({ passed: 0, of: 0 });
  const peers = { systrap: score(), ptrace: score(), kvm: score() };
  return { passed: 0, failed: 0, skipped: 0, peers, more: 0 };
}

function addNative(sums: Sums, script: string, native: ScriptResult): void {
  for (const { name, verdict, why } of native.cases) {
    if (verdict === "ok") sums.passed++;
    else if (verdict === "skip") sums.skipped++;
    else {
      sums.failed++;
      wrong.push(`${script}.${name}: ${why}`);
    }
  }
  if (native.problem !== null) wrong.push(`${script}: ${native.problem}`);
}

function compare(score: Score, label: string, native: ScriptResult, peer: ScriptResult): void {
  const found = new Map(peer.cases.map((one) => [one.name, one]));
  for (const { name, verdict } of native.cases) {
    if (verdict !== "ok") continue;
    const one = found.get(name);
    score.of++;
    if (one?.verdict === "ok") score.passed++;
    else differing.push(`${label}.${name}: ${one ? `${one.verdict} ${one.why}` : "never ran"}`);
  }
  if (peer.problem !== null) differing.push(`${label}: ${peer.problem}`);
}

async function judge(script: string, sums: Sums, isFull: boolean): Promise<void> {
  const native = await runScript([], script);
  addNative(sums, script, native);
  const passed = new Set(native.cases.filter((c) => c.verdict === "ok").map((c) => c.name));
  for (const platform of PEERS) {
    if (platform === "ptrace" && !isFull && !isQuick(script, platform)) continue;
    const peer = await runScript(doCommand(platform, "--pids=max"), script);
    compare(sums.peers[platform], `${platform}: ${script}`, native, peer);
    if (platform !== PEERS[0]) continue;
    sums.more += peer.cases.filter((c) => c.verdict === "ok" && !passed.has(c.name)).length;
  }
}

function add(total: Sums, sums: Sums): void {
  total.passed += sums.passed;
  total.failed += sums.failed;
  total.skipped += sums.skipped;
  total.more += sums.more;
  for (const peer of PEERS) {
    total.peers[peer].passed += sums.peers[peer].passed;
    total.peers[peer].of += sums.peers[peer].of;
  }
}

const WIDTHS = [11, 8, 8, 8, 13, 13, 13];

function cells(...texts: (string | number)[]): string {
  return texts.map((text, i) =>
    i === 0 ? String(text).padEnd(WIDTHS[i] ?? 0) : String(text).padStart(WIDTHS[i] ?? 0)
  ).join(" ");
}

function line(name: string, sums: Sums): string {
  const part = ({ passed, of }: Score): string => of === 0 ? "-" : `${passed} of ${of}`;
  const more = sums.more > 0 ? `   and ${sums.more} that cannot run natively here` : "";
  const { passed, failed, skipped, peers } = sums;
  return cells(name, passed, failed, skipped, ...PEERS.map((peer) => part(peers[peer]))) + more;
}

function printList(title: string, lines: readonly string[]): void {
  if (lines.length > 0) console.log(`\n${title}\n${lines.map((text) => `  ${text}`).join("\n")}`);
}

async function main(): Promise<number> {
  const args = parseArgs(Deno.args, {
    boolean: ["full"],
    string: ["_"],
    unknown: refuseOthers("deno task test:guest [--full] [SCRIPT...]"),
  });
  const wanted = args._.map(String), all = scripts();
  const unknown = wanted.filter((name) => !all.includes(name));
  if (unknown.length > 0) throw new Error(`no such script in tests/guest: ${unknown.join(", ")}`);
  if (!await ensureBuilt(ROOT)) return 1;
  const total = newSums();
  console.log(cells("", "native", "", "", "dvisor of those that pass"));
  console.log(cells("family", "passed", "failed", "skipped", ...PEERS));
  for (const family of FAMILIES) {
    const sums = newSums();
    for (const script of all) {
      const isWanted = wanted.length === 0 || wanted.includes(script);
      if (isWanted && familyOf(script) === family) await judge(script, sums, args.full);
    }
    add(total, sums);
    console.log(line(family, sums));
  }
  console.log(line("all", total));
  printList("Not right natively, so no judges:", wrong);
  printList("Passed natively, not in dvisor:", differing);
  return differing.length > 0 || wrong.length > 0 || total.passed === 0 ? 1 : 0;
}

Deno.exit(await main());
