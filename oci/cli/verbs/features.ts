/**
 * `dvisor features`: the features of this runtime as JSON (runtime-spec, features.md). Clients read
 * it before they make containers. config.json is refused if it uses a feature that is not listed.
 */

import { CAPABILITY_NAMES } from "../../../ffi/abi/capability.ts";
import { MOUNT_OPTIONS } from "../../protocol/mount_options.ts";
import { HOOK_KINDS } from "../../spec/hooks_section.ts";
import { NAMESPACE_TYPES } from "../../spec/linux_section.ts";
import { SECCOMP_NAMES } from "../../spec/seccomp_section.ts";
import { COMMIT, OCI_VERSION, VERSION } from "../../version.ts";
import { EXIT_FAILURE } from "../../user_error.ts";
import { defineCommand } from "../command.ts";

const OCI_VERSION_MIN = "1.0.0";

/**
 * Supported and not listed: clients that find `rro` here use it instead of `ro`, which does the
 * same.
 */
const UNCLAIMED_OPTIONS = ["rro"];

export const command = defineCommand({
  name: "features",
  summary: "show the features of this runtime, as JSON",
  usage: [""],
  description:
    "Prints the features of this runtime as JSON (OCI runtime specification, features.md).",
  options: {},
  isGoStyle: true,
  failureCode: EXIT_FAILURE,
  run() {
    console.log(JSON.stringify(features(), null, 2));
    return 0;
  },
});

export function features(): object {
  return {
    ociVersionMin: OCI_VERSION_MIN,
    ociVersionMax: OCI_VERSION,
    hooks: HOOK_KINDS,
    mountOptions: MOUNT_OPTIONS.filter((option) => !UNCLAIMED_OPTIONS.includes(option)),
    linux: {
      namespaces: [...NAMESPACE_TYPES].sort(),
      capabilities: CAPABILITY_NAMES,
      cgroup: { v1: true, v2: true, systemd: true, systemdUser: true, rdma: true },
      seccomp: {
        enabled: true,
        actions: [...SECCOMP_NAMES.actions].sort(),
        operators: [...SECCOMP_NAMES.operators].sort(),
        archs: [...SECCOMP_NAMES.architectures].sort(),
        knownFlags: [...SECCOMP_NAMES.flags].sort(),
        supportedFlags: [...SECCOMP_NAMES.flags].sort(),
      },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: true } },
    },
    annotations: {
      "dev.dvisor.version": VERSION,
      "dev.dvisor.commit": COMMIT,
      "org.opencontainers.runc.checkpoint.enabled": "true",
    },
    potentiallyUnsafeConfigAnnotations: ["dev.dvisor."],
  };
}
