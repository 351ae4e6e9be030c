/**
 * Stand-in for `jsr:@std/encoding` on machines that cannot reach JSR: hex and base64, with the
 * same signatures and behaviour. Not a copy and not the whole package.
 */

export { decodeBase64, encodeBase64 } from "./base64.ts";
export { decodeHex, encodeHex } from "./hex.ts";
