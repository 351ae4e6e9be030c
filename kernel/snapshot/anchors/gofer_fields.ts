/**
 * Files of a Gofer: in a copy nothing that the Gofer has answered counts, and all descriptors and
 * fids are those of the connection that the copy is given. Each file system is reconnected when
 * everything else is in place, before memories are mapped.
 */

import type { GoferClient } from "../../../gofer/client/gofer_client.ts";
import type { Account } from "../../core/account.ts";
import { HostDescriptors } from "../../core/host_descriptors.ts";
import { HOST_FILES } from "../../core/quota.ts";
import { GoferBacking } from "../../fs/gofer/backing.ts";
import { GoferDirectory } from "../../fs/gofer/directory.ts";
import { DonatedFile } from "../../fs/gofer/donated_file.ts";
import { FetchedNames } from "../../fs/gofer/fetched_names.ts";
import { FidCache } from "../../fs/gofer/fid_cache.ts";
import { GoferFs } from "../../fs/gofer/gofer_fs.ts";
import { GoferInode } from "../../fs/gofer/gofer_inode.ts";
import { IdleFiles } from "../../fs/gofer/idle_files.ts";
import { Listing, ListingCache } from "../../fs/gofer/listing.ts";
import { OpenAhead } from "../../fs/gofer/open_ahead.ts";
import { disconnect, reconnect } from "../../fs/gofer/reconnect.ts";
import { GoferRegular } from "../../fs/gofer/regular.ts";
import { TreeScan } from "../../fs/gofer/tree_scan.ts";
import { readUnnamed } from "../../fs/gofer/unnamed_bytes.ts";
import type { AnchorRule, ConvertedField, CopyPurpose, FieldRule } from "../graph/class_row.ts";
import { Refusal } from "../graph/graph_error.ts";
import { fresh, made, type MadeFields, NONE, scratchPage, ZERO } from "./field_rules.ts";
import type { Surroundings } from "./surroundings.ts";

/** Stages of fields: of what a file system has, and last its connection. */
const STAGE_IDLE = 1, STAGE_INODES = 1, STAGE_CONNECTED = 8;

const NO_NUMBER = { value: -1 } as const;
const FALSE = { value: false } as const;

/** The connection to the Gofer with the same name. */
export const GOFER: AnchorRule = {
  fate: "anchor",
  stage: 0,
  isShared: true,
  save: (object) => [(object as GoferClient).name],
  load([name], host) {
    if (typeof name !== "string") return null;
    const client = (host as Surroundings).goferClient(name);
    if (client === null) throw new Refusal(`there is no file server for the files of "${name}"`);
    return client;
  },
};

/** Descriptors without users are left out: what they were charged to, and how many may be kept. */
const IDLE: Readonly<ConvertedField> = {
  stage: STAGE_IDLE,
  save(object) {
    const { donated, idle } = object as GoferFs;
    return [idle.max, ...[...donated].filter(isIdle).map(({ account }) => account)];
  },
  make(object, _host, saved) {
    const { ctx, descriptors } = object as GoferFs;
    const [max, ...accounts] = saved as [number, ...Account[]];
    for (const account of accounts) descriptors.give(account);
    return new IdleFiles(ctx, max);
  },
};

/** The open descriptors, which are opened again. */
const DONATED: Readonly<ConvertedField> = {
  stage: STAGE_CONNECTED,
  save: (object) => new Set([...(object as GoferFs).donated].filter((file) => !isIdle(file))),
  make(object, host, saved) {
    const fs = object as GoferFs, { reconnect: options, changes } = host as Surroundings;
    Reflect.set(fs, "donated", saved);
    const found = reconnect(fs, fs.client, fs.attachName, options);
    if (typeof found === "number") {
      disconnect(fs);
      const { client: { name }, attachName } = fs;
      throw new Refusal(`the file server of "${name}" has no tree ${attachName}: error ${-found}`);
    }
    changes.push(...found);
    return saved;
  },
  release: (_made, _host, object) => disconnect(object as GoferFs),
};

/** The units of the descriptors that accounts are charged for. */
const DESCRIPTORS: Readonly<FieldRule> = {
  save: (object) => (object as GoferFs).descriptors.units,
  make: (_object, _host, units) => new HostDescriptors(HOST_FILES, 1, Number(units)),
};

/**
 * The table of inodes has those that something else refers to; a file without names is not in it.
 */
const IS_FORGOTTEN: Readonly<ConvertedField> = {
  stage: STAGE_INODES,
  save(object) {
    const inode = object as GoferInode;
    return inode.isForgotten ? null : inode.fs.hasInTable(inode);
  },
  make(object, _host, isInTable) {
    const inode = object as GoferInode;
    if (isInTable === true) inode.fs.addToTable(inode);
    return isInTable === null;
  },
};

function isIdle({ users }: DonatedFile): boolean {
  return users === 0;
}

function isUnnamed(file: GoferRegular): boolean {
  return file.isInUse && !file.hasPlace && file !== file.fs.root;
}

function inUse(field: "reader" | "writer"): FieldRule {
  return {
    save(object) {
      const file: DonatedFile | null = Reflect.get(object, field);
      return file === null || isIdle(file) ? null : file;
    },
  };
}

/** Those of a file without a name, if there is room for them; a larger file is lost. */
function unnamedBytes(object: object, { fileRoom }: CopyPurpose): Uint8Array | null {
  const inode = object as GoferRegular;
  if (fileRoom === undefined || !isUnnamed(inode)) return null;
  const bytes = readUnnamed(inode, fileRoom.bytes);
  if (bytes !== null) fileRoom.bytes -= bytes.length;
  return bytes;
}

export const GOFER_FIELDS: readonly MadeFields[] = [
  {
    made: GoferFs,
    fields: {
      descriptors: DESCRIPTORS,
      donated: DONATED,
      fetchedNames: fresh(() => new FetchedNames()),
      fids: made(({ client }: GoferFs) => new FidCache(client)),
      idle: IDLE,
      inodes: fresh(() => new Map()),
      iovFrame: made(({ ctx: { frames } }: GoferFs) => scratchPage(frames)),
      listings: fresh(() => new ListingCache()),
      opens: made((fs: GoferFs) => new OpenAhead(fs)),
      rootFid: NO_NUMBER,
      trees: made((fs: GoferFs) => new TreeScan(fs)),
      unheld: fresh(() => []),
    },
  },
  {
    made: GoferInode,
    fields: {
      fid: NO_NUMBER,
      isBare: FALSE,
      isForgotten: IS_FORGOTTEN,
      wasFidUsed: FALSE,
      xattrs: NONE,
    },
  },
  {
    made: GoferDirectory,
    fields: {
      missing: NONE,
      scanned: NONE,
    },
  },
  {
    made: GoferRegular,
    fields: {
      reader: inUse("reader"),
      unnamedBytes: { save: unnamedBytes },
      writer: inUse("writer"),
    },
  },
  {
    made: DonatedFile,
    fields: {
      fd: NO_NUMBER,
    },
  },
  {
    made: GoferBacking,
    fields: {
      platformFile: NO_NUMBER,
    },
  },
  // An open directory needs only the names that it has not returned yet.
  {
    made: Listing,
    fields: {
      bytes: fresh(() => new Uint8Array(0)),
      index: NONE,
      isFull: FALSE,
      order: NONE,
      recordCount: ZERO,
      records: NONE,
      targets: NONE,
      view: fresh(() => new DataView(new ArrayBuffer(0))),
    },
  },
];
