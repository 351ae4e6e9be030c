import { assert, assertEquals } from "@std/assert";
import { EFAULT, ENOMEM } from "../../ffi/abi/errno.ts";
import { Arena } from "../../ffi/mem/arena.ts";
import { FrameAllocator } from "../mm/frames.ts";
import { Random } from "../vfs/exerciser_testing.ts";
import { BufferCursor } from "../vfs/vfs_testing.ts";
import { ByteRing } from "./byte_ring.ts";

function cursorOf(...bytes: number[]): BufferCursor {
  return new BufferCursor(new Uint8Array(bytes));
}

function taken(ring: ByteRing, n: number): number[] {
  const io = new BufferCursor(new Uint8Array(n));
  const got = ring.take(io, Math.min(n, ring.length));
  return [...io.buffer.subarray(0, got)];
}

Deno.test("a ring returns its bytes in order, through wraps and growth", () => {
  const seed = Deno.pid, random = new Random(seed);
  const arena = Arena.create(64 << 20, 0), frames = new FrameAllocator(arena);
  const ring = new ByteRing(frames, 300_000), other = new ByteRing(frames, 50_000);
  let model: number[] = [], otherModel: number[] = [], next = 0;
  for (let step = 0; step < 3000; step++) {
    const where = `seed ${seed}, step ${step}`;
    const n = random.below(random.chance(20) ? 60_000 : 3000);
    switch (random.below(6)) {
      case 0:
      case 1: {
        const fits = Math.min(n, ring.room);
        const bytes = new Uint8Array(fits).map(() => next++ & 0xff);
        assertEquals(ring.put(new BufferCursor(bytes), fits), fits, where);
        model = model.concat([...bytes]);
        break;
      }
      case 2: {
        const got = taken(ring, n);
        assertEquals(got, model.slice(0, got.length), where);
        assertEquals(got.length, Math.min(n, model.length), where);
        model = model.slice(got.length);
        break;
      }
      case 3: {
        const offset = random.below(model.length + 1), len = Math.min(n, model.length - offset);
        const io = new BufferCursor(new Uint8Array(len));
        assertEquals(ring.peek(io, offset, len), len, where);
        assertEquals([...io.buffer], model.slice(offset, offset + len), where);
        break;
      }
      case 4: {
        const offset = random.below(model.length + 1);
        const len = Math.min(n, model.length - offset, other.room);
        assertEquals(other.putFrom(ring, offset, len), 0, where);
        otherModel = otherModel.concat(model.slice(offset, offset + len));
        break;
      }
      default: {
        const got = taken(other, n);
        assertEquals(got, otherModel.slice(0, got.length), where);
        otherModel = otherModel.slice(got.length);
      }
    }
    assertEquals(ring.length, model.length, where);
  }
  ring.free();
  other.free();
  assertEquals(frames.usedBytes, 0);
  arena.close();
});

Deno.test("a fault in the middle of a put leaves the whole pages that were moved", () => {
  const arena = Arena.create(16 << 20, 0), frames = new FrameAllocator(arena);
  const ring = new ByteRing(frames, 65536);
  assertEquals(ring.put(new BufferCursor(new Uint8Array(100), 40), 100), -EFAULT);
  assertEquals(ring.length, 0);
  assertEquals(ring.put(new BufferCursor(new Uint8Array(8192).fill(7), 4136), 8192), 4096);
  assertEquals(taken(ring, 8192), new Array(4096).fill(7));
  ring.free();
  arena.close();
});

Deno.test("a ring without memory fails with ENOMEM and is unchanged", () => {
  const arena = Arena.create(2 << 20, 0), frames = new FrameAllocator(arena);
  const ring = new ByteRing(frames, 16 << 20);
  assertEquals(ring.put(cursorOf(1, 2, 3), 3), 3);
  assertEquals(ring.put(new BufferCursor(new Uint8Array(4 << 20)), 4 << 20), -ENOMEM);
  assertEquals(taken(ring, 3), [1, 2, 3]);
  ring.free();
  arena.close();
});

Deno.test("the front and the back can be filled and emptied in place", () => {
  const arena = Arena.create(16 << 20, 0), frames = new FrameAllocator(arena);
  const ring = new ByteRing(frames, 8192);
  const at = ring.backAddress(5);
  assert(ring.backRun >= 5);
  for (let i = 0; i < 5; i++) arena.dv.setUint8(at - arena.base + i, 10 + i);
  ring.commit(5);
  assertEquals(ring.frontRun, 5);
  assertEquals(arena.dv.getUint8(ring.frontAddress - arena.base), 10);
  ring.unput(2);
  assertEquals(taken(ring, 9), [10, 11, 12]);
  ring.free();
  arena.close();
});
