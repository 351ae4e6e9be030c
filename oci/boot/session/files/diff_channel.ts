/** `diff`: what was written to the sandbox's root, an overlay whose upper layer has all changes. */

import { BLOCK } from "../../../../kernel/core/result.ts";
import { OverlayFs } from "../../../../kernel/fs/overlay/overlay_fs.ts";
import type { FileSystem } from "../../../../kernel/vfs/inode.ts";
import type { Change } from "../../../protocol/session/messages.ts";
import { callError, pathError } from "../call_errors.ts";
import { wireOf } from "../../../protocol/wire_text.ts";
import { FileChannel, type FileRequest, unitsAfter } from "./file_channel.ts";
import { DEPTH_MAX, TOO_DEEP } from "./open_tree.ts";
import { OverlayChanges } from "./overlay_changes.ts";

const WHAT = "cannot read the changes of";
/** Characters of the paths of an event; JSON may have six bytes for one. */
const BATCH_CHARS = 16 << 10;
const NAME_UNITS = 16;

export class DiffChannel extends FileChannel {
  readonly #fs: FileSystem;
  readonly #ownPaths: ReadonlySet<string>;
  #changes: OverlayChanges | null = null;
  #batch: Change[] = [];
  #chars = 0;

  /**
   * @param root of the sandbox
   * @param ownPaths what the runtime has made there, which is no change
   */
  constructor(request: FileRequest, root: FileSystem, ownPaths: ReadonlySet<string>) {
    super(request);
    this.#fs = root;
    this.#ownPaths = ownPaths;
  }

  protected override work(units: number): number {
    const changes = this.#changes ?? this.#begin();
    if (changes === null) return units;
    for (let left = units; left > 0; left -= NAME_UNITS) {
      if (this.mustPause()) return left;
      const r = changes.step();
      if (r === BLOCK) return 0;
      if (r === 0) continue;
      if (r > 0) {
        this.#send();
        this.finish({});
      } else this.#failAt(wireOf(changes.path), r);
      return unitsAfter(left, 0);
    }
    return 0;
  }

  #begin(): OverlayChanges | null {
    const fs = this.#fs;
    if (!(fs instanceof OverlayFs)) {
      const message = "the root of the sandbox is no overlay: its changes are not kept apart";
      this.fail({ code: "Unsupported", message });
      return null;
    }
    const { account } = this.caller;
    return this.#changes = new OverlayChanges(fs, account, (path, kind) => this.#add(path, kind));
  }

  #failAt(path: string, r: number): void {
    if (r === TOO_DEEP) {
      const why = `directories are more than ${DEPTH_MAX} deep, or a path is too long`;
      this.fail(pathError("Limit", WHAT, path, why));
    } else this.fail(callError(WHAT, path, r));
  }

  #add(bytes: string, kind: Change["kind"]): void {
    if (kind === "added" && this.#ownPaths.has(bytes)) return;
    const path = wireOf(bytes);
    this.#batch.push({ path, kind });
    this.#chars += path.length;
    if (this.#chars >= BATCH_CHARS) this.#send();
  }

  #send(): void {
    if (this.#batch.length > 0) this.port.event({ changes: this.#batch });
    this.#batch = [];
    this.#chars = 0;
  }

  protected override release(): void {
    this.#changes?.close();
  }
}
