/** `dvisor doctor`: what this host offers to a sandbox. */

import { close } from "../../../ffi/sys/files.ts";
import { openDevice } from "../../../platform/kvm/device.ts";
import { findBest } from "../../../platform/select/choice.ts";
import {
  type Finding,
  type HostOffer,
  inspectHost,
  type Preference,
} from "../../../platform/select/host_offer.ts";
import { type NamespacePower, namespacePower } from "../../host/privileges.ts";
import { planPlatform } from "../../launch/platform_plan.ts";
import { processorLacks } from "../../launch/processor_isolation.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { VERSION } from "../../version.ts";
import { defineCommand } from "../command.ts";
import { DOCTOR } from "../kernel_verbs.ts";

export const command = defineCommand({
  ...DOCTOR,
  run(flags) {
    const platforms = inspectHost(preference());
    const findings = [...platforms.findings, ...processorFindings(), confinementFinding()];
    const offer = { ...platforms, findings };
    console.log(flags.options.json ? JSON.stringify(offer, null, 2) : report(offer));
    return offer.platform === null ? EXIT_FAILURE : 0;
  },
});

/** What `do` asks for; where `do` would measure and remember, this does. */
function preference(): Preference {
  const device = tryOpenDevice();
  try {
    const plan = planPlatform(device >= 0), { why } = plan;
    if (plan.kind !== "measure") return { best: plan.kind === "kvm" ? "kvm" : null, why };
    const best = findBest(device, () => {});
    if (best === null) return { best, why: "two measurements differ, so nothing is remembered" };
    plan.memory.remember(best);
    return { best, why };
  } finally {
    if (device >= 0) close(device);
  }
}

function tryOpenDevice(): number {
  try {
    return openDevice();
  } catch {
    return -1;
  }
}

/** The support of this host for `--speculation` and `--core-scheduling`. */
function processorFindings(): Finding[] {
  const { speculation, coreScheduling } = processorLacks();
  const finding = (name: string, lack: string, has: string): Finding => (
    { name, isThere: lack === "", detail: lack === "" ? has : lack }
  );
  return [
    finding("speculation", speculation, "--speculation=strict has every control that it needs"),
    finding("core scheduling", coreScheduling, "sandboxes have a cookie each"),
  ];
}

/** What docs/nested.md says at length. */
const CONFINEMENTS: Readonly<Record<NamespacePower, string>> = {
  full: "filters of calls, and namespaces for each process",
  users: "filters of calls, and namespaces; the file server of do has Landlock in their place",
  none: "no namespaces can be made: filters of calls and Landlock alone",
};

function confinementFinding(): Finding {
  const power = namespacePower();
  return { name: "confinement", isThere: power !== "none", detail: CONFINEMENTS[power] };
}

function report(offer: HostOffer): string {
  const rows = [
    ["dvisor", "", `${VERSION} on Deno ${Deno.version.deno}, V8 ${Deno.version.v8}`],
    ["host", "", `Linux ${Deno.osRelease()} on ${Deno.build.arch}`],
    ...offer.findings.map((f) => [f.name, f.isThere ? "yes" : "no", f.detail]),
  ];
  const width = Math.max(...rows.map(([name = ""]) => name.length));
  const lines = rows.map(([name = "", is = "", detail = ""]) =>
    `${name.padEnd(width)}  ${is.padEnd(3)}  ${detail}`
  );
  const choice = offer.platform === null
    ? `No sandbox can run here: ${offer.reason}.`
    : `dvisor do takes ${offer.platform}: ${offer.reason}.`;
  return `${lines.join("\n")}\n\n${choice}`;
}
