/**
 * Reservations of containers that are about to join a running sandbox. A reservation has a host
 * process, of which the container's guest processes will be copies, and the socket of the
 * container's waiter. The command that joins moves that process into the container's control groups
 * before there are copies, because the sandbox may move no process itself.
 *
 * Neighbours: request_handler.ts, boot/guest/guest_container.ts; container/join_sandbox.ts sends
 * the requests.
 */

import { EPOLLHUP, EPOLLRDHUP } from "../../../ffi/abi/epoll.ts";
import { SYS_pidfd_open } from "../../../ffi/abi/syscall_numbers.ts";
import { errnoName } from "../../../ffi/sys/errors.ts";
import { syscall } from "../../../ffi/sys/native.ts";
import { Waiter } from "../../../kernel/core/wait.ts";
import type { SandboxKernel } from "../../../kernel/kernel.ts";
import { Timer } from "../../../kernel/time/timer.ts";
import type { AddressSpace } from "../../../platform/platform.ts";
import { UserError } from "../../user_error.ts";
import { Later } from "./control_server.ts";
import type { BootSocket } from "../../protocol/launcher_channel.ts";

/** How often to check whether the process exists, in ns. */
const LOOK_NS = 200_000;

export class Places {
  readonly kernel: SandboxKernel;
  readonly #byId: Map<string, Place> = new Map();

  constructor(kernel: SandboxKernel) {
    this.kernel = kernel;
  }

  /**
   * @returns settled with a pidfd of the place's process, if the platform has one
   * @throws UserError; the socket stays the caller's then
   */
  reserve(id: string, waiter: BootSocket): Later {
    if (this.#byId.has(id)) throw new UserError("container with given ID already exists");
    const { platform } = this.kernel;
    const template = platform.newTemplate();
    if (template === null) throw new UserError("the host has no process for the container");
    const place = new Place(this, id, template, waiter), later = new Later();
    this.#byId.set(id, place);
    if (platform.isInProcess) later.settle({});
    else new Birth(this.kernel, place, later).onExpire(0);
    return later;
  }

  /**
   * Gives the place to the caller.
   * @throws UserError
   */
  take(id: string): Place {
    const place = this.#byId.get(id);
    if (place === undefined) throw new UserError("there is no place for the container");
    this.#byId.delete(id);
    this.kernel.host.unwatch(place.waiter.fd);
    return place;
  }

  /** Called when the command that made the reservation is gone. */
  drop(id: string): void {
    this.take(id).giveUp();
  }
}

/** Watches for the end of the container's waiter. Packets of the waiter stay in the socket. */
class Place extends Waiter {
  readonly template: AddressSpace;
  readonly waiter: BootSocket;
  readonly #places: Places;
  readonly #id: string;
  isGone: boolean = false;

  constructor(places: Places, id: string, template: AddressSpace, waiter: BootSocket) {
    super();
    this.#places = places;
    this.#id = id;
    this.template = template;
    this.waiter = waiter;
    places.kernel.host.watch(waiter.fd, EPOLLRDHUP, this);
  }

  override onWake(events: number): void {
    if ((events & (EPOLLHUP | EPOLLRDHUP)) !== 0) this.#places.drop(this.#id);
  }

  /** Releases the place: no container will use it. */
  giveUp(): void {
    this.isGone = true;
    this.waiter.close();
    this.template.destroy();
  }
}

/** Answers when the process exists, or has failed. */
class Birth extends Timer {
  readonly #kernel: SandboxKernel;
  readonly #place: Place;
  readonly #later: Later;

  constructor(kernel: SandboxKernel, place: Place, later: Later) {
    super();
    this.#kernel = kernel;
    this.#place = place;
    this.#later = later;
  }

  override onExpire(_nowNs: number): void {
    const kernel = this.#kernel,
      place = this.#place,
      later = this.#later,
      { hostPid, broken } = place.template;
    if (hostPid !== 0) {
      const fd = syscall(SYS_pidfd_open, hostPid, 0);
      if (fd >= 0) later.settle({}, fd);
      else later.settle(new UserError(`pidfd_open: ${errnoName(fd)}`));
    } else if (broken || place.isGone) {
      later.settle(new UserError("the host gives no process for the container"));
    } else kernel.timers.arm(this, kernel.now() + LOOK_NS);
  }
}
