/**
 * dvisor inside of containers without privilege, which runc makes: `do`, and containers with
 * limits. Neighbour: nested_host.ts. docs/nested.md says what such a host leaves of the
 * confinement.
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { describe, type Finished, run } from "../harness/dvisor.ts";
import { lacks, named, noContainers } from "../harness/machine.ts";
import { Bundle, RUNC, shellConfig } from "./bundle.ts";
import { BUNDLE, makeRoot, nestedConfig, type NestedHost, PROGRAM } from "./nested_host.ts";

const HOSTS: readonly NestedHost[] = [
  { name: "Docker, -u 1000 --cap-drop ALL", uid: 1000, hasFilter: true, hasCapabilities: false },
  { name: "Docker, root", uid: 0, hasFilter: true, hasCapabilities: true },
  { name: "Docker, root with --cap-drop ALL", uid: 0, hasFilter: true, hasCapabilities: false },
  { name: "Kubernetes, uid 1000", uid: 1000, hasFilter: false, hasCapabilities: false },
  { name: "Podman, root", uid: 0, hasFilter: false, hasCapabilities: true },
];

const MIB = 1 << 20, TIMEOUT_S = 60;
const lacking = noContainers ?? lacks(["runc"]);

/** Runs a script in a container of runc, in which dvisor has a bundle that runs another script. */
async function runNested(host: NestedHost, script: string, inner: string): Promise<Finished> {
  const dir = Deno.makeTempDirSync({ prefix: "dvisor-nested-" }), bundle = new Bundle();
  try {
    const config = shellConfig(inner);
    config.root["readonly"] = true;
    // A container with another name joins the sandbox of the one of this name.
    config["annotations"] = { "io.kubernetes.cri.sandbox-id": "box" };
    config.linux["resources"] = { memory: { limit: 64 * MIB }, pids: { limit: 9 } };
    bundle.write(config);
    makeRoot(`${dir}/rootfs`);
    const outer = nestedConfig(host, script, bundle.dir);
    Deno.writeTextFileSync(`${dir}/config.json`, JSON.stringify(outer));
    const id = `dvisor-nested-${crypto.randomUUID().slice(0, 8)}`;
    const command = [RUNC ?? "", "--root", `${dir}/state`, "run", "--bundle", dir, id];
    return await run(command, { timeoutS: TIMEOUT_S });
  } finally {
    bundle.remove();
    Deno.removeSync(dir, { recursive: true });
  }
}

for (const host of HOSTS) {
  Deno.test({
    ...named(`in a container of ${host.name}: do runs on systrap, and says nothing`, lacking),
    fn: async () => {
      const inside = "id -u; echo seen >/dev/shm/x; cat /dev/shm/x; exit 3";
      const command = `${PROGRAM} do --platform systrap --panic-on-bug -- sh -c`;
      const result = await runNested(host, `${command} '${inside}'`, "exit 0");
      assertEquals([result.code, result.stderr], [3, ""], describe(result));
      assertEquals(result.stdout, `${host.uid}\nseen\n`);
    },
  });

  Deno.test({
    ...named(`in a container of ${host.name}: run, exec, a pod, and limits`, lacking),
    fn: async () => {
      const dvisor = `${PROGRAM} --root /dev/shm/state`;
      const script = [
        `cd ${BUNDLE}`,
        `${dvisor} run --detach box >/dev/null`,
        `${dvisor} list -q`,
        `${dvisor} exec box sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null'`,
        "echo dd=$?",
        `${dvisor} exec box sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done' 2>/dev/null`,
        "echo forks=$?",
        `${dvisor} exec box ls /sys/class/net`,
        `${dvisor} run --detach more >/dev/null; ${dvisor} list -q`,
        `${dvisor} exec more sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1 2>/dev/null'`,
        "echo dd=$?",
        `${dvisor} delete --force more; ${dvisor} delete --force box; ${dvisor} list -q`,
      ];
      const result = await runNested(host, script.join("\n"), "sleep 60");
      assertEquals(result.stderr, "", describe(result));
      assertEquals(result.stdout, "box\ndd=137\nforks=2\nlo\nbox\nmore\ndd=137\n");
    },
  });
}

Deno.test({
  ...named(
    "without a PID namespace all processes end with the command, or with the Sentry",
    lacking,
  ),
  fn: async () => {
    const ofSandbox = (name: string) => `grep -lsx '${name}' /proc/[0-9]*/comm`;
    const script = [
      `start() { ${PROGRAM} do -- sleep 1000 2>/dev/null & }`,
      `isThere() { ${ofSandbox("dvisor-stub")} >/dev/null; }`,
      `await() { until isThere; do sleep 0.05; done; sleep 0.3; }`,
      `gone() { while ${ofSandbox("dvisor.*")} >/dev/null; do sleep 0.05; done; echo $1; }`,
      "start; await; kill -9 $!; gone command",
      "start; await",
      "sentry=$(grep -lszx '[b]oot' /proc/[0-9]*/cmdline | cut -d/ -f3)",
      "kill -9 $sentry; gone sentry",
    ];
    const [docker] = HOSTS;
    assert(docker !== undefined);
    const result = await runNested(docker, script.join("\n"), "exit 0");
    assertEquals(result.stdout, "command\nsentry\n", describe(result));
  },
});

Deno.test({
  ...named("doctor says what a container takes of the confinement", lacking),
  fn: async () => {
    for (const host of HOSTS.filter(({ hasFilter }) => hasFilter)) {
      const result = await runNested(host, `${PROGRAM} doctor`, "exit 0");
      assertMatch(result.stdout, /^confinement +no +no namespaces/m, describe(result));
    }
  },
});

Deno.test({
  ...named("what a container takes of the confinement is an error with --require-sandbox", lacking),
  fn: async () => {
    for (const host of HOSTS) {
      const script = `${PROGRAM} do --require-sandbox -- true`;
      const result = await runNested(host, script, "exit 0");
      assertEquals(result.code, 1, describe(result));
      assertMatch(result.stderr, /the host does not permit the whole confinement/);
    }
  },
});
