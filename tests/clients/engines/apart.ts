/**
 * Runs the checks of an engine on a host of their own (harness/own_host.ts): network, mounts,
 * processes, IPC, empty places for temporary files. When they end nothing can be left: no process,
 * mount, link or socket. Not a test. Neighbour: `inside.ts`, which is what runs there and prints a
 * line a check.
 */

import { assertEquals } from "@std/assert";
import { describe, ROOT, run } from "../../harness/dvisor.ts";
import { isFull, lacks, named, noContainers } from "../../harness/machine.ts";
import { inOwnHost } from "../../harness/own_host.ts";
import type { PeerName } from "./engine_case.ts";

/** LIMIT: seconds of all checks of one engine with one runtime. */
const TIMEOUT_S = 2400;

/** The first process there is a shell, which waits for processes whose parent has ended. */
const PRELUDE = `
ip link set lo up || exit 99
mkdir -p /run/lock /run/netns
export DVISOR_APART=1
"$@"
exit $?`;

function commandLine(client: string, peer: PeerName, dir: string): string[] {
  const deno = [Deno.execPath(), "run", "-A", "--no-lock", "--no-check"];
  const inside = [...deno, `${ROOT}/tests/clients/engines/inside.ts`, client, peer, dir];
  const shell = ["sh", "-c", PRELUDE, "sh", ...inside];
  return inOwnHost(shell, { processes: true, network: true, keeps: [dir], isOpen: true });
}

async function judge(t: Deno.TestContext, client: string, peer: PeerName): Promise<void> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-client-" });
  Deno.chmodSync(dir, 0o755);
  const result = await run(commandLine(client, peer, dir), { timeoutS: TIMEOUT_S });
  // No mount is left in it: they went with the namespace.
  Deno.removeSync(dir, { recursive: true });
  for (const line of result.stdout.split("\n")) {
    const [, verdict, json = ""] = /^(ok|FAIL|skip) (.*)$/.exec(line) ?? [];
    if (verdict === undefined) continue;
    const [name, why] = JSON.parse(json);
    if (verdict === "skip") await t.step({ ...named(name, why), fn: () => {} });
    else {
      await t.step(name, () => {
        if (verdict !== "ok") throw new Error(why);
      });
    }
  }
  const isWhole = result.code <= 1 && /^done$/m.test(result.stdout);
  assertEquals(isWhole, true, `the checks did not come to their end: ${describe(result)}`);
}

/** A test of an engine with each runtime. */
export function testEngine(
  client: string,
  commands: readonly string[],
  options: { hasSample?: boolean; lacking?: () => string | null } = {},
): void {
  const tools = ["unshare", "ip", "script", "tar"];
  const missing = isFull || options.hasSample === true
    ? noContainers ?? lacks([...commands, ...tools]) ?? options.lacking?.() ?? null
    : "only in deno task test:full";
  const peers: readonly PeerName[] = isFull ? ["runc", "dvisor"] : ["dvisor"];
  for (const peer of peers) {
    const reason = missing ?? (peer === "runc" ? lacks(["runc"]) : null);
    Deno.test({
      ...named(`${client} with ${peer}`, reason),
      fn: (t) => judge(t, client, peer),
    });
  }
}
