/**
 * SO_BINDTODEVICE and SO_BINDTOIFINDEX of socket(7): the one link by which a socket sends and
 * receives. The link of an arriving packet: link/reach.ts.
 */

import { EINVAL, ENODEV, EPERM } from "../../ffi/abi/errno.ts";
import { CAP_NET_RAW } from "../../ffi/abi/capability.ts";
import { IFNAMSIZ } from "../../ffi/abi/inet.ts";
import { arrivalIndex } from "./link/reach.ts";
import type { SocketCaller } from "./message.ts";
import type { Socket } from "./socket.ts";
import type { OptionValue } from "./socket_options.ts";

/** Binds to a link by name; a longer name is cut, an empty one means no link. */
export function bindToDevice(caller: SocketCaller, socket: Socket, value: OptionValue): number {
  let name = "";
  for (let i = 0; i < Math.min(value.length, IFNAMSIZ - 1) && value.u8[i] !== 0; i++) {
    name += String.fromCharCode(value.u8[i]!);
  }
  const index = name === "" ? 0 : indexOf(socket, name);
  return index < 0 ? index : bindTo(caller, socket, index);
}

/** Binds to a link by index, which need not exist. */
export function bindToIndex(caller: SocketCaller, socket: Socket, index: number): number {
  return index < 0 ? -EINVAL : bindTo(caller, socket, index);
}

/** A socket that is bound to a link needs a capability to change it. */
function bindTo(caller: SocketCaller, { options, net }: Socket, index: number): number {
  if (options.deviceIndex !== 0 && !net.isCapable(caller.cred, CAP_NET_RAW)) return -EPERM;
  options.deviceIndex = index;
  return 0;
}

function indexOf({ net }: Socket, name: string): number {
  const device = net.transport.devices().find((d) => d.name === name);
  return device?.index ?? -ENODEV;
}

/** Whether packets between these addresses come by the link that the socket is bound to. */
export function comesByDevice({ options, net }: Socket, from: string, to: string): boolean {
  return options.deviceIndex === 0 || options.deviceIndex === arrivalIndex(net, from, to);
}

/** SO_BINDTODEVICE. */
export function getDevice({ options, net }: Socket, value: OptionValue): number {
  const { deviceIndex } = options, room = value.length;
  value.length = 0;
  if (deviceIndex === 0) return 0;
  if (room < IFNAMSIZ) return -EINVAL;
  const device = net.transport.devices().find((d) => d.index === deviceIndex);
  if (device === undefined) return -ENODEV;
  const { name } = device;
  for (let i = 0; i < name.length; i++) value.u8[i] = name.charCodeAt(i);
  value.u8[name.length] = 0;
  value.length = name.length + 1;
  return 0;
}
