/** Imports each package of `@std` once: what `provide.ts` lets Deno fetch. */

import "@std/assert";
import "@std/cli";
import "@std/encoding";
import "@std/path";
