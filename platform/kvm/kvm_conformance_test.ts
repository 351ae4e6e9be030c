/** The kvm platform before the judge, where there is /dev/kvm. */

import { isFull, named } from "../../tests/harness/machine.ts";
import { runConformance } from "../conformance.ts";
import { tryPlatform } from "../registry.ts";
import { createKvmPlatform } from "./kvm_platform.ts";

const problem = isFull
  ? tryPlatform("kvm")
  : "in full only: a wake-up is lost in one run of five, platform/README.md";
if (problem === null) runConformance("kvm", (arena) => createKvmPlatform(arena), false);
else Deno.test({ ...named("kvm: conformance", problem), fn: () => {} });
