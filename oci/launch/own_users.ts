/**
 * User namespaces for processes that this one starts. A child makes each namespace and then ends,
 * so the namespace belongs to this process's user, and the process that enters it later has no
 * power over it. Its ids are written from outside. See user_namespaces(7).
 *
 * Neighbours: sentry_process.ts, gofer_process.ts; container/id_maps.ts makes those of config.json.
 */

import { AT_EMPTY_PATH, AT_FDCWD, O_CLOEXEC, O_RDONLY } from "../../ffi/abi/fcntl.ts";
import { NS_GET_USERNS } from "../../ffi/abi/ioctl.ts";
import { Pollfd } from "../../ffi/abi/poll.ts";
import { CLONE_NEWNET, CLONE_NEWUSER } from "../../ffi/abi/sched.ts";
import { SYS_execveat } from "../../ffi/abi/syscall_numbers.ts";
import { check } from "../../ffi/sys/errors.ts";
import { close, ioctl, openat } from "../../ffi/sys/files.ts";
import { spawn, type Spawned, SpawnScript } from "../../ffi/sys/spawn.ts";
import { packetPair } from "../protocol/launcher_channel.ts";
import { endChild } from "./children.ts";
import * as steps from "../host/launch_steps.ts";
import { programFile } from "../proxy/waiter.ts";
import { waiterImage } from "../proxy/waiter_image.ts";
import { WaiterData } from "../proxy/waiter_data.ts";

/** Descriptors; -1: none. */
interface OwnUsers {
  readonly users: number;
  /** A network namespace that the user namespace owns. */
  readonly network: number;
}

/** Contents of uid_map and gid_map. */
interface IdMaps {
  readonly users: string;
  readonly groups: string;
}

/** Every id of this process's namespace as it is. */
export function sameIds(): IdMaps {
  const mapOf = (file: string) =>
    Deno.readTextFileSync(`/proc/self/${file}`).trim().split("\n").map((line) => {
      const [first, , count] = line.trim().split(/\s+/);
      return `${first} ${first} ${count}\n`;
    }).join("");
  return { users: mapOf("uid_map"), groups: mapOf("gid_map") };
}

/**
 * @param ids null: the namespace maps no id
 * @throws Error with what the host refuses
 */
export function makeUsers(ids: IdMaps | null, withNetwork = false): OwnUsers {
  const [ours, leash] = packetPair(), made: number[] = [];
  try {
    const holder = startHolder(leash, CLONE_NEWUSER + (withNetwork ? CLONE_NEWNET : 0));
    try {
      if (ids !== null) {
        Deno.writeTextFileSync(`/proc/${holder.pid}/uid_map`, ids.users);
        Deno.writeTextFileSync(`/proc/${holder.pid}/gid_map`, ids.groups);
      }
      for (const kind of ["user", ...(withNetwork ? ["net"] : [])]) {
        const path = `/proc/${holder.pid}/ns/${kind}`;
        made.push(check(openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC), `open ${path}`));
      }
    } finally {
      endChild(holder);
    }
  } catch (error) {
    for (const fd of made) close(fd);
    throw error;
  } finally {
    close(ours);
    close(leash);
  }
  const [users = -1, network = -1] = made;
  return { users, network };
}

/**
 * Starts a process that does nothing and ends with this one; it runs the proxy's program.
 * @param leash the descriptor that it waits on
 */
function startHolder(leash: number, cloneFlags: number): Spawned {
  const { at } = WaiterData;
  const program = programFile(waiterImage((data) => {
    data.setInt32(at.control + Pollfd.at.fd, 0, true);
    data.setInt32(at.leash + Pollfd.at.fd, 0, true);
  }));
  try {
    const script = new SpawnScript();
    const fds = [leash], executed = steps.aside(script, program, fds);
    steps.descriptors(script, fds);
    script.call(SYS_execveat, executed, "", ["dvisor-users"], [], AT_EMPTY_PATH);
    return spawn(script, cloneFlags);
  } finally {
    close(program);
  }
}

/**
 * The user namespace that another namespace belongs to: a descriptor, or -1 if it is this process's
 * own, or hidden.
 */
export function usersOf(namespace: number): number {
  const fd = ioctl(namespace, NS_GET_USERNS, 0);
  if (fd < 0) return -1;
  const inode = (path: string) => Deno.statSync(path).ino;
  if (inode(`/proc/self/fd/${fd}`) !== inode("/proc/self/ns/user")) return fd;
  close(fd);
  return -1;
}
