/**
 * /proc/sys/net of one network namespace, for proc/fs/net_settings_dirs.ts. A view: made for one
 * question.
 */

import { CAP_NET_ADMIN } from "../../ffi/abi/capability.ts";
import type { Credentials } from "../cred/credentials.ts";
import type { LinkFamily } from "../proc/fs/link_fields.ts";
import type { NetSettings } from "../proc/fs/source.ts";
import { SysctlStore } from "../proc/fs/sysctl_store.ts";
import { changeSetting, settingsAt } from "./link/link_settings.ts";
import type { NetNamespace } from "./net_namespace.ts";

export class NetSettingsView implements NetSettings {
  private readonly net: NetNamespace;

  constructor(net: NetNamespace) {
    this.net = net;
  }

  get isGone(): boolean {
    return this.net.isGone;
  }
  get isFirst(): boolean {
    return this.net.isInitial;
  }
  get store(): SysctlStore {
    return this.net.settings ?? new SysctlStore();
  }
  isAdministrator(cred: Credentials): boolean {
    return this.net.isCapable(cred, CAP_NET_ADMIN);
  }
  links(): ReadonlyMap<number, string> {
    return new Map(this.net.links.links.map(({ index, name }) => [index, name]));
  }
  read(family: LinkFamily, where: string, name: string): number | null {
    return settingsAt(this.net.links, family, where)?.get(name) ?? null;
  }
  write(family: LinkFamily, where: string, name: string, value: number): number {
    return changeSetting(this.net.links, family, where, name, value);
  }
}
