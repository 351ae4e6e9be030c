/** The systrap platform before the judge. */

import { runConformance } from "../conformance.ts";
import { createSystrapPlatform } from "./systrap.ts";

runConformance("systrap", (arena) => createSystrapPlatform(arena));
