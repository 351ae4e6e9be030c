/**
 * For tests: a seeded exerciser of our client against any server. Every result is compared with a
 * model of the tree.
 *
 * It uses what both dialects have (no donated descriptors), and one fid a call, so it also works
 * with servers that keep files by path. The model is Linux's, for root, on an ordinary file system.
 * Neighbours: gofer_client.ts; tests/gofer has a larger one, which drives a whole kernel.
 */

import { assert, assertEquals } from "@std/assert";
import { EEXIST, EISDIR, ENODATA, ENOENT, ENOTDIR, ENOTEMPTY } from "../../ffi/abi/errno.ts";
import { EINVAL } from "../../ffi/abi/errno.ts";
import { O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY } from "../../ffi/abi/fcntl.ts";
import { S_IFDIR, S_IFLNK, S_IFMT, S_IFREG } from "../../ffi/abi/stat.ts";
import * as C from "../protocol/constants.ts";
import type { Random } from "../server/requests_testing.ts";
import { type GoferClient, NOFID, STOP_COMPLETE, Tsetattr } from "./gofer_client.ts";

interface Node {
  readonly type: number;
  mode: number;
  uid: number;
  data: Uint8Array<ArrayBuffer>;
  readonly names: Map<string, Node>;
  readonly target: string;
  readonly xattrs: Map<string, string>;
  links: number;
}

type Place = { readonly path: string[]; readonly dir: Node };

const NAMES = ["a", "b", "c", "d", ".hidden", "with space", "\xff\x01", "n".repeat(255)];

function node(type: number, mode: number, target = ""): Node {
  const empty = { data: new Uint8Array(0), names: new Map(), xattrs: new Map() };
  return { type, mode, uid: 0, target, links: 1, ...empty };
}

function holds(above: Node, below: Node): boolean {
  return above === below || [...above.names.values()].some((n) => holds(n, below));
}

interface ExerciserQuirks {
  /** The server serves user.* attributes. */
  readonly hasXattrs: boolean;
}

/** Runs calls on root 0, which is attached as fid 0 and must be empty. */
export class ClientExerciser {
  readonly seen: Map<string, number> = new Map();
  readonly #c: GoferClient;
  readonly #random: Random;
  readonly #quirks: ExerciserQuirks;
  readonly #root: Node = node(S_IFDIR, 0o755);

  constructor(client: GoferClient, random: Random, quirks: ExerciserQuirks) {
    this.#c = client;
    this.#random = random;
    this.#quirks = quirks;
  }

  run(calls: number): void {
    const steps = [
      this.#create,
      this.#create,
      this.#write,
      this.#write,
      this.#write,
      this.#truncate,
      this.#mkdir,
      this.#symlink,
      this.#link,
      this.#unlink,
      this.#unlink,
      this.#rename,
      this.#rename,
      this.#chmod,
      this.#xattr,
      this.#look,
      this.#look,
      this.#list,
    ];
    for (let i = 0; i < calls; i++) {
      const step = this.#pick(steps) ?? this.#look;
      this.seen.set(step.name, (this.seen.get(step.name) ?? 0) + 1);
      step.call(this);
    }
    for (const { path, dir } of this.#places()) {
      this.#listOne(path, dir);
      for (const [name, n] of dir.names) this.#lookAt([...path, name], n);
    }
  }

  #pick<T>(from: readonly T[]): T | undefined {
    return from[this.#random(from.length)];
  }

  #places(): Place[] {
    const out: Place[] = [{ path: [], dir: this.#root }];
    for (const { path, dir } of out) {
      for (const [name, n] of dir.names) {
        if (n.type === S_IFDIR) out.push({ path: [...path, name], dir: n });
      }
    }
    return out;
  }

  /** A directory, and a name that may be in it. */
  #place(): Place & { name: string } {
    const at = this.#pick(this.#places()) ?? { path: [], dir: this.#root };
    const known = this.#random(5) < 3 ? this.#pick([...at.dir.names.keys()]) : undefined;
    return { ...at, name: known ?? this.#pick(NAMES) ?? "a" };
  }

  /** The name of an existing file of a type. */
  #existing(...types: number[]): { path: string[]; node: Node } | null {
    const all = this.#places().flatMap(({ path, dir }) => {
      return [...dir.names].map(([name, n]) => ({ path: [...path, name], node: n }));
    });
    return this.#pick(all.filter((e) => types.includes(e.node.type))) ?? null;
  }

  /** Runs `body` with a fid of an existing path. */
  #at<T>(path: readonly string[], body: (fid: number) => T): T {
    const fid = this.#c.fids.take();
    assertEquals(this.#c.walkGetattr(0, fid, path), Math.max(1, path.length), path.join("/"));
    assertEquals(this.#c.walk.stop, STOP_COMPLETE, path.join("/"));
    const result = body(fid);
    this.#c.clunk(fid);
    return result;
  }

  #add(place: Place & { name: string }, n: Node): void {
    place.dir.names.set(place.name, n);
  }

  #create(): void {
    const p = this.#place(), there = p.dir.names.get(p.name);
    if (there !== undefined) return; // servers differ in the effect of Tlcreate on an existing file
    const mode = this.#pick([0o644, 0o600, 0o755, 0o400]) ?? 0;
    this.#at(p.path, (dir) => {
      const fid = this.#c.fids.take();
      assertEquals(this.#c.create(dir, fid, p.name, O_RDWR | O_CREAT, mode, 0, 0), 0, p.name);
      const n = node(S_IFREG, mode);
      this.#add(p, n);
      this.#writeTo(fid, n);
      this.#c.clunk(fid);
    });
  }

  #writeTo(fid: number, n: Node): void {
    const len = this.#random(3) === 0 ? this.#random(150_000) : this.#random(5000);
    const bytes = new Uint8Array(len).map(() => this.#random(256));
    const offset = this.#random(n.data.length + 3000);
    for (let done = 0; done < len;) {
      const r = this.#c.write(fid, offset + done, bytes, done, len - done);
      assert(r > 0, `write: ${r}`);
      done += r;
    }
    if (len === 0) return;
    const grown = new Uint8Array(Math.max(n.data.length, offset + len));
    grown.set(n.data);
    grown.set(bytes, offset);
    n.data = grown;
  }

  #write(): void {
    const found = this.#existing(S_IFREG);
    if (found === null) return;
    this.#at(found.path, (fid) => {
      const cuts = this.#random(8) === 0;
      assertEquals(this.#c.lopen(fid, O_WRONLY | (cuts ? O_TRUNC : 0)), 0);
      if (cuts) found.node.data = new Uint8Array(0);
      this.#writeTo(fid, found.node);
      if (this.#random(4) === 0) assertEquals(this.#c.fsync(fid, false), 0);
    });
  }

  #setattr(path: readonly string[], fields: Partial<Tsetattr>): void {
    this.#at(path, (fid) => {
      assertEquals(this.#c.setattr(Object.assign(new Tsetattr(), { fid }, fields)), 0);
    });
  }

  #truncate(): void {
    const found = this.#existing(S_IFREG);
    if (found === null) return;
    const size = this.#random(found.node.data.length * 2 + 10);
    this.#setattr(found.path, { valid: C.SETATTR_SIZE, size });
    const data = new Uint8Array(size);
    data.set(found.node.data.subarray(0, size));
    found.node.data = data;
  }

  #chmod(): void {
    const found = this.#existing(S_IFREG, S_IFDIR);
    if (found === null) return;
    const mode = this.#pick([0o700, 0o755, 0o711]) ?? 0, uid = this.#random(2) * 1000;
    this.#setattr(found.path, { valid: C.SETATTR_MODE | C.SETATTR_UID, mode, uid });
    Object.assign(found.node, { mode, uid });
  }

  #mkdir(): void {
    const p = this.#place();
    if (p.path.length > 4) return;
    const r = this.#at(p.path, (dir) => this.#c.mkdir(dir, NOFID, p.name, 0o750, 0, 0));
    assertEquals(r, p.dir.names.has(p.name) ? -EEXIST : 0, `mkdir ${p.name}`);
    if (r === 0) this.#add(p, node(S_IFDIR, 0o750));
  }

  #symlink(): void {
    const p = this.#place(), target = this.#pick(["x", "../y", "t".repeat(1000)]) ?? "x";
    const r = this.#at(p.path, (dir) => this.#c.symlink(dir, NOFID, p.name, target, 0, 0));
    assertEquals(r, p.dir.names.has(p.name) ? -EEXIST : 0, `symlink ${p.name}`);
    if (r === 0) this.#add(p, node(S_IFLNK, 0o777, target));
  }

  #link(): void {
    const p = this.#place(), found = this.#existing(S_IFREG);
    if (found === null) return;
    const r = this.#at(p.path, (dir) => {
      return this.#at(found.path, (fid) => this.#c.link(dir, fid, p.name));
    });
    assertEquals(r, p.dir.names.has(p.name) ? -EEXIST : 0, `link ${p.name}`);
    if (r < 0) return;
    this.#add(p, found.node);
    found.node.links++;
  }

  #unlink(): void {
    const p = this.#place(), n = p.dir.names.get(p.name), isDirectory = this.#random(3) === 0;
    const flags = isDirectory ? C.UNLINK_REMOVEDIR : 0;
    const r = this.#at(p.path, (dir) => this.#c.unlink(dir, p.name, flags));
    let want = 0;
    if (n === undefined) want = -ENOENT;
    else if (isDirectory && n.type !== S_IFDIR) want = -ENOTDIR;
    else if (!isDirectory && n.type === S_IFDIR) want = -EISDIR;
    else if (n.names.size > 0) want = -ENOTEMPTY;
    assertEquals(r, want, `unlink ${p.name}`);
    if (n === undefined || r < 0) return;
    p.dir.names.delete(p.name);
    n.links--;
  }

  #rename(): void {
    const from = this.#place(), to = this.#place();
    const n = from.dir.names.get(from.name), over = to.dir.names.get(to.name);
    if (n?.type === S_IFDIR && to.path.length > 4) return;
    let want = 0;
    if (n === undefined) want = -ENOENT;
    else if (holds(n, to.dir)) want = -EINVAL;
    else if (over !== undefined && holds(over, from.dir)) want = -ENOTEMPTY;
    else if (over !== undefined && over !== n) {
      if (n.type === S_IFDIR && over.type !== S_IFDIR) want = -ENOTDIR;
      else if (n.type !== S_IFDIR && over.type === S_IFDIR) want = -EISDIR;
      else if (over.names.size > 0) want = -ENOTEMPTY;
    }
    const r = this.#at(from.path, (a) => {
      return this.#at(to.path, (b) => this.#c.rename(a, from.name, b, to.name));
    });
    assertEquals(
      r,
      want,
      `rename ${from.path.join("/")}/${from.name} ${to.path.join("/")}/${to.name}`,
    );
    if (r < 0 || n === undefined || over === n) return;
    if (over !== undefined) over.links--;
    from.dir.names.delete(from.name);
    to.dir.names.set(to.name, n);
  }

  #xattr(): void {
    const found = this.#existing(S_IFREG, S_IFDIR);
    if (found === null || !this.#quirks.hasXattrs) return;
    const { xattrs } = found.node, name = this.#pick(["user.a", "user.b"]) ?? "";
    this.#at(found.path, (fid) => {
      if (this.#random(4) === 0) {
        assertEquals(this.#c.removexattr(fid, name), xattrs.delete(name) ? 0 : -ENODATA);
        return;
      }
      const value = "v".repeat(1 + this.#random(200));
      assertEquals(this.#c.setxattr(fid, name, new TextEncoder().encode(value), 0), 0);
      xattrs.set(name, value);
    });
  }

  #look(): void {
    const found = this.#existing(S_IFREG, S_IFDIR, S_IFLNK);
    if (found !== null) this.#lookAt(found.path, found.node);
  }

  #lookAt(path: string[], n: Node): void {
    const what = path.join("/"), c = this.#c;
    this.#at(path, (fid) => {
      assertEquals(c.getattr(fid), 0, what);
      const { attr } = c;
      assertEquals(attr.mode & S_IFMT, n.type, what);
      if (n.type !== S_IFLNK) assertEquals([attr.mode & 0o7777, attr.uid], [n.mode, n.uid], what);
      if (n.type === S_IFREG) assertEquals([attr.size, attr.nlink], [n.data.length, n.links], what);
      if (n.type === S_IFLNK) assertEquals(c.readlink(fid), n.target, what);
      for (const [name, value] of n.xattrs) {
        const got = c.getxattr(fid, name);
        assert(typeof got !== "number", `${what}: ${name}: ${got}`);
        assertEquals(new TextDecoder().decode(got), value, `${what}: ${name}`);
      }
      if (n.type === S_IFREG) this.#readAll(fid, n, what);
    });
  }

  #readAll(fid: number, n: Node, what: string): void {
    assertEquals(this.#c.lopen(fid, O_RDONLY), 0, what);
    let at = 0;
    for (;;) {
      const r = this.#c.read(fid, at, 1 + this.#random(60_000));
      assert(r >= 0, `${what}: read: ${r}`);
      if (r === 0) break;
      const { data } = this.#c;
      for (let i = 0; i < r; i++) {
        if (data.at(i) !== n.data[at + i]) assert(false, `${what}: byte ${at + i} differs`);
      }
      at += r;
    }
    assertEquals(at, n.data.length, what);
  }

  #list(): void {
    const at = this.#pick(this.#places());
    if (at !== undefined) this.#listOne(at.path, at.dir);
  }

  #listOne(path: string[], dir: Node): void {
    const names: string[] = [], c = this.#c;
    this.#at(path, (fid) => {
      assertEquals(c.lopen(fid, O_RDONLY), 0);
      for (let lo = 0, hi = 0;;) {
        const n = c.readdir(fid, lo, hi, 2000);
        assert(n >= 0, `readdir: ${n}`);
        if (n === 0) break;
        while (c.entries.next()) {
          const name = c.entries.name.toByteString();
          if (name !== "." && name !== "..") names.push(name);
          lo = c.entries.offsetLo;
          hi = c.entries.offsetHi;
        }
      }
    });
    assertEquals(names.sort(), [...dir.names.keys()].sort(), path.join("/"));
  }
}
