/** The conformance tests on the kvm platform, where there is /dev/kvm. */

import { named } from "../../tests/harness/machine.ts";
import { runConformance } from "../conformance.ts";
import { tryPlatform } from "../select/registry.ts";
import { createKvmPlatform } from "./kvm_platform.ts";

const problem = tryPlatform("kvm");
if (problem === null) runConformance("kvm", (arena) => createKvmPlatform(arena), false);
else Deno.test({ ...named("kvm: conformance", problem), fn: () => {} });
