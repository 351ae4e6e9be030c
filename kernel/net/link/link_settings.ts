/**
 * Values of the settings of links: /proc/sys/net/ipv4/conf and ipv6/conf. What else changes with one is in
 * change_setting.ts.
 */

import { LINK_FIELDS, type LinkFamily } from "../../proc/fs/link_fields.ts";

/** Those of one link, or of all, or of links to come. */
export class LinkSettings {
  readonly family: LinkFamily;
  readonly #values: Map<string, number> = new Map();
  /** Whose values count where it has none of its own. */
  #followed: LinkSettings | null;

  constructor(family: LinkFamily, followed: LinkSettings | null = null) {
    this.family = family;
    this.#followed = followed;
  }

  get(name: string): number {
    return this.#values.get(name) ?? this.#followed?.get(name) ??
      LINK_FIELDS[this.family].get(name)?.value ?? 0;
  }

  set(name: string, value: number): void {
    this.#values.set(name, value);
  }

  /** Nothing changes any more with those that it followed. */
  settle(): void {
    for (const name of LINK_FIELDS[this.family].keys()) this.#values.set(name, this.get(name));
    this.#followed = null;
  }

  /** Takes over what another one has. */
  copy(from: LinkSettings): void {
    for (const name of LINK_FIELDS[this.family].keys()) this.#values.set(name, from.get(name));
  }
}

/** Those of a namespace. */
export class FamilySettings {
  readonly family: LinkFamily;
  readonly all: LinkSettings;
  /** What new links have. */
  readonly forNew: LinkSettings;

  constructor(family: LinkFamily) {
    this.family = family;
    this.all = new LinkSettings(family);
    this.forNew = new LinkSettings(family);
    for (const [name, { ofAll }] of LINK_FIELDS[family]) {
      if (ofAll !== undefined) this.all.set(name, ofAll);
    }
  }

  /** Of a new link. IPv4 follows the values for new links until the link has an address, IPv6 does not. */
  ofLink(isLoopback: boolean, mtu: number): LinkSettings {
    const settings = new LinkSettings(this.family, this.forNew);
    if (isLoopback) {
      for (const [name, { ofLo }] of LINK_FIELDS[this.family]) {
        if (ofLo !== undefined) settings.set(name, ofLo);
      }
    }
    if (this.family === "ipv6") {
      settings.set("mtu", mtu);
      settings.settle();
    }
    return settings;
  }

  /** As in the namespace that was first. */
  inherit(from: FamilySettings): void {
    this.all.copy(from.all);
    this.forNew.copy(from.forNew);
  }
}

/** The greater of what all links and this one have (IN_DEV_MAXCONF of Linux). */
export function greater(all: LinkSettings, one: LinkSettings, name: string): number {
  return Math.max(all.get(name), one.get(name));
}
