import { assertEquals } from "@std/assert";
import { LabKernel } from "../testing/task_lab.ts";
import { type ChargeOwner, FrameCharges } from "./charges.ts";

class Owner implements ChargeOwner {
  chargedPages: number = 0;
  ownerId: number = 0;
  onTaken(): void {}
}

Deno.test("charges follow frames to other numbers, those of others are given back", () => {
  const lab = new LabKernel(), charges = new FrameCharges(lab), owner = new Owner();
  owner.ownerId = charges.open(owner);
  charges.adopt(owner.ownerId, [{ start: 10, end: 20 }, { start: 70_000, end: 70_005 }]);
  assertEquals(owner.chargedPages, 15);
  const moved = new Map([12, 13, 70_004, 5].map((page, i) => [page, 100_000 + i]));
  const held = [{ first: 5, count: 1 }, { first: 12, count: 2 }, { first: 70_004, count: 1 }];
  charges.renumber(held, (page) => moved.get(page) ?? -1);
  assertEquals(owner.chargedPages, 3);
  charges.uncharge(0, 90_000);
  assertEquals(owner.chargedPages, 3);
  charges.uncharge(100_000, 4);
  assertEquals(owner.chargedPages, 0);
  lab.close();
});
