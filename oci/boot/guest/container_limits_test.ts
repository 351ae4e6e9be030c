import { assertEquals } from "@std/assert";
import { Container } from "../../../kernel/task/container.ts";
import { noLimits } from "../../../kernel/cgroup/fs/limits.ts";
import { LabKernel } from "../../../kernel/testing/task_lab.ts";
import { limitsOf } from "../../container/rootfs_plan.ts";
import { JsonNode } from "../../json_node.ts";
import { readResources } from "../../spec/resources_section.ts";
import { keepLimits } from "./container_limits.ts";

Deno.test("a container has the weight and the tasks of linux.resources", () => {
  const lab = new LabKernel(), { fs, ns } = lab.start();
  const container = new Container("c", lab.pids, fs.namespace, ns, lab.accounts.open());
  const keep = (resources: object, hasHostThreads: boolean) => {
    const node = new JsonNode("config.json", "linux.resources", resources);
    keepLimits(container, { ...noLimits(), ...limitsOf(readResources(node)) }, hasHostThreads);
    const { turnWeight, tasksMax, hostThreadsMax } = container;
    return [turnWeight, tasksMax, hostThreadsMax];
  };
  assertEquals(keep({}, false), [100, Infinity, Infinity]);
  assertEquals(keep({ cpu: { shares: 262_144 }, pids: { limit: 5 } }, false), [
    10_000,
    5,
    Infinity,
  ]);
  assertEquals(keep({ cpu: { shares: 2 }, pids: { limit: 100 } }, true), [1, 100, 76]);
  assertEquals(keep({ unified: { "cpu.weight": "250" } }, true), [250, Infinity, Infinity]);
  lab.close();
});
