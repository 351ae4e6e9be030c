/**
 * The kernel's interface to the host's network namespace that its process is in: sockets there,
 * rtnetlink's answers, and the texts of /proc/net. Only a sandbox with host networking has one;
 * oci/boot implements it and net/host calls it.
 *
 * Every call returns at once with a result or -errno; sockets are non-blocking. Descriptors are
 * watched, polled and closed through the Host. Structs are prepared in `area`, which belongs to the
 * call that is being prepared.
 */

/** Memory with a host address. */
export interface HostArea {
  readonly u8: Uint8Array<ArrayBuffer>;
  readonly dv: DataView<ArrayBuffer>;
  /** The host address of its first byte. */
  readonly address: number;
}

/** The bytes of `HostNetwork.area`. */
export const AREA_BYTES = 262144;

export interface HostNetwork {
  /** Used only if the namespace has a link besides `lo` that is up: `--network=auto`. */
  readonly isOptional: boolean;
  readonly area: HostArea;
  /** The most sockets that guests may have at one time, so that descriptors are left for files. */
  readonly maxSockets: number;

  /**
   * socket(2) of AF_INET or AF_INET6, or of NETLINK_ROUTE; a descriptor, non-blocking and
   * close-on-exec.
   */
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  connect(fd: number, address: number, length: number): number;
  listen(fd: number, backlog: number): number;
  /** accept4(2); `address` gets the peer's address, as long as the int at `length` says. */
  accept(fd: number, address: number, length: number): number;
  shutdown(fd: number, how: number): number;
  getsockname(fd: number, address: number, length: number): number;
  getpeername(fd: number, address: number, length: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  /** `message` is the address of a struct msghdr. */
  sendmsg(fd: number, message: number, flags: number): number;
  recvmsg(fd: number, message: number, flags: number): number;

  /** The text of the host's /proc/net/`name`; null when it has none. */
  table(name: string): string | null;
  /** The host's values of /proc/sys/net at the start, by path below /proc/sys. */
  readonly settings: ReadonlyMap<string, string>;
}
