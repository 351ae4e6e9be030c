/** `box.fs`: the files of a sandbox. Neighbour: transfer.ts copies trees. */

import type { FileStatus, Request, UserName, WatchEvent } from "../protocol/session/messages.ts";
import type { Channel, ChannelOptions } from "./channel.ts";
import type { Connection } from "./connection.ts";
import { InvalidArgumentError, NotFoundError } from "./errors.ts";
import { EventStream } from "./event_stream.ts";
import * as is from "./option_checks.ts";
import { inputStream } from "./program.ts";
import { download, type TransferOptions, type Transferred, upload } from "./transfer.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Options of all requests about files. */
export interface FileOptions {
  /** Whose rights count. Default: the user of the sandbox. */
  readonly user?: UserName;
  /** Gives up the request. */
  readonly signal?: AbortSignal;
}

export interface ReadFileOptions extends FileOptions {
  /** Byte where reading begins. Default 0. */
  readonly offset?: number;
  /** Bytes to read at most. Default: to the end. */
  readonly length?: number;
}

export interface WriteFileOptions extends FileOptions {
  /** Permission bits of a new file. Default 0o666 without the bits of the umask. */
  readonly mode?: number;
  /** Write behind what the file has. */
  readonly append?: boolean;
  /** Fail if the file exists. */
  readonly createNew?: boolean;
  /** Make the directories above it that are missing. */
  readonly recursive?: boolean;
}

export interface MakeDirectoryOptions extends FileOptions {
  readonly mode?: number;
  /** Make the parents that are missing; a directory that exists is no error. */
  readonly recursive?: boolean;
}

export interface RecursiveOptions extends FileOptions {
  readonly recursive?: boolean;
}

export interface StatOptions extends FileOptions {
  /** False: of a symbolic link itself. Default true. */
  readonly follow?: boolean;
}

const FILE: is.Checks = { user: is.user, signal: is.abortSignal };
const MODE = is.whole(0, "from 0 to 0o7777", 0o7777);
const BYTES = is.whole(0, "of bytes");
const READ: is.Checks = { ...FILE, offset: BYTES, length: BYTES };
const WRITE: is.Checks = {
  ...FILE,
  mode: MODE,
  append: is.boolean,
  createNew: is.boolean,
  recursive: is.boolean,
};
const MKDIR: is.Checks = { ...FILE, mode: MODE, recursive: is.boolean };
const RECURSIVE: is.Checks = { ...FILE, recursive: is.boolean };
const STAT: is.Checks = { ...FILE, follow: is.boolean };

/**
 * The files of a sandbox. Paths are absolute; what is done has the rights of the sandbox's user, or
 * of the option `user`.
 *
 * ```ts
 * import { Sandbox } from "../../mod.ts";
 *
 * await using box = await Sandbox.create();
 * await box.fs.mkdir("/tmp/src/lib", { recursive: true });
 * await box.fs.writeFile("/tmp/src/program", "print(1)", { mode: 0o600 });
 * const names = (await box.fs.list("/tmp/src")).map((file) => file.name).sort();
 * console.log(names); // ["lib", "program"]
 * console.log(await box.fs.readTextFile("/tmp/src/program")); // "print(1)"
 * console.log((await box.fs.stat("/tmp/src/program")).size); // 8
 * await box.fs.remove("/tmp/src", { recursive: true });
 * console.log(await box.fs.exists("/tmp/src")); // false
 * ```
 */
export class SandboxFiles {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** The bytes of a file. */
  async readFile(path: string, options: ReadFileOptions = {}): Promise<Bytes> {
    const keepBytes = options.length ?? Infinity;
    const channel = this.#openToRead("readFile", path, options, { keepBytes });
    await channel.finish(options.signal);
    return channel.output.all();
  }

  /** The text of a file, which is UTF-8. */
  async readTextFile(path: string, options: ReadFileOptions = {}): Promise<string> {
    return new TextDecoder().decode(await this.readFile(path, options));
  }

  /** A file as a stream; an error comes with the first read. */
  readable(path: string, options: ReadFileOptions = {}): ReadableStream<Bytes> {
    const channel = this.#openToRead("readable", path, options);
    const { signal } = options;
    const abort = (): void => {
      channel.output.fail(signal?.reason);
      channel.cancel();
    };
    signal?.addEventListener("abort", abort);
    channel.outcome.then(() => signal?.removeEventListener("abort", abort));
    return channel.output.stream(() => channel.cancel());
  }

  #openToRead(
    of: string,
    path: string,
    options: ReadFileOptions,
    more: Partial<ChannelOptions> = {},
  ): Channel {
    is.checkOptions(of, options, READ);
    options.signal?.throwIfAborted();
    const { offset, length } = options;
    return this.#open(
      {
        op: "readFile",
        path: checked(path),
        ...offset === undefined ? {} : { offset },
        ...length === undefined ? {} : { length },
        ...userOf(options),
      },
      "read",
      more,
    );
  }

  /** Makes a file, or replaces what it has. */
  async writeFile(
    path: string,
    data: string | Uint8Array | ReadableStream<Uint8Array>,
    options: WriteFileOptions = {},
  ): Promise<void> {
    const wanted = is.bytesOrStream(data);
    if (wanted !== null) throw new InvalidArgumentError(`the data of writeFile must be ${wanted}`);
    if (data instanceof ReadableStream) {
      return await data.pipeTo(this.writable(path, options), signalOf(options));
    }
    this.#checkWrite("writeFile", path, options);
    await this.#makeParents(path, options);
    const channel = this.#openToWrite(path, options);
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    // A write that fails finds its reason in the outcome of the request.
    channel.write(bytes).then(() => channel.endInput(), () => {});
    await channel.finish(options.signal);
  }

  /** A new file as a stream. It is complete when `close` has resolved. */
  writable(path: string, options: WriteFileOptions = {}): WritableStream<Uint8Array> {
    this.#checkWrite("writable", path, options);
    const open = (): FileWriter => new FileWriter(this.#openToWrite(path, options), options.signal);
    let file = options.recursive === true ? null : open();
    return new WritableStream<Uint8Array>({
      start: async () => {
        if (file !== null) return;
        await this.#makeParents(path, options);
        file = open();
      },
      write: (bytes) => file?.write(bytes),
      close: () => file?.close(),
      abort: () => file?.abort(),
    });
  }

  #checkWrite(of: string, path: string, options: WriteFileOptions): void {
    is.checkOptions(of, options, WRITE);
    options.signal?.throwIfAborted();
    checked(path);
  }

  async #makeParents(path: string, options: WriteFileOptions): Promise<void> {
    if (options.recursive !== true) return;
    const parent = path.slice(0, path.lastIndexOf("/"));
    if (parent === "") return;
    await this.#run({ op: "mkdir", path: parent, recursive: true }, "make", options);
  }

  #openToWrite(path: string, options: WriteFileOptions): Channel {
    const { mode, append, createNew } = options;
    return this.#open({
      op: "writeFile",
      path,
      ...mode === undefined ? {} : { mode },
      ...append === undefined ? {} : { append },
      ...createNew === undefined ? {} : { createNew },
      ...userOf(options),
    }, "write");
  }

  /** What a directory has, without "." and "..", in no order. */
  async list(path: string, options: FileOptions = {}): Promise<FileStatus[]> {
    is.checkOptions("list", options, FILE);
    const all: FileStatus[] = [];
    const onEvent = (event: unknown): void => {
      all.push(...(event as { readonly entries: readonly FileStatus[] }).entries);
    };
    const request = { op: "list", path: checked(path), ...userOf(options) } as const;
    await this.#open(request, "list", { onEvent }).finish(options.signal);
    return all;
  }

  async stat(path: string, options: StatOptions = {}): Promise<FileStatus> {
    is.checkOptions("stat", options, STAT);
    const follow = options.follow ?? true;
    const request = { op: "stat", path: checked(path), follow, ...userOf(options) } as const;
    return await this.#open(request, "stat").finish(options.signal) as FileStatus;
  }

  /** Whether there is something; a symbolic link must lead to something. */
  async exists(path: string, options: FileOptions = {}): Promise<boolean> {
    try {
      await this.stat(path, options);
      return true;
    } catch (error) {
      if (error instanceof NotFoundError) return false;
      throw error;
    }
  }

  async mkdir(path: string, options: MakeDirectoryOptions = {}): Promise<void> {
    is.checkOptions("mkdir", options, MKDIR);
    const { mode, recursive = false } = options;
    const more = mode === undefined ? {} : { mode };
    await this.#run({ op: "mkdir", path: checked(path), recursive, ...more }, "make", options);
  }

  /** Removes a file, an empty directory, or with `recursive` a whole tree. */
  async remove(path: string, options: RecursiveOptions = {}): Promise<void> {
    is.checkOptions("remove", options, RECURSIVE);
    const { recursive = false } = options;
    await this.#run({ op: "remove", path: checked(path), recursive }, "remove", options);
  }

  async rename(from: string, to: string, options: FileOptions = {}): Promise<void> {
    is.checkOptions("rename", options, FILE);
    await this.#run({ op: "rename", from: checked(from), to: checked(to) }, "rename", options);
  }

  async chmod(path: string, mode: number, options: FileOptions = {}): Promise<void> {
    is.checkOptions("chmod", options, FILE);
    is.checkOptions("chmod", { mode }, { mode: MODE });
    await this.#run({ op: "chmod", path: checked(path), mode }, "change the mode of", options);
  }

  /** Makes `path` a symbolic link to `target`. */
  async symlink(target: string, path: string, options: FileOptions = {}): Promise<void> {
    is.checkOptions("symlink", options, FILE);
    await this.#run({ op: "symlink", target, path: checked(path) }, "link", options);
  }

  /** The target of a symbolic link. */
  async readlink(path: string, options: FileOptions = {}): Promise<string> {
    is.checkOptions("readlink", options, FILE);
    const request = { op: "readlink", path: checked(path) } as const;
    const result = await this.#run(request, "read the link", options);
    return (result as { readonly target: string }).target;
  }

  /**
   * The changes of a file or directory from now on. With `recursive` its directories are found one
   * by one: `ready` of the result resolves when all of them are watched.
   */
  watch(path: string, options: RecursiveOptions = {}): EventStream<WatchEvent> {
    is.checkOptions("watch", options, RECURSIVE);
    const { recursive = false } = options;
    const request = { op: "watch", path: checked(path), recursive, ...userOf(options) } as const;
    const doing = { verb: "watch", subject: path };
    const lost = (): WatchEvent => ({ kind: "overflow", path });
    return new EventStream(this.#connection, request, doing, lost, options.signal);
  }

  /**
   * Copies a file or a directory of the host to `guestPath`, which becomes that file or directory.
   * What a directory has already stays. @returns what was copied
   */
  async upload(
    hostPath: string,
    guestPath: string,
    options: TransferOptions = {},
  ): Promise<Transferred> {
    return await upload(this, hostPath, checked(guestPath), options);
  }

  /** Copies a file or a directory of the sandbox to `hostPath` on the host. */
  async download(
    guestPath: string,
    hostPath: string,
    options: TransferOptions = {},
  ): Promise<Transferred> {
    return await download(this, checked(guestPath), hostPath, options);
  }

  #open(request: Request, verb: string, more: Partial<ChannelOptions> = {}): Channel {
    const subject = "path" in request ? request.path : "from" in request ? request.from : "";
    return this.#connection.request(request, { doing: { verb, subject }, ...more });
  }

  async #run(request: Request, verb: string, options: FileOptions): Promise<unknown> {
    options.signal?.throwIfAborted();
    return await this.#open({ ...request, ...userOf(options) }, verb).finish(options.signal);
  }
}

/** The sink of a stream to a file. A write that fails gives the reason of the request's end. */
class FileWriter {
  readonly #channel: Channel;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  readonly #finished: Promise<unknown>;

  constructor(channel: Channel, signal: AbortSignal | undefined) {
    this.#channel = channel;
    this.#writer = inputStream(channel).getWriter();
    this.#finished = channel.finish(signal);
    this.#finished.catch(() => {});
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.#orReason(this.#writer.write(bytes));
  }

  async close(): Promise<void> {
    await this.#orReason(this.#writer.close());
    await this.#finished;
  }

  async abort(): Promise<void> {
    this.#channel.cancel();
    await this.#channel.outcome;
  }

  async #orReason(step: Promise<void>): Promise<void> {
    try {
      await step;
    } catch (error) {
      await this.#finished;
      throw error;
    }
  }
}

function userOf({ user }: FileOptions): { readonly user?: UserName } {
  return user === undefined ? {} : { user };
}

function signalOf({ signal }: FileOptions): { readonly signal?: AbortSignal } {
  return signal === undefined ? {} : { signal };
}

function checked(path: string): string {
  const wanted = is.absolutePath(path);
  if (wanted === null) return path;
  throw new InvalidArgumentError(
    `a path in the sandbox must be ${wanted}, got ${JSON.stringify(path)}`,
  );
}
