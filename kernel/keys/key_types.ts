/**
 * Types of keys: keyrings(7), "Key types". DIFFERS: types of other subsystems (asymmetric, trusted,
 * encrypted, dns_resolver) are absent, as on a kernel without them.
 */

import type { Key } from "./key.ts";

export interface KeyType {
  readonly name: string;
  readonly isKeyring: boolean;
  /** Programs can read the contents. */
  readonly canRead: boolean;
  readonly canUpdate: boolean;
  /** Contents have 1 to this many bytes; 0: there are none. */
  readonly maxBytes: number;
  /** Bytes that contents count for in a quota, whatever their size; -1: their size. */
  readonly quotaBytes: number;
  /** True if the description is valid for the type. */
  names(description: string): boolean;
  detail(key: Key): string;
}

function anyName(): boolean {
  return true;
}
function size(key: Key): string {
  return `: ${key.payload?.length ?? 0}`;
}
function nothing(): string {
  return "";
}

export const KEYRING: KeyType = {
  name: "keyring",
  isKeyring: true,
  canRead: true,
  canUpdate: false,
  maxBytes: 0,
  quotaBytes: 0,
  names: anyName,
  detail: nothing,
};

const USER: KeyType = {
  name: "user",
  isKeyring: false,
  canRead: true,
  canUpdate: true,
  maxBytes: 32767,
  quotaBytes: -1,
  names: anyName,
  detail: size,
};

/**
 * A key that only the kernel reads. Its description begins with the name of a service and a colon.
 */
const LOGON: KeyType = {
  ...USER,
  name: "logon",
  canRead: false,
  names: (description: string) => description.indexOf(":") > 0,
};

const BIG_KEY: KeyType = {
  ...USER,
  name: "big_key",
  maxBytes: 1 << 20,
  quotaBytes: 16,
  detail: (key: Key) => `${size(key)} [${(key.payload?.length ?? 0) > 4096 ? "file" : "buff"}]`,
};

/** The authority to instantiate a key (request_key.ts). Programs cannot make one. */
export const REQUEST_KEY_AUTH: KeyType = {
  name: ".request_key_auth",
  isKeyring: false,
  canRead: true,
  canUpdate: false,
  maxBytes: 4096,
  quotaBytes: 0,
  names: anyName,
  detail: ({ request }: Key) => ` pid:${request?.pid ?? 0} ci:${request?.callout.length ?? 0}`,
};

const TYPES: readonly KeyType[] = [KEYRING, USER, LOGON, BIG_KEY];

/** A type that programs may use; null: unknown name. */
export function keyTypeOf(name: string): KeyType | null {
  return TYPES.find((type) => type.name === name) ?? null;
}

/** The type of a key that has this name. */
export function typeNamed(name: string): KeyType {
  return keyTypeOf(name) ?? REQUEST_KEY_AUTH;
}
