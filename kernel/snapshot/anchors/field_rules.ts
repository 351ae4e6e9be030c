/** What the lists of fields with rules are made of (made_fields.ts and its neighbours). */

import type { Account } from "../../core/account.ts";
import type { Quota } from "../../core/quota.ts";
import type { FrameAllocator } from "../../mm/frames.ts";
import type { FieldRule } from "../graph/class_row.ts";
import { Refusal } from "../graph/graph_error.ts";

/** The value at a path of fields of the object. */
export function at(path: string): FieldRule {
  const keys = path.split(".");
  return { make: (object) => keys.reduce<unknown>((held, key) => member(held, key), object) };
}

function member(object: unknown, key: string): unknown {
  if (typeof object !== "object" || object === null) throw new TypeError(`nothing has ${key}`);
  return Reflect.get(object, key);
}

export function fresh(make: () => object): FieldRule {
  return { make };
}

/** @param make of an object of the class that declares the field */
export function made<T extends object>(make: (owner: T) => unknown): FieldRule {
  return { make: (owner) => make(owner as T) };
}

/** Charges of objects that are left out, which a copy gives back: `save` has their accounts. */
export function givesBack(
  quota: Quota,
  accountsOf: (owner: object) => readonly Account[],
  make: (owner: object) => unknown,
): FieldRule {
  return {
    save: accountsOf,
    make(owner, _host, saved) {
      if (!Array.isArray(saved)) throw new TypeError("no list of accounts");
      for (const account of saved) quota.give(1, account);
      return make(owner);
    },
  };
}

/** A number of objects that are left out, and that are charged to the account of their owner. */
export function uncharged(field: string, quota: Quota): FieldRule {
  return {
    save: (owner) => Reflect.get(owner, field),
    make(owner, _host, count) {
      quota.give(count as number, Reflect.get(owner, "account"));
      return 0;
    },
  };
}

export const NONE = { value: null } as const;
export const ZERO = { value: 0 } as const;
export const NO_FRAME = { value: -1 } as const;

/** Rules of fields, for objects of a class and of those that extend it. */
export interface MadeFields {
  readonly made: { readonly prototype: object };
  readonly fields: Readonly<Record<string, FieldRule>>;
}

/** @returns arena offset of a page that the kernel works with */
export function scratchPage(frames: FrameAllocator): number {
  const off = frames.alloc(1);
  if (off < 0) throw new Refusal("there is no memory for a page of the kernel");
  return off;
}
