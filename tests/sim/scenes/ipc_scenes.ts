/** Scenes of pipes, futexes, queues, semaphores and shared memory. */

import { type ActingGuest, ints, join } from "./acting_guest.ts";
import type { Scenes } from "./scene.ts";

const F_SETPIPE_SZ = 1031;
const FUTEX_WAIT = 0,
  FUTEX_WAKE = 1,
  FUTEX_LOCK_PI = 6,
  FUTEX_UNLOCK_PI = 7,
  FUTEX_WAITERS = 0x80000000;
const IPC_PRIVATE = 0, IPC_CREAT = 0o1000, SEM_UNDO = 0x1000;

/** A pipe of a page that is full. */
function fullPipe(guest: ActingGuest): [number, number] {
  const pipe = guest.pair("pipe2");
  guest.must("fcntl", pipe[1], F_SETPIPE_SZ, 4096);
  guest.must("write", pipe[1], new Uint8Array(4096).fill(7), 4096);
  return pipe;
}

export const IPC_SCENES: Scenes = {
  "pipes with bytes, one of them without writers": (guest) => {
    const [r, w] = guest.pair("pipe2"), [r2, w2] = guest.pair("pipe2");
    guest.must("write", w, "hello", 5);
    guest.must("write", w2, "rest", 4);
    guest.must("close", w2);
    return (world) => {
      const g = guest.in(world);
      return [g.read(r, 2), g.read(r, 9), g.read(r2, 9), g.read(r2, 9), g.call("write", w, "x", 1)];
    };
  },

  "a pipe without readers": (guest) => {
    const [r, w] = guest.pair("pipe2");
    guest.must("rt_sigaction", 13, join(ints(8, 1, 0, 0, 0)), 0, 8);
    guest.must("close", r);
    return (world) => guest.in(world).call("write", w, "x", 1);
  },

  "a writer that waits for room, and a reader that waits for bytes": (guest) => {
    const [r, w] = fullPipe(guest), [r2, w2] = guest.pair("pipe2");
    const writer = guest.fork(), reader = guest.fork();
    writer.waits("write", w, "later", 5);
    reader.waits("read", r2, reader.room(8), 8);
    return (world) => {
      const g = guest.in(world);
      const first = [g.read(r, 4096).length, g.call("write", w2, "abc", 3)];
      return [...first, writer.in(world).result, reader.in(world).result, g.read(r, 9)];
    };
  },

  "bytes that were spliced and teed between pipes": (guest) => {
    const [r, w] = guest.pair("pipe2"), [r2, w2] = guest.pair("pipe2");
    guest.must("write", w, "abcdef", 6);
    guest.must("tee", r, w2, 4, 0);
    guest.must("splice", r, 0, w2, 0, 3, 0);
    return (world) => [guest.in(world).read(r, 9), guest.in(world).read(r2, 99)];
  },

  "an eventfd with a reader that waits, and one that is full": (guest) => {
    const fd = guest.must("eventfd2", 0, 1), full = guest.must("eventfd2", 0, 0o4000);
    guest.must("write", full, ints(8, -2), 8);
    const reader = guest.fork();
    reader.waits("read", fd, reader.room(8), 8);
    return (world) => {
      const g = guest.in(world), r = reader.in(world);
      return [g.call("write", full, ints(8, 1), 8), g.call("write", fd, ints(8, 3), 8), r.result];
    };
  },

  "threads that wait for a futex": (guest) => {
    const word = guest.put(ints(4, 5)), one = guest.thread(), other = guest.thread();
    one.waits("futex", word, FUTEX_WAIT, 5, 0, 0, 0);
    other.waits("futex", word, FUTEX_WAIT, 5, other.put(ints(8, 1, 0)), 0, 0);
    return (world) => {
      const g = guest.in(world), woken = [g.call("futex", word, FUTEX_WAKE, 1, 0, 0, 0)];
      world.pass(2_000_000_000);
      return [...woken, one.in(world).result, other.in(world).result];
    };
  },

  "a futex with priority inheritance that is held and wanted": (guest) => {
    const word = guest.put(ints(4, 0)), waiter = guest.thread();
    guest.must("futex", word, FUTEX_LOCK_PI, 0, 0, 0, 0);
    waiter.waits("futex", word, FUTEX_LOCK_PI, 0, 0, 0, 0);
    return (world) => {
      const g = guest.in(world), before = g.word(word);
      const unlocked = g.call("futex", word, FUTEX_UNLOCK_PI, 0, 0, 0, 0);
      return [before, unlocked, waiter.in(world).result, g.word(word)];
    };
  },

  "a robust futex whose owner ends afterwards": (guest) => {
    const head = guest.room(32), node = guest.room(32), owner = guest.thread();
    const waiter = guest.thread();
    guest.store(head, ints(8, node, 8, 0));
    guest.store(node, join(ints(8, head), ints(4, owner.tid | FUTEX_WAITERS)));
    owner.must("set_robust_list", head, 24);
    const seen = guest.word(node + 8);
    waiter.waits("futex", node + 8, FUTEX_WAIT, seen, 0, 0, 0);
    return (world) => {
      owner.in(world).call("exit", 0);
      return [waiter.in(world).result, guest.in(world).word(node + 8), owner.in(world).state];
    };
  },

  "a System V queue with messages, and a receiver that waits": (guest) => {
    const queue = guest.must("msgget", IPC_PRIVATE, IPC_CREAT | 0o600), receiver = guest.fork();
    guest.must("msgsnd", queue, join(ints(8, 3), ints(1, 65, 66, 67)), 3, 0);
    receiver.waits("msgrcv", queue, receiver.room(32), 16, 9, 0);
    return (world) => {
      const g = guest.in(world), at = g.room(32);
      const sent = g.call("msgsnd", queue, join(ints(8, 9), ints(1, 68)), 1, 0);
      const taken = [sent, receiver.in(world).result, g.call("msgrcv", queue, at, 16, 0, 0)];
      return [...taken, g.bytes(at, 12), g.call("msgctl", queue, 0, 0)];
    };
  },

  "semaphores with undo, and an operation that waits": (guest) => {
    const set = guest.must("semget", IPC_PRIVATE, 2, IPC_CREAT | 0o600);
    const holder = guest.fork(), waiter = guest.fork();
    guest.must("semctl", set, 0, 16, 1);
    holder.must("semop", set, ints(2, 0, -1, SEM_UNDO), 1);
    waiter.waits("semop", set, ints(2, 0, -1, 0), 1);
    return (world) => {
      const before = guest.in(world).call("semctl", set, 0, 12, 0);
      holder.in(world).call("exit_group", 0);
      const g = guest.in(world);
      return [
        before,
        waiter.in(world).result,
        g.call("semctl", set, 0, 12, 0),
        g.call("semctl", set, 0, 0, 0),
      ];
    };
  },

  "System V memory that is attached, and removed": (guest) => {
    const id = guest.must("shmget", IPC_PRIVATE, 8192, IPC_CREAT | 0o600);
    const at = guest.must("shmat", id, 0, 0), child = guest.fork();
    guest.store(at, ints(4, 77));
    child.store(at + 4096, ints(4, 88));
    guest.must("shmctl", id, 0, 0);
    return (world) => {
      const g = guest.in(world), c = child.in(world);
      c.store(at + 4, ints(4, 99));
      const seen = [g.word(at), g.word(at + 4), g.word(at + 4096), g.call("shmat", id, 0, 0)];
      return [...seen, g.call("shmdt", at), c.word(at), c.call("shmdt", at)];
    };
  },

  "a POSIX queue with messages and a notification": (guest) => {
    const fd = guest.must("mq_open", "queue", 0o102, 0o600, 0), at = guest.room(8192);
    guest.must("mq_timedsend", fd, "low", 3, 1, 0);
    guest.must("mq_timedsend", fd, "high", 4, 9, 0);
    const receiver = guest.fork(), other = receiver.must("mq_open", "other", 0o102, 0o600, 0);
    receiver.waits("mq_timedreceive", other, receiver.room(8192), 8192, 0, 0);
    return (world) => {
      const g = guest.in(world), results: unknown[] = [];
      for (let i = 0; i < 2; i++) {
        const length = g.call("mq_timedreceive", fd, at, 8192, g.room(4), 0);
        results.push(length, g.bytes(at, 4));
      }
      const sender = g.call("mq_open", "other", 1, 0, 0) ?? -1;
      results.push(g.call("mq_timedsend", sender, "now", 3, 0, 0), receiver.in(world).result);
      return [...results, g.call("mq_unlink", "queue"), g.call("mq_unlink", "other")];
    };
  },

  "a notification of a POSIX queue by netlink": (guest) => {
    const socket = guest.must("socket", 16, 3, 0);
    const fd = guest.must("mq_open", "notified", 0o102, 0o600, 0);
    const cookie = guest.put(new Uint8Array(32).fill(5));
    guest.must("mq_notify", fd, join(ints(8, cookie), ints(4, socket, 2), new Uint8Array(48)));
    return (world) => {
      const g = guest.in(world);
      const sent = g.call("mq_timedsend", fd, "m", 1, 0, 0);
      return [sent, g.read(socket, 64), g.call("mq_unlink", "notified")];
    };
  },

  "keys in keyrings": (guest) => {
    const ring = guest.must("add_key", "keyring", "ring", 0, 0, -3);
    const key = guest.must("add_key", "user", "key", "secret", 6, ring);
    const timed = guest.must("add_key", "user", "timed", "x", 1, ring);
    guest.must("keyctl", 15, timed, 5, 0, 0);
    return (world) => {
      const g = guest.in(world), at = g.room(64);
      const read = [g.call("keyctl", 11, key, at, 64, 0), g.bytes(at, 6)];
      world.pass(6_000_000_000);
      const later = [g.call("keyctl", 11, timed, at, 64, 0), g.call("keyctl", 6, key, at, 64, 0)];
      return [...read, ...later, g.bytes(at, 32)];
    };
  },
};
