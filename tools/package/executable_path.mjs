/**
 * A module of the package with the executable, for the library from JSR: it cannot ask where a
 * package of npm lies.
 */

import { fileURLToPath } from "node:url";

/** The path of the executable. */
export const path = fileURLToPath(new URL("./dvisor", import.meta.url));
