/** Delivery of a broadcast or multicast frame: the links it passes, and the stations it reaches. */

import type { Link } from "./link.ts";
import type { Crossing } from "./reach.ts";

/** LIMIT: links that one frame passes. */
export const CROSSINGS_MAX = 4096;

/** The way of one frame. */
interface Flood {
  readonly crossed: readonly Crossing[];
  /** The links that receive the frame. The sending station is among them only for a loopback. */
  readonly stations: readonly Link[];
}

/** Follows a frame that leaves by `link`, which is up. */
export function flood(link: Link): Flood {
  const crossed: Crossing[] = [], stations: Link[] = [];
  const outgoing: Link[] = [link], seen = new Set<Link>();
  for (let out = outgoing.pop(); out !== undefined; out = outgoing.pop()) {
    if (seen.has(out) || seen.size > CROSSINGS_MAX) continue;
    seen.add(out);
    crossed.push({ link: out, isIncoming: false });
    if (out.kind === "bridge") { for (const port of openPorts(out, null)) outgoing.push(port); }
    const far = out.kind === "loopback" ? out : out.peer;
    if (far === null || !far.isUp) continue;
    crossed.push({ link: far, isIncoming: true });
    const bridge = far.master;
    if (bridge === null) stations.push(far);
    else if (bridge.isUp) {
      crossed.push({ link: bridge, isIncoming: true });
      stations.push(bridge);
      for (const port of openPorts(bridge, far)) outgoing.push(port);
    }
  }
  return { crossed, stations };
}

/** The ports of a bridge by which it forwards frames. */
export function openPorts(bridge: Link, but: Link | null): Link[] {
  return bridge.ports.filter((port) => port.isUp && port !== but);
}
