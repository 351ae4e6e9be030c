/** The ptrace platform before the judge. */

import { runConformance } from "../conformance.ts";
import { createPtracePlatform } from "./ptrace_platform.ts";

runConformance("ptrace", (arena) => createPtracePlatform(arena));
