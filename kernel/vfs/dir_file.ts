/** The base class of open directories: a position of readdir, and no bytes to read or write. */

import { EISDIR } from "../../ffi/abi/errno.ts";
import type { IoCursor } from "../mm/io_cursor.ts";
import { OpenFile } from "./open_file.ts";

export abstract class DirFile extends OpenFile {
  override get isSeekable(): boolean {
    return true;
  }
  override read(_io: IoCursor, _offset: number): number {
    return -EISDIR;
  }
  override write(_io: IoCursor, _offset: number): number {
    return -EISDIR;
  }
}
