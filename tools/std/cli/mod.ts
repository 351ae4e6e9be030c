/**
 * Stand-in for `jsr:@std/cli` on machines that cannot reach JSR: `parseArgs`, with the same
 * signature and behaviour. Not a copy and not the whole package.
 */

export { parseArgs } from "./parse_args.ts";
export type { Args, ParseOptions } from "./types.ts";
