/** The command line of `dvisor-gofer`, read and checked. Neighbour: main.ts acts on it. */

import { parseArgs } from "@std/cli";
import { DEFAULT_POLICY, type ServerPolicy } from "./backend/export_root.ts";
import { MSIZE_MAX, MSIZE_MIN } from "./protocol/constants.ts";
import { byteStringOf } from "./protocol/wire.ts";
import { type ListenAddress, parseListenAddress } from "./server/listen.ts";

export const USAGE = `dvisor-gofer: serves directories over 9P2000.L

Usage:
  dvisor-gofer serve --fd N --root DIR[:ro] [--root DIR[:ro] ...] [options]
      serves one client on the connected socket N, as a sandbox does; ends when it is closed
  dvisor-gofer --listen ADDR --root DIR[:ro] [--root ...] [options]
      serves any 9P2000.L client; ADDR is unix:PATH or tcp:HOST:PORT

A client attaches to root 0, 1, ... by the names "0", "1", ...; "" is root 0.
Every client that can connect may do with the files what this process may: there is no
authentication.

Options:
  --root DIR[:ro|:rw[:flat][:uds][:bind][:slave][:public]]
                          a directory (or one file) to serve; :ro refuses every change, :flat
                          leaves out what is mounted below it, :uds lets clients connect to
                          sockets in it and open FIFOs, :bind lets them make sockets that others
                          connect to, :slave shows what the host mounts below it later,
                          :public, for a :ro root, shows what the modes of its files permit others
                          to read: other files and directories seem empty
  --hide PATH             a path in the first root that seems empty
  --show PATH             a path in the first root that is shown whatever the modes say, and
                          though it lies below a hidden one; without symbolic links
  --squash                new files belong to this process's user, whatever a client requests
  --allow-devices         clients may make device nodes
  --donate-directories    donate directories too (a client without a filter can leave the root)
  --max-fids N            fids a client may hold; the default follows the limit of open files
  --msize BYTES           largest message granted (${MSIZE_MIN} to ${MSIZE_MAX})
  --spin N                empty reads before going to sleep (default 0)
  --require-confinement   fail if the host does not permit every part of the confinement
  --no-confinement        do not confine this process
  --quiet                 do not say what the host refused of the confinement
  --help, --version
`;

/** One --root. */
interface RootArgument {
  readonly path: string;
  readonly isReadOnly: boolean;
  /** Leaves out what is mounted below it. */
  readonly isFlat: boolean;
  readonly connects: boolean;
  /** Descriptor of the directory as a clone that the starter of this program made; -1: none. */
  readonly copy: number;
  readonly binds: boolean;
  /** Shows what the host mounts below it later. */
  readonly follows: boolean;
  /** Shows what the modes of its files permit others to read. */
  readonly isPublic: boolean;
  /** Paths in it, byte strings. */
  readonly hidden: readonly string[];
  readonly shown: readonly string[];
}

/** A checked command line. */
export interface GoferCommand {
  readonly kind: "serve" | "listen" | "help" | "version";
  /** serve: the socket. */
  readonly fd: number;
  /** listen: the address, and its text on the command line. */
  readonly address: ListenAddress | null;
  readonly addressText: string;
  readonly roots: readonly RootArgument[];
  readonly policy: ServerPolicy;
  /** -1: derived from the limit of open files. */
  readonly fidsMax: number;
  readonly msizeMax: number;
  readonly spins: number;
  readonly confinement: "try" | "require" | "none";
  readonly isQuiet: boolean;
}

/** A wrong command line; the message gives the reason. */
export class UsageError extends Error {
  override name = "UsageError";
}

const STRINGS = ["fd", "root", "hide", "show", "listen", "max-fids", "msize", "spin"] as const;
/** Options that may be given several times. */
const LISTS: readonly string[] = ["root", "hide", "show"];
const BOOLEANS = [
  "squash",
  "allow-devices",
  "donate-directories",
  "require-confinement",
  "no-confinement",
  "quiet",
  "help",
  "version",
] as const;

function numberOf(name: string, text: string | undefined, low: number, high: number): number {
  const n = text === undefined || !/^\d+$/.test(text) ? NaN : Number(text);
  if (!(n >= low && n <= high)) {
    throw new UsageError(`--${name} wants a number from ${low} to ${high}, not "${text ?? ""}"`);
  }
  return n;
}

function rootOf(text: string): RootArgument {
  const suffix =
    /:(?:ro|rw)(?::flat)?(?::uds)?(?::bind)?(?::slave)?(?::public)?(?::fd=\d{1,7})?$/.exec(text)
      ?.[0] ?? "";
  const path = text.slice(0, text.length - suffix.length);
  if (path === "") throw new UsageError(`--root "${text}" names no directory`);
  return {
    path,
    isReadOnly: suffix.startsWith(":ro"),
    isFlat: suffix.includes(":flat"),
    connects: suffix.includes(":uds"),
    copy: Number(/:fd=(\d+)$/.exec(suffix)?.[1] ?? -1),
    binds: suffix.includes(":bind"),
    follows: suffix.includes(":slave"),
    isPublic: suffix.includes(":public"),
    hidden: [],
    shown: [],
  };
}

/** The roots, the first one with the paths to hide and to show. */
function rootsOf(texts: readonly string[], hidden: string[], shown: string[]): RootArgument[] {
  const [first, ...others] = texts.map(rootOf);
  if (first === undefined) return [];
  const roots = [{
    ...first,
    hidden: hidden.map(byteStringOf),
    shown: shown.map(byteStringOf),
  }, ...others];
  for (const root of roots) {
    if (root.isReadOnly || !(root.isPublic || root.shown.length > 0)) continue;
    throw new UsageError(`root ${root.path} must be :ro for :public and --show`);
  }
  return roots;
}

/** Refuses what would otherwise be ignored: a switch with a value, an option's second value. */
function refuseAmbiguous(argv: readonly string[]): void {
  const seen = new Set<string>();
  for (const arg of argv) {
    const [, name = "", value] = /^--([^=]+)(=.*)?$/s.exec(arg) ?? [];
    if (name === "" || LISTS.includes(name)) continue;
    if (value !== undefined && BOOLEANS.some((b) => b === name)) {
      throw new UsageError(`--${name} takes no value: ${arg}`);
    }
    if (seen.has(name)) throw new UsageError(`--${name} is given twice`);
    seen.add(name);
  }
}

/** Reads a command line. Throws a UsageError. */
export function parseCommandLine(argv: readonly string[]): GoferCommand {
  refuseAmbiguous(argv);
  const args = parseArgs([...argv], {
    string: STRINGS,
    boolean: BOOLEANS,
    collect: ["root", "hide", "show"],
    unknown: (arg, key) => {
      if (key !== undefined) throw new UsageError(`there is no option ${arg}`);
      return true;
    },
  });
  const positional = args._.map(String);
  const policy: ServerPolicy = {
    ...DEFAULT_POLICY,
    squash: args.squash,
    devices: args["allow-devices"],
    donateDirectories: args["donate-directories"],
  };
  const common = {
    roots: rootsOf(args.root ?? [], args.hide ?? [], args.show ?? []),
    policy,
    fidsMax: args["max-fids"] === undefined
      ? -1
      : numberOf("max-fids", args["max-fids"], 2, 1 << 24),
    msizeMax: args.msize === undefined
      ? MSIZE_MAX
      : numberOf("msize", args.msize, MSIZE_MIN, MSIZE_MAX),
    spins: args.spin === undefined ? 0 : numberOf("spin", args.spin, 0, 1e9),
    confinement: confinementOf(args["require-confinement"], args["no-confinement"]),
    isQuiet: args.quiet,
    fd: -1,
    address: null,
    addressText: "",
  };
  if (args.help) return { ...common, kind: "help" };
  if (args.version) return { ...common, kind: "version" };
  if (common.roots.length === 0) throw new UsageError("nothing to serve: give --root DIR");
  if (positional.length === 1 && positional[0] === "serve") {
    if (args.listen !== undefined) throw new UsageError("serve takes --fd, not --listen");
    return { ...common, kind: "serve", fd: numberOf("fd", args.fd, 0, 2 ** 20) };
  }
  if (positional.length > 0) {
    throw new UsageError(`"${positional[0]}" is no command; there is only serve`);
  }
  if (args.listen === undefined) throw new UsageError("give a command, or --listen ADDR");
  if (args.fd !== undefined) throw new UsageError("--fd is for the command serve");
  return {
    ...common,
    kind: "listen",
    address: listenAddress(args.listen),
    addressText: args.listen,
  };
}

function confinementOf(isRequired: boolean, isOff: boolean): "try" | "require" | "none" {
  if (isRequired && isOff) {
    throw new UsageError("--require-confinement and --no-confinement exclude each other");
  }
  return isRequired ? "require" : isOff ? "none" : "try";
}

function listenAddress(text: string): ListenAddress {
  try {
    return parseListenAddress(text);
  } catch (e) {
    throw new UsageError(e instanceof Error ? e.message : String(e));
  }
}
