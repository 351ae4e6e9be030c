/** Verbs for a sandbox of a library, which is no container. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { Sandbox } from "../../mod.ts";
import { describe, dvisor } from "../harness/dvisor.ts";

async function verb(...args: string[]): Promise<string> {
  const result = await dvisor([...args], { timeoutS: 60 });
  assertEquals([result.code, result.stderr], [0, ""], describe(result));
  return result.stdout;
}

/** Whether a client is connected, by the name that its socket was bound to: unix(7). */
function hasClient(id: string): boolean {
  return Deno.readTextFileSync("/proc/net/unix").split("\n")
    .some((line) => line.includes(`/${id}.sock.`) && line.split(/\s+/)[5] === "03");
}

Deno.test("verbs find a sandbox of a library, and end it", async () => {
  await using box = await Sandbox.create({ labels: { for: "verbs" }, memoryBytes: 128 << 20 });
  const { id } = box, sleeper = await box.spawn(["sleep", "100"]);
  const state: Record<string, unknown> = JSON.parse(await verb("state", id));
  assertEquals([state["id"], state["status"]], [id, "running"]);
  assertEquals(state["annotations"], { for: "verbs" });
  assertMatch(await verb("ps", id), new RegExp(`\\b${sleeper.pid}\\b.*\\bsleep\\b`));
  assertEquals(JSON.parse(await verb("ps", "--format", "json", id)), [state["pid"]]);
  assertStringIncludes(await verb("debug", id), "(sleep), parent");
  const { type, data } = JSON.parse(await verb("events", "--stats", id));
  assertEquals([type, data.memory.usage.limit, data.pids.current], ["stats", 128 << 20, 1]);
  await verb("pause", id);
  await verb("resume", id);
  await verb("kill", id, "0");
  const refused = await dvisor(["kill", id, "USR1"]);
  assertEquals(refused.code, 1, describe(refused));
  assertStringIncludes(
    refused.stderr,
    `${id} is a sandbox of a library, which has no first process`,
  );
  await verb("kill", "--all", id, "USR1");
  assertEquals((await sleeper.status).signal, "SIGUSR1");
  const other = await dvisor(["start", id]);
  assertEquals(other.code, 1, describe(other));
  assertStringIncludes(other.stderr, `${id} is a sandbox of a library and no container`);
  const waiting = dvisor(["wait", id], { timeoutS: 60 });
  while (!hasClient(id)) await new Promise((resolve) => setTimeout(resolve, 10));
  await verb("kill", id);
  assertEquals((await waiting).code, 0);
  const gone = await dvisor(["state", id]);
  assertEquals([gone.code, gone.stderr.includes(id)], [1, true], describe(gone));
});
