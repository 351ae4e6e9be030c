/**
 * Sockets of the host. A copy gets new ones: bound, listening and connected (datagrams) as before.
 * What a connection to a program outside has under way is not in a snapshot, so connections are
 * refused, or ended in the copy as by a reset.
 */

import { HostDescriptors } from "../../core/host_descriptors.ts";
import { HOST_SOCKETS } from "../../core/quota.ts";
import { HostSocket } from "../../net/host/host_socket.ts";
import { HostTransport } from "../../net/host/host_transport.ts";
import { NetNamespace } from "../../net/net_namespace.ts";
import type { Transport } from "../../net/transport.ts";
import { HostEnd } from "../../net/unix/host_end.ts";
import { UnixStream } from "../../net/unix/stream.ts";
import { UnixSocket } from "../../net/unix/unix_socket.ts";
import type { ConvertedField, CopyPurpose, FieldRule } from "../graph/class_row.ts";
import { Refusal } from "../graph/graph_error.ts";
import type { MadeFields } from "./field_rules.ts";
import { describeKept, keepSocket, type KeptSocket, remakeSocket } from "./kept_socket.ts";
import type { Surroundings } from "./surroundings.ts";

/** Stages of fields: what a namespace has comes before its sockets, and they before their ends. */
const STAGE_TRANSPORTS = 1, STAGE_CHOSEN = 2, STAGE_SOCKET = 3, STAGE_ENDS = 9;

function refuse(what: string, { endsConnections = false }: CopyPurpose): void {
  if (!endsConnections) throw new Refusal(what);
}

function transportsOf(net: object): (Transport | null)[] {
  return Reflect.get(net, "offered");
}

const NETWORK: Readonly<ConvertedField> = {
  save: (net) => (net as NetNamespace).network !== null,
  make: (_net, host, had) => had === true ? (host as Surroundings).network : null,
};

/** Null stands for the transport of host sockets. */
const OFFERED: Readonly<ConvertedField> = {
  stage: STAGE_TRANSPORTS,
  save: (net) => transportsOf(net).map((one) => one instanceof HostTransport ? null : one),
  make(object, _host, saved) {
    const net = object as NetNamespace, { network } = net;
    const own = network === null ? [] : [new HostTransport(net, network)];
    return (saved as (Transport | null)[]).flatMap((one) => one ?? own);
  },
};

const CHOSEN: Readonly<ConvertedField> = {
  stage: STAGE_CHOSEN,
  save: (net) => (Reflect.get(net, "chosen") as Transport | null)?.name ?? null,
  make(net, _host, name) {
    const found = transportsOf(net).find((one) => one?.name === name) ?? null;
    if (found !== null || name === null) return found;
    throw new Refusal("guests used the network of the host, which is not there now");
  },
};

/** The host's socket; a connection of TCP is refused or ended. */
const SOCKET: Readonly<ConvertedField> = {
  stage: STAGE_SOCKET,
  save(object, purpose) {
    const socket = object as HostSocket, kept = keepSocket(socket, purpose.isInProcess ?? false);
    if (kept.isConnected) refuse(`the ${describeKept(socket, kept)} is connected`, purpose);
    return kept;
  },
  make(object, host, saved) {
    const socket = object as HostSocket, kept = saved as KeptSocket, { network } = socket.net;
    if (network === null) {
      throw new Refusal("guests used the network of the host, which is not there now");
    }
    if (kept.isConnected && (host as Surroundings).tcp === "refuse") {
      throw new Refusal(`the ${describeKept(socket, kept)} was connected`);
    }
    Reflect.set(socket, "host", network);
    const { fd, isEnded } = remakeSocket(socket, kept, network);
    socket.reopen(fd, isEnded);
    return socket.fd;
  },
  release: (fd, _host, object) => (object as HostSocket).net.host.close(Number(fd)),
};

/** The units that accounts are charged for. */
const SOCKET_DESCRIPTORS: FieldRule = Object.freeze({
  save: (object: object) => (Reflect.get(object, "descriptors") as HostDescriptors).units,
  make: (_object: object, _host: object, units: unknown) =>
    new HostDescriptors(HOST_SOCKETS, 1, Number(units)),
});

/** The far end of a connection to a program of the host: it has broken off in a copy. */
const END: Readonly<ConvertedField> = {
  stage: STAGE_ENDS,
  save(object, purpose) {
    const end = object as HostEnd;
    if (end.isConnected) refuse(`a program outside is connected by ${end.fileName}`, purpose);
    return end.isConnected;
  },
  make(object, _host, wasConnected) {
    if (wasConnected === true) (object as HostEnd).breakOff();
    return -1;
  },
};

/** A socket that programs of the host connect to is one of the sandbox alone in a copy. */
const OUTSIDE: Readonly<ConvertedField> = {
  save(object, purpose) {
    const { name } = object as UnixStream;
    if (Reflect.get(object, "outside") === null) return null;
    refuse(`programs outside may connect to the socket ${name}`, purpose);
    return null;
  },
};

/** The file of a name may be another one. */
const IDENTITY: Readonly<ConvertedField> = {
  stage: STAGE_ENDS,
  save: (object) => Reflect.get(object, "hostIdentity"),
  make(object, _host, before) {
    const sockets: Map<unknown, object> | null = Reflect.get(object, "hostSockets");
    const now = (object as UnixSocket).fileIdentity;
    if (sockets === null || now === before || sockets.get(before) !== object) return now;
    sockets.delete(before);
    sockets.set(now, object);
    return now;
  },
};

export const HOST_NET_FIELDS: readonly MadeFields[] = [
  { made: NetNamespace, fields: { chosen: CHOSEN, network: NETWORK, offered: OFFERED } },
  {
    made: HostSocket,
    fields: { descriptors: SOCKET_DESCRIPTORS, fd: SOCKET, host: { value: null } },
  },
  { made: HostEnd, fields: { fd: END } },
  { made: UnixStream, fields: { outside: OUTSIDE } },
  { made: UnixSocket, fields: { hostIdentity: IDENTITY } },
];
