/** The conformance tests on the ptrace platform. */

import { runConformance } from "../conformance.ts";
import { createPtracePlatform } from "./ptrace_platform.ts";

runConformance("ptrace", (arena) => createPtracePlatform(arena));
