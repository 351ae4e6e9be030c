/**
 * The supported flags of memory policies and secret memory, with the guest test of
 * each. See flag_set.ts.
 */

import { by, type FlagSet, flagSet } from "./flag_set.ts";

export const PLACEMENT_FLAGS: readonly FlagSet[] = [
  flagSet("memfd_secret", "flags", [
    by("secret_memory.memfd_secret_takes_cloexec_only", "FD_CLOEXEC"),
  ]),
  flagSet("set_mempolicy mbind", "mode", [
    by(
      "memory_policy.modes_that_set_mempolicy_takes",
      `MPOL_DEFAULT MPOL_PREFERRED MPOL_BIND MPOL_INTERLEAVE MPOL_LOCAL MPOL_PREFERRED_MANY
MPOL_WEIGHTED_INTERLEAVE MPOL_F_STATIC_NODES MPOL_F_RELATIVE_NODES MPOL_F_NUMA_BALANCING`,
    ),
  ]),
  flagSet("get_mempolicy", "flags", [
    by(
      "memory_policy.get_mempolicy_returns_the_policy_that_was_set",
      "MPOL_F_NODE MPOL_F_ADDR MPOL_F_MEMS_ALLOWED",
    ),
  ]),
  flagSet("mbind", "flags", [
    by("memory_policy.mbind_and_its_ranges", "MPOL_MF_STRICT MPOL_MF_MOVE"),
    by("memory_policy.calls_that_need_a_capability", "MPOL_MF_MOVE_ALL"),
  ]),
];
