/**
 * Stand-in for `jsr:@std/path` on machines that cannot reach JSR: the POSIX functions this project
 * uses, with the same signatures and behaviour. Not a copy, not the whole package, no Windows.
 */

export { basename, dirname, extname, isAbsolute, SEPARATOR, SEPARATOR_PATTERN } from "./parts.ts";
export { join, normalize, relative, resolve } from "./combine.ts";
export { fromFileUrl, toFileUrl } from "./file_url.ts";
