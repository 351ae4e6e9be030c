import { assertEquals, assertThrows } from "@std/assert";
import { JsonNode } from "../../json_node.ts";
import { readResources } from "../../spec/resources_section.ts";
import { UserError } from "../../user_error.ts";
import { cpuWeight, ioWeight, swapLimit } from "./v1_to_v2.ts";
import { limitsOf } from "./limits.ts";
import { applyV2, neededV2 } from "./v2_resources.ts";

const FILES = [
  "memory.max",
  "memory.low",
  "memory.swap.max",
  "cpu.max",
  "cpu.max.burst",
  "cpu.weight",
  "cpu.idle",
  "cpuset.cpus",
  "cpuset.mems",
  "pids.max",
  "io.max",
  "io.weight",
  "hugetlb.2MB.max",
  "rdma.max",
  "memory.high",
];

function limits(value: unknown) {
  return limitsOf(readResources(new JsonNode("config.json", "linux.resources", value)));
}

/** The contents of a group's files, which are plain files here, after limits are written. */
function written(value: unknown, preset: Record<string, string> = {}): Record<string, string> {
  const dir = Deno.makeTempDirSync();
  try {
    for (const name of FILES) Deno.writeTextFileSync(`${dir}/${name}`, preset[name] ?? "");
    applyV2(dir, limits(value));
    const all = FILES.map((name) => [name, Deno.readTextFileSync(`${dir}/${name}`)] as const);
    return Object.fromEntries(all.filter(([name, text]) => text !== (preset[name] ?? "")));
  } finally {
    Deno.removeSync(dir, { recursive: true });
  }
}

Deno.test("numbers of v1 become those of v2", () => {
  assertEquals(
    written({
      memory: { limit: 1000, swap: 1500, reservation: 500 },
      cpu: { shares: 1024, quota: 50_000, period: 100_000, burst: 7, cpus: "0-1", mems: "0" },
      pids: { limit: 10 },
      blockIO: { weight: 500, throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 9 }] },
      hugepageLimits: [{ pageSize: "2MB", limit: 4096 }],
      rdma: { mlx5_1: { hcaHandles: 3, hcaObjects: 10000 } },
      unified: { "memory.high": "12345" },
    }),
    {
      "memory.max": "1000",
      "memory.low": "500",
      "memory.swap.max": "500",
      "cpu.max": "50000 100000",
      "cpu.max.burst": "7",
      "cpu.weight": "100",
      "cpuset.cpus": "0-1",
      "cpuset.mems": "0",
      "pids.max": "10",
      "io.max": "8:0 rbps=9",
      "io.weight": "default 4950",
      "hugetlb.2MB.max": "4096",
      "rdma.max": "mlx5_1 hca_handle=3 hca_object=10000",
      "memory.high": "12345",
    },
  );
});

Deno.test("-1 is no limit; 0 and absent keep the present limit", () => {
  assertEquals(written({ memory: { limit: -1 }, pids: { limit: -1 }, cpu: { quota: -1 } }), {
    "memory.max": "max",
    "memory.swap.max": "max",
    "pids.max": "max",
    "cpu.max": "max 100000",
  });
  assertEquals(written({ memory: { limit: 0 }, pids: { limit: 0 }, cpu: {} }), {});
});

Deno.test("a period alone leaves the quota, a quota alone the period", () => {
  const preset = { "cpu.max": "5000 20000" };
  assertEquals(written({ cpu: { period: 40_000 } }, preset), { "cpu.max": "5000 40000" });
  assertEquals(written({ cpu: { quota: 7000 } }, preset), { "cpu.max": "7000 20000" });
});

Deno.test("a resource that version 2 lacks is an error that names it", () => {
  const cases: [unknown, string][] = [
    [{ memory: { swappiness: 10 } }, "memory.swappiness"],
    [{ memory: { disableOOMKiller: true } }, "memory.disableOOMKiller"],
    [{ cpu: { realtimeRuntime: 5 } }, "cpu.realtimeRuntime"],
    [{ network: { classID: 5 } }, "network.classID"],
    [{ network: { priorities: [{ name: "eth0", priority: 1 }] } }, "network.priorities"],
    [{ blockIO: { leafWeight: 20 } }, "blockIO.leafWeight"],
    [{ unified: { "no.such": "1" } }, "no.such"],
    [{ memory: { swap: 5 } }, "memory.swap"],
    [{ memory: { limit: 10, swap: 5 } }, "memory.swap"],
  ];
  for (const [value, name] of cases) assertThrows(() => written(value), UserError, name);
});

Deno.test("the controllers that limits need", () => {
  assertEquals(neededV2(limits({ memory: { limit: 5 }, pids: { limit: 5 } })), ["memory", "pids"]);
  assertEquals(neededV2(limits({ unified: { "io.max": "8:0 rbps=1", "cgroup.freeze": "0" } })), [
    "io",
  ]);
  assertEquals(neededV2(limits({ devices: [{ allow: false }] })), []);
});

Deno.test("shares and weights keep both ends and the default", () => {
  assertEquals([0, 1, 2, 1024, 262_144, 2 ** 40].map(cpuWeight), [0, 1, 1, 100, 10_000, 10_000]);
  assertEquals(cpuWeight(512), 59);
  for (let shares = 3; shares < 262_144; shares *= 2) {
    const weight = cpuWeight(shares);
    if (!(weight >= 1 && weight <= 10_000 && weight <= cpuWeight(2 * shares))) {
      throw new Error(`${shares} -> ${weight}`);
    }
  }
  assertEquals([0, 10, 500, 1000].map(ioWeight), [0, 1, 4950, 10_000]);
});

Deno.test("swap alone is the sum less memory", () => {
  assertEquals(swapLimit(300, 100), 200);
  assertEquals(swapLimit(-1, 100), -1);
  assertEquals(swapLimit(0, 100), 0);
  assertEquals(swapLimit(0, -1), -1);
});
