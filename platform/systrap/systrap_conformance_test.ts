/** The conformance tests on the systrap platform. */

import { runConformance } from "../conformance.ts";
import { createSystrapPlatform } from "./systrap.ts";

runConformance("systrap", (arena) => createSystrapPlatform(arena));
