/**
 * Host networking: two network namespaces with a link between them, the other machine (peer.py) in
 * one, and in the other each script of this folder, first as it is and then in a sandbox with
 * `--network host`.
 */

import { assertEquals } from "@std/assert";
import { addSteps, runPath, scriptPath } from "../guest/scripts.ts";
import { dvisorCommand, ROOT, run } from "../harness/dvisor.ts";
import { isRoot, lacks, named, PYTHON } from "../harness/machine.ts";

const FOLDER = `${ROOT}/tests/network`;
const SCRIPTS = ["hostile", "links", "tcp", "udp"];
/** Of tests/guest, where they are proved: here over the namespace's own loopback. */
const LOCAL_SCRIPTS = ["icmp", "packet_options", "tcp_ends", "tcp_urgent", "udp_lite"];
const PEER = `dvisor-peer-${Deno.pid}`, GUEST = `dvisor-guest-${Deno.pid}`;

const SETUP: readonly string[] = [
  `netns add ${PEER}`,
  `netns add ${GUEST}`,
  `link add veth77 netns ${GUEST} type veth peer name veth78 netns ${PEER}`,
  `-n ${PEER} addr add 10.77.0.1/24 dev veth78`,
  `-n ${PEER} addr add fd77::1/64 dev veth78 nodad`,
  `-n ${PEER} link set veth78 up`,
  `-n ${PEER} link set lo up`,
  `-n ${GUEST} addr add 10.77.0.2/24 brd + dev veth77`,
  `-n ${GUEST} addr add fd77::2/64 dev veth77 nodad`,
  `-n ${GUEST} link set veth77 up`,
  `-n ${GUEST} link set lo up`,
  `-n ${GUEST} route add default via 10.77.0.1`,
];

/** All groups may have ping sockets in the guest's namespace, as with Docker. */
const PING_GROUPS = "echo 0 2147483647 >/proc/sys/net/ipv4/ping_group_range";

async function ip(line: string): Promise<number> {
  const { code, stderr } = await run(["ip", ...line.split(" ")]);
  if (code !== 0) console.error(`ip ${line}: ${stderr}`);
  return code;
}

/** Ends when its standard input does. */
async function startPeer(): Promise<Deno.ChildProcess> {
  const child = new Deno.Command("ip", {
    args: ["netns", "exec", PEER, PYTHON ?? "", "-B", `${FOLDER}/peer.py`],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const reader = child.stdout.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), "ready\n");
  await reader.cancel();
  return child;
}

async function judge(t: Deno.TestContext, prefix: readonly string[], path: string) {
  const argv = ["ip", "netns", "exec", GUEST, ...prefix];
  await addSteps(t, await runPath(argv, path, 1, prefix.length === 0 ? {} : { DVISOR: "1" }));
}

const missing = !isRoot ? "needs root" : lacks(["ip", "ss"]) ??
  (PYTHON === null ? "no python3 on this machine" : null);

Deno.test({
  ...named("host sockets across a link", missing),
  fn: async (t) => {
    let peer: Deno.ChildProcess | null = null;
    try {
      for (const line of SETUP) assertEquals(await ip(line), 0, line);
      await run(["ip", "netns", "exec", GUEST, "sh", "-c", PING_GROUPS]);
      peer = await startPeer();
      const sandbox = [...dvisorCommand(), "do", "--network", "host", "--"];
      for (const script of SCRIPTS) {
        const path = `${FOLDER}/${script}.py`;
        await t.step(`native: ${script}`, (t) => judge(t, [], path));
        await t.step(script, (t) => judge(t, sandbox, path));
      }
      for (const script of LOCAL_SCRIPTS) {
        await t.step(script, (t) => judge(t, sandbox, scriptPath(script)));
      }
    } finally {
      await peer?.stdin.close();
      await peer?.status;
      for (const name of [PEER, GUEST]) await ip(`netns del ${name}`);
    }
  },
});
