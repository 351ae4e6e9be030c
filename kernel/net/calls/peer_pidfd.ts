/** Pidfds of the peer of a UNIX socket: SO_PEERPIDFD and SCM_PIDFD of unix(7). */

import { RLIMIT_NOFILE } from "../../../ffi/abi/resource.ts";
import { EINVAL, ENODATA } from "../../../ffi/abi/errno.ts";
import type { PeerCredentials } from "../message.ts";
import type { Socket } from "../socket.ts";
import type { OptionValue } from "../socket_options.ts";
import { UnixSocket } from "../unix/unix_socket.ts";
import { PidFd } from "../../task/pidfd.ts";
import { PidNamespace } from "../../task/pid_namespace.ts";
import type { Task } from "../../task/task.ts";

/** Installs a pidfd, close-on-exec, of the process with these credentials; -EINVAL: it ended. */
export function installPidfd(t: Task, { id }: PeerCredentials): number {
  const group = id?.space instanceof PidNamespace ? id.space.groups.get(id.nr) : undefined;
  if (group === undefined || group.id !== id) return -EINVAL;
  const file = new PidFd(t.account, t.kernel.anon, group, null, 0);
  const fd = t.files.install(file, true, t.group.limits.get(RLIMIT_NOFILE));
  if (fd < 0) file.drop();
  return fd;
}

/** SO_PEERPIDFD. */
export function getPeerPidfd(t: Task, socket: Socket, value: OptionValue): number {
  const peer = socket instanceof UnixSocket ? socket.peerCredentials : null;
  if (peer === null) return -ENODATA;
  const fd = installPidfd(t, peer);
  return fd < 0 ? fd : value.setInt(fd);
}
