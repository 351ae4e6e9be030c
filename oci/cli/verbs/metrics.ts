/** `dvisor metrics`: numbers of all containers in the text format of Prometheus. */

import { ContainerCgroup } from "../../launch/cgroup/container_cgroup.ts";
import { findContainer, type FoundContainer } from "../../container/found_container.ts";
import type { ContainerStats } from "../../protocol/control_protocol.ts";
import { UserError } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

interface Metric {
  readonly name: string;
  readonly help: string;
  readonly kind: "gauge" | "counter";
  /** null if the number is not known for this container. */
  value(sample: Sample): number | null;
}

interface Sample {
  readonly found: FoundContainer;
  /** null if the container does not run. */
  readonly stats: ContainerStats | null;
  readonly cgroup: ContainerCgroup | null;
}

const METRICS: readonly Metric[] = [
  {
    name: "dvisor_container_running",
    help: "1 while the container runs or is paused.",
    kind: "gauge",
    value: ({ found: { status } }) => status === "running" || status === "paused" ? 1 : 0,
  },
  {
    name: "dvisor_container_processes",
    help: "Processes of the guest.",
    kind: "gauge",
    value: ({ stats }) => stats?.processes ?? null,
  },
  {
    name: "dvisor_container_threads",
    help: "Threads of the guest.",
    kind: "gauge",
    value: ({ stats }) => stats?.threads ?? null,
  },
  {
    name: "dvisor_container_cpu_seconds_total",
    help: "CPU time of the guest as its kernel counts it.",
    kind: "counter",
    value: ({ stats }) => stats === null ? null : stats.cpuNs / 1e9,
  },
  {
    name: "dvisor_sandbox_guest_memory_bytes",
    help: "Memory of all guests of the container's sandbox.",
    kind: "gauge",
    value: ({ stats }) => stats?.memoryBytes ?? null,
  },
  {
    name: "dvisor_sandbox_syscalls_total",
    help: "System calls that the container's sandbox has served.",
    kind: "counter",
    value: ({ stats }) => stats?.syscalls ?? null,
  },
  {
    name: "dvisor_sandbox_contained_bugs_total",
    help: "Bugs in the kernel of the container's sandbox that ended one process each.",
    kind: "counter",
    value: ({ stats }) => stats?.containedBugs ?? null,
  },
  {
    name: "dvisor_container_host_memory_bytes",
    help: "What the host counts against the memory limit of the container's control group.",
    kind: "gauge",
    value: ({ cgroup }) => cgroup === null ? null : cgroup.memoryUsage(),
  },
  {
    name: "dvisor_container_oom_kills_total",
    help: "Processes that the host's OOM killer took from the container.",
    kind: "counter",
    value: ({ cgroup }) => cgroup === null ? null : cgroup.oomCount(),
  },
];

export const command = defineCommand({
  name: "metrics",
  summary: "show numbers of all containers for Prometheus",
  usage: [""],
  description: "Prints numbers of all containers in the text format of Prometheus.",
  options: {},
  isGoStyle: true,
  run(_flags, globals) {
    const { store } = globals;
    const samples = store.list().map((record) => sampleOf(findContainer(store, record.id)));
    console.log(METRICS.map((metric) => metricText(metric, samples)).join("\n"));
    return 0;
  },
});

function sampleOf(found: FoundContainer): Sample {
  const { id, cgroup } = found.record;
  const group = cgroup === null ? null : ContainerCgroup.load(cgroup);
  if (found.status !== "running" && found.status !== "paused") {
    return { found, stats: null, cgroup: group };
  }
  try {
    return { found, stats: found.ask({ op: "stats", id }).stats, cgroup: group };
  } catch (error) {
    // The container may have ended meanwhile.
    if (error instanceof UserError) return { found, stats: null, cgroup: group };
    throw error;
  }
}

function metricText(metric: Metric, samples: readonly Sample[]): string {
  const lines = [`# HELP ${metric.name} ${metric.help}`, `# TYPE ${metric.name} ${metric.kind}`];
  for (const sample of samples) {
    const value = valueOf(metric, sample);
    if (value === null) continue;
    const { id, sandboxId } = sample.found.record;
    lines.push(`${metric.name}{id=${label(id)},sandbox=${label(sandboxId)}} ${value}`);
  }
  return lines.join("\n");
}

/** A control group that is removed meanwhile has no numbers. */
function valueOf(metric: Metric, sample: Sample): number | null {
  try {
    return metric.value(sample);
  } catch (error) {
    if (error instanceof UserError) return null;
    throw error;
  }
}

function label(text: string): string {
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n")}"`;
}
