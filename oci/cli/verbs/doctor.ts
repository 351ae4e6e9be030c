/** `dvisor doctor`: what this host offers to a sandbox. */

import { type Finding, type HostOffer, inspectHost } from "../../../platform/select/host_offer.ts";
import { processorLacks } from "../../launch/processor_isolation.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { VERSION } from "../../version.ts";
import { defineCommand } from "../command.ts";
import { DOCTOR } from "../kernel_verbs.ts";

export const command = defineCommand({
  ...DOCTOR,
  run(flags) {
    const platforms = inspectHost();
    const offer = { ...platforms, findings: [...platforms.findings, ...processorFindings()] };
    console.log(flags.options.json ? JSON.stringify(offer, null, 2) : report(offer));
    return offer.platform === null ? EXIT_FAILURE : 0;
  },
});

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
    : `Sandboxes run on ${offer.platform}: ${offer.reason}.`;
  return `${lines.join("\n")}\n\n${choice}`;
}
