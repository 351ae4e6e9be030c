/**
 * The checks of one engine with one runtime, in the namespaces that `apart.ts` made: a line a
 * check, `done` at the end.
 *
 *     inside.ts CLIENT runc|dvisor DIR [PATTERN]     only those whose name has the pattern
 */

import { dvisorCommand } from "../../harness/dvisor.ts";
import { isFull } from "../../harness/machine.ts";
import { RUNC } from "../../oci/bundle.ts";
import { Buildah } from "../buildah/buildah.ts";
import { BUILDAH_CASES } from "../buildah/cases.ts";
import { Cri } from "../cri/cri.ts";
import { POD_CASES } from "../cri/pod_cases.ts";
import { STREAM_AND_RESTART_CASES } from "../cri/stream_cases.ts";
import { CTR_CASES } from "../ctr/cases.ts";
import { Ctr } from "../ctr/ctr.ts";
import { PODMAN_CASES } from "../podman/all_cases.ts";
import { Podman } from "../podman/podman.ts";
import { RootlessPodman } from "../podman/rootless.ts";
import { USER_CASES } from "../podman/user_cases.ts";
import type { Engine, EngineCase, PeerName } from "./engine_case.ts";

/** How to start an engine, and its checks. */
interface Suite {
  run(peer: PeerName, dir: string, runtime: string, wanted: RegExp): Promise<void>;
}

function suite<E extends Engine>(
  start: (peer: PeerName, dir: string, runtime: string) => Promise<E>,
  cases: readonly EngineCase<E>[],
): Suite {
  return {
    async run(peer, dir, runtime, wanted) {
      const engine = await start(peer, dir, runtime);
      for (const test of cases) {
        if (!wanted.test(test.name) || (!isFull && test.isQuick !== true)) continue;
        await judge(engine, test);
      }
      await engine.close();
    },
  };
}

const SUITES: Record<string, Suite> = {
  buildah: suite(Buildah.start, BUILDAH_CASES),
  cri: suite(Cri.start, [...POD_CASES, ...STREAM_AND_RESTART_CASES]),
  ctr: suite(Ctr.start, CTR_CASES),
  podman: suite(Podman.start, PODMAN_CASES),
  rootless: suite(RootlessPodman.start, [...PODMAN_CASES, ...USER_CASES]),
};

function say(verdict: string, ...parts: string[]): void {
  console.log(`${verdict} ${JSON.stringify(parts)}`);
}

async function judge<E extends Engine>(engine: E, test: EngineCase<E>): Promise<void> {
  const reason = test.lacking ?? (engine.peer === "runc" ? test.notRunc : null) ??
    (engine.isRootless ? test.notRootless : null) ?? null;
  if (reason !== null) return say("skip", test.name, reason);
  const start = performance.now();
  try {
    await test.run(engine);
    await engine.sweep();
    say("ok", test.name, `${Math.round(performance.now() - start)} ms`);
  } catch (error) {
    await engine.sweep().catch(() => {});
    say("FAIL", test.name, error instanceof Error ? `${error.message}` : String(error));
  }
}

/** A command as one program, at `path` if it has arguments. */
function program(command: readonly string[], path: string): string {
  if (command.length === 1) return command[0]!;
  Deno.writeTextFileSync(path, `#!/bin/sh\nexec ${command.join(" ")} "$@"\n`, { mode: 0o755 });
  return path;
}

const [client = "", peer = "", dir = "", pattern = ""] = Deno.args;
const chosen = SUITES[client];
if (chosen === undefined || (peer !== "runc" && peer !== "dvisor") || dir === "") {
  throw new Error(`usage: inside.ts ${Object.keys(SUITES).join("|")} runc|dvisor DIR [PATTERN]`);
}
if (Deno.env.get("DVISOR_APART") === undefined) {
  throw new Error("the checks run in namespaces of their own: see apart.ts");
}
const runtime = peer === "runc" ? RUNC ?? "runc" : program(dvisorCommand(), `${dir}/dvisor`);
await chosen.run(peer, dir, runtime, new RegExp(pattern));
console.log("done");
