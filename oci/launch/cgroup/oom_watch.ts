/**
 * Watches for the host's OOM killer in a container's groups: by an eventfd on v1, by polling
 * `memory.events` on v2. containerd's shim and conmon watch the same. ContainerCgroup.oomCount has
 * the number of kills.
 */

import { join } from "@std/path";
import { EPOLLIN, EPOLLPRI } from "../../../ffi/abi/epoll.ts";
import { AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../../ffi/abi/fcntl.ts";
import { scratch } from "../../../ffi/sys/cstring.ts";
import { close, eventfd, openat, pread, read } from "../../../ffi/sys/files.ts";
import type { ContainerCgroup } from "./container_cgroup.ts";
import { isDirectory, writeGroupFile } from "./control_files.ts";

export class OomWatch {
  /** To be polled for `events`. */
  readonly fd: number;
  readonly events: number;
  readonly #cgroup: ContainerCgroup;
  readonly #isEventfd: boolean;
  #seen: number;

  private constructor(cgroup: ContainerCgroup, fd: number, isEventfd: boolean) {
    this.#cgroup = cgroup;
    this.fd = fd;
    this.#isEventfd = isEventfd;
    this.events = isEventfd ? EPOLLIN : EPOLLPRI;
    this.#seen = cgroup.oomCount();
  }

  /**
   * @returns null if the container has no memory group
   * @throws CgroupError
   */
  static open(cgroup: ContainerCgroup): OomWatch | null {
    const { mode, paths } = cgroup.record;
    const dir = paths[mode === "v2" ? "" : "memory"];
    if (dir === undefined || !isDirectory(dir)) return null;
    const name = mode === "v2" ? "memory.events" : "memory.oom_control";
    const file = openat(AT_FDCWD, join(dir, name), O_RDONLY | O_CLOEXEC);
    if (file < 0) return null;
    if (mode === "v2") return new OomWatch(cgroup, file, false);
    const event = eventfd();
    try {
      writeGroupFile(dir, "cgroup.event_control", `${event} ${file}`);
    } catch (error) {
      close(event);
      throw error;
    } finally {
      close(file);
    }
    return new OomWatch(cgroup, event, true);
  }

  /**
   * Reads the event that made `fd` ready.
   * @returns whether the OOM killer has killed since the last call
   */
  take(): boolean {
    if (this.#isEventfd) {
      read(this.fd, scratch.area(0), 8);
      // The same event reports the removal of the group.
      const dir = this.#cgroup.record.paths["memory"];
      return dir !== undefined && isDirectory(dir);
    }
    // Read, so that the eventfd does not stay ready.
    pread(this.fd, scratch.area(0), 4096, 0);
    const count = this.#cgroup.oomCount(), isNew = count > this.#seen;
    this.#seen = count;
    return isNew;
  }

  close(): void {
    close(this.fd);
  }
}
