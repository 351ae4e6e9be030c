/**
 * What the walks of the tests know of the classes that they may meet: kernel/snapshot/fates.ts, the
 * language's own, and the hosts of the tests.
 */

import { type Fate, FATES } from "../../kernel/snapshot/fates.ts";

/** Made by the language, not by a class of the kernel. */
export const LANGUAGE: readonly string[] = (`
  Array ArrayBuffer DataView Float64Array Int32Array Map Object Set Uint16Array Uint32Array
  Uint8Array
`).trim().split(/\s+/);

/** The platforms and hosts that tests give to a kernel. */
const TEST_HOSTS =
  "FakeContext FakePlatform FakeSpace SimContext SimHost SimPlatform SimSpace IoHost";

export const REGISTRY: ReadonlyMap<string, Fate> = new Map([
  ...LANGUAGE.map((name): [string, Fate] => [name, "state"]),
  ...FATES,
  ...TEST_HOSTS.split(" ").map((name): [string, Fate] => [name, "host"]),
]);
