/**
 * `dvisor features`: what this runtime can do, as JSON (runtime-spec, features.md). Clients ask before they make
 * containers. What is not in a list here is refused in config.json.
 */

import { CAPABILITY_NAMES } from "../../ffi/abi/capability.ts";
import { readFlags, refuseRest } from "../flags.ts";
import { MOUNT_OPTIONS } from "../sandbox/mount_options.ts";
import { HOOK_KINDS } from "../spec/hooks_section.ts";
import { NAMESPACE_TYPES } from "../spec/linux_section.ts";
import { COMMIT, OCI_VERSION, VERSION } from "../version.ts";
import type { Command } from "./command.ts";

const OCI_VERSION_MIN = "1.0.0";

/** Known, and not claimed: clients that see `rro` here use it in the place of `ro`, which does the same. */
const UNCLAIMED_OPTIONS = ["rro"];

const SECCOMP_ACTIONS = [
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_LOG",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_TRAP",
];
const SECCOMP_OPERATORS = ["EQ", "GE", "GT", "LE", "LT", "MASKED_EQ", "NE"]
  .map((name) => `SCMP_CMP_${name}`);

export const command: Command = {
  help: `Usage: dvisor features

Prints what this runtime can do as JSON (OCI runtime specification, features.md).`,
  run(args) {
    refuseRest(readFlags(args, { go: {} }));
    console.log(JSON.stringify(features(), null, 2));
    return 0;
  },
};

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
        actions: SECCOMP_ACTIONS,
        operators: SECCOMP_OPERATORS,
        archs: ["SCMP_ARCH_X86_64"],
        knownFlags: [
          "SECCOMP_FILTER_FLAG_LOG",
          "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
          "SECCOMP_FILTER_FLAG_TSYNC",
        ],
        supportedFlags: [
          "SECCOMP_FILTER_FLAG_LOG",
          "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
          "SECCOMP_FILTER_FLAG_TSYNC",
        ],
      },
      apparmor: { enabled: false },
      selinux: { enabled: false },
      intelRdt: { enabled: false },
      mountExtensions: { idmap: { enabled: false } },
    },
    annotations: {
      "dev.dvisor.version": VERSION,
      "dev.dvisor.commit": COMMIT,
      "org.opencontainers.runc.checkpoint.enabled": "false",
    },
    potentiallyUnsafeConfigAnnotations: ["dev.dvisor."],
  };
}
