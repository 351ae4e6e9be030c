/**
 * Hands each request of a command (protocol/control_protocol.ts) to the container that it names.
 */

import { UserError } from "../../user_error.ts";
import type { GuestFds } from "../../protocol/boot_spec.ts";
import type { Request, RequestOf } from "../../protocol/control_protocol.ts";
import { Later, type RequestFds, type RequestHandler } from "./control_server.ts";
import { type BootSocket, ControlSocket } from "../../protocol/launcher_channel.ts";
import { GuestContainer } from "../guest/guest_container.ts";
import { goferOf } from "../rootfs/file_systems.ts";
import { hasMemoryLimit, OomWitness } from "../../proxy/oom_witness.ts";
import { Verdict } from "../snapshot/checkpoint.ts";
import { ImageFile } from "../snapshot/image_file.ts";
import type { Sandbox } from "../boot_sandbox.ts";

export class SandboxRequests implements RequestHandler {
  readonly #sandbox: Sandbox;

  constructor(sandbox: Sandbox) {
    this.#sandbox = sandbox;
  }

  onRequest(request: Request, fds: RequestFds): object | Later {
    if (request.op === "reserve") return this.#reserve(request.id, fds);
    if (request.op === "createContainer") return this.#create(request, fds);
    const container = this.#find(request.id);
    switch (request.op) {
      case "start":
        return start(container, request, fds);
      case "signal":
        container.signal(request.signo, request.all);
        return {};
      case "exec":
        return exec(container, request, fds);
      case "ps":
        return { processes: container.processes() };
      case "pause":
        container.pause();
        return {};
      case "resume":
        container.resume();
        return { status: container.status };
      case "update":
        this.#sandbox.update(container, request.limits);
        return { needsWitness: this.#sandbox.needsWitness(container) };
      case "witness":
        this.#sandbox.setWitness(container, new OomWitness(fds.take(0)));
        return {};
      case "stats":
        return { stats: container.stats() };
      case "state":
        return { status: container.status };
      case "debug":
        return { text: container.debug() };
      case "checkpoint":
        return this.#checkpoint(request, fds);
      case "destroy":
        container.destroy();
        return {};
    }
  }

  #find(id: string): GuestContainer {
    const container = this.#sandbox.containers.get(id);
    if (container === undefined) throw new UserError("container not running");
    return container;
  }

  #checkpoint(request: RequestOf<"checkpoint">, fds: RequestFds): Later {
    fds.require(2);
    const later = new Later(),
      file = new ImageFile(fds.take(0)),
      verdict = new Verdict(fds.take(1));
    this.#sandbox.checkpoint(request, file, verdict, {
      onSaved: (bytes) => later.settle({ bytes }),
      onFailed: (error) => later.settle(error),
    });
    return later;
  }

  #reserve(id: string, fds: RequestFds): Later {
    const { containers, places } = this.#sandbox;
    if (containers.has(id)) throw new UserError("container with given ID already exists");
    const waiter = waiterOf(fds.take(0));
    try {
      return places.reserve(id, waiter);
    } catch (error) {
      waiter.close();
      throw error;
    }
  }

  #create(request: RequestOf<"createContainer">, fds: RequestFds): object {
    const { containers, kernel, places } = this.#sandbox, { id, shares } = request;
    fds.require(hasMemoryLimit(request.spec) ? 5 : 4);
    const place = places.take(id);
    let container: GuestContainer;
    try {
      const { template, waiter } = place, hasLimit = hasMemoryLimit(request.spec);
      const gofer = goferOf(request.spec, fds.take(0));
      const stdio: GuestFds = [...takeStdio(fds, 1), ...fds.takeFrom(hasLimit ? 5 : 4)];
      const member = (name: string | null) => name === null ? null : containers.get(name) ?? null;
      const joined = {
        pid: member(shares.pid),
        ipc: member(shares.ipc),
        uts: member(shares.uts),
        time: member(shares.time),
      };
      const hosts = { gofer, stdio, waiter, template };
      container = GuestContainer.load(kernel, request.spec, hosts, joined, this.#sandbox);
      if (hasLimit) container.keepMemoryLimit(new OomWitness(fds.take(4)));
      else if (container.limits.memoryMax !== Infinity) container.keepMemoryLimit(null);
    } catch (error) {
      // The container's proxy ends with the place.
      place.giveUp();
      throw error;
    }
    containers.set(id, container);
    container.watch();
    return {};
  }
}

function start(container: GuestContainer, request: RequestOf<"start">, fds: RequestFds): Later {
  const later = new Later();
  fds.require(3 * request.hooks.length);
  const streams = request.hooks.map((_, i) => takeStdio(fds, 3 * i));
  container.start(request.hooks, streams, (error) => later.settle(error ?? {}));
  return later;
}

function exec(container: GuestContainer, request: RequestOf<"exec">, fds: RequestFds): object {
  if (container.status === "paused" && !request.ignorePaused) {
    throw new UserError("cannot exec in a paused container (use --ignore-paused to override)");
  }
  if (container.status === "stopped") {
    throw new UserError("cannot exec in a container that is not running");
  }
  fds.require(4);
  const waiter = waiterOf(fds.take(3));
  const stdio: GuestFds = [...takeStdio(fds, 0), ...fds.takeFrom(4)];
  return { pid: container.exec(request, stdio, waiter) };
}

function takeStdio(fds: RequestFds, first: number): readonly [number, number, number] {
  return [fds.take(first), fds.take(first + 1), fds.take(first + 2)];
}

function waiterOf(fd: number): BootSocket {
  return new ControlSocket(fd);
}
