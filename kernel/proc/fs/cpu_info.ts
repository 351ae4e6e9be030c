/**
 * /proc/cpuinfo: one processor's block of the host's file, repeated for the CPUs of the sandbox.
 * The host's file is read before the kernel is confined.
 */

/** A processor with only what x86-64 requires. */
const PLAIN_BLOCK: readonly string[] = [
  "processor\t: 0",
  "vendor_id\t: unknown",
  "cpu family\t: 6",
  "model\t\t: 0",
  "model name\t: x86-64",
  "stepping\t: 0",
  "cpu MHz\t\t: 1000.000",
  "cache size\t: 1024 KB",
  "physical id\t: 0",
  "siblings\t: 1",
  "core id\t\t: 0",
  "cpu cores\t: 1",
  "apicid\t\t: 0",
  "initial apicid\t: 0",
  "fpu\t\t: yes",
  "fpu_exception\t: yes",
  "cpuid level\t: 13",
  "wp\t\t: yes",
  "flags\t\t: fpu tsc msr pae cx8 apic cmov mmx fxsr sse sse2 syscall nx lm",
  "bogomips\t: 2000.00",
  "clflush size\t: 64",
  "cache_alignment\t: 64",
  "address sizes\t: 46 bits physical, 48 bits virtual",
  "power management:",
];

export class CpuInfo {
  /** The lines of one processor. */
  private readonly lines: readonly string[];

  private constructor(lines: readonly string[]) {
    this.lines = lines;
  }

  /** From the text of the host's /proc/cpuinfo; an empty text gives a plain processor. */
  static fromHost(text: string): CpuInfo {
    const block = text.split("\n\n")[0] ?? "";
    const lines = block.split("\n").filter((line) => line.includes(":"));
    return new CpuInfo(lines.some((line) => line.startsWith("processor")) ? lines : PLAIN_BLOCK);
  }

  /** The value of a line ("model name"), or "". */
  value(key: string): string {
    for (const line of this.lines) {
      const colon = line.indexOf(":");
      if (line.slice(0, colon).trimEnd() === key) return line.slice(colon + 1).trim();
    }
    return "";
  }

  /** /proc/cpuinfo of a machine with this many CPUs: one package, a core each. */
  text(cpus: number): string {
    let text = "";
    for (let cpu = 0; cpu < cpus; cpu++) {
      for (const line of this.lines) text += numbered(line, cpu, cpus) + "\n";
      text += "\n";
    }
    return text;
  }
}

/** The line for one CPU, with the fields replaced that count or number CPUs. */
function numbered(line: string, cpu: number, cpus: number): string {
  const colon = line.indexOf(":"), head = line.slice(0, colon + 1);
  switch (line.slice(0, colon).trimEnd()) {
    case "processor":
    case "core id":
    case "apicid":
    case "initial apicid":
      return `${head} ${cpu}`;
    case "physical id":
      return `${head} 0`;
    case "siblings":
    case "cpu cores":
      return `${head} ${cpus}`;
    default:
      return line;
  }
}
