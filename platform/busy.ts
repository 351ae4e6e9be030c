/** Whether a host has so much to do that measuring would say little about its platforms. Apart, for whoever only asks that. */

export function isHostBusy(): boolean {
  return Deno.loadavg()[0]! >= navigator.hardwareConcurrency;
}
