/** The table of everything that a kernel holds: rows of state with their rules, and anchors. */

import { GoferClient } from "../../../gofer/client/gofer_client.ts";
import { INITIAL_USER_NAMESPACE } from "../../cred/user_namespace.ts";
import { HostFdInode, HostWatch } from "../../fs/hostfd/host_inode.ts";
import { CpuInfo } from "../../proc/fs/cpu_info.ts";
import { FrameAllocator } from "../../mm/frames.ts";
import { FileWindows } from "../../mm/windows.ts";
import { LoopDriver } from "../../loop_driver.ts";
import { SharedRecords } from "../../fs/tmpfs/records/record_table.ts";
import { EndedSpace, NoContext } from "../../mm/ended_space.ts";
import { Worker } from "../../uring/worker.ts";
import type { AnchorRule, ClassRow, FieldRule, FrameRule, Rule } from "../graph/class_row.ts";
import { ClassTable } from "../graph/class_table.ts";
import { BOOT_FIELDS } from "./boot_objects.ts";
import type { MadeFields } from "./field_rules.ts";
import { GOFER, GOFER_FIELDS } from "./gofer_fields.ts";
import { HOST_FD_FIELDS } from "./host_fd_fields.ts";
import { HOST_NET_FIELDS } from "./host_net_fields.ts";
import { FRAME_FOLLOWERS, FRAME_HOLDERS, WRITTEN_IN_PLACE } from "./frame_holders.ts";
import { MADE_FIELDS } from "./made_fields.ts";
import { TREE_FIELDS } from "./tree_fields.ts";
import { CONTEXT, FRAMES, given, SPACE } from "./surroundings_rules.ts";
import type { StateRow } from "../state_row.ts";
import { STATE_TABLE } from "../state_table.ts";
import { type Made, named, type SurroundingClasses } from "./surroundings.ts";

const CONSTANTS: ReadonlyMap<string, object> = new Map([
  ["the first user namespace", INITIAL_USER_NAMESPACE],
]);

/** @param classes those of the surroundings that the kernel runs on */
export function kernelTable(classes: SurroundingClasses): ClassTable {
  const rows = STATE_TABLE.filter(({ made }) => made !== FrameAllocator).map(stateRow);
  return new ClassTable([
    ...rows,
    ...anchors({ FrameAllocator }, FRAMES),
    ...anchors({ FileWindows }, given("windows")),
    ...anchors({ LoopDriver }, given("driver")),
    ...anchors({ CpuInfo }, given("cpuInfo")),
    ...anchors({ GoferClient }, GOFER),
    ...anchors({ HostWatch }, { fate: "derived", make: (inode) => hostWatch(inode) }),
    anchor(classes.host, given("host")),
    ...classes.platforms.map((platform) => anchor(platform, given("platform"))),
    anchor(classes.arena, given("arena")),
    ...anchors({ EndedSpace }, SPACE),
    ...classes.spaces.map((space) => anchor(space, SPACE)),
    ...classes.contexts.map((context) => anchor(context, CONTEXT)),
    ...anchors({ SharedRecords }, SHARED_RECORDS),
    ...anchors({ NoContext }, { fate: "derived", make: (worker) => noContext(worker) }),
  ], CONSTANTS);
}

/** They are in no other process: a file has a list of the records. */
const SHARED_RECORDS: AnchorRule = {
  fate: "anchor",
  stage: 0,
  isShared: true,
  save: () => [],
  load: () => null,
};

function hostWatch(inode: object): object | null {
  return inode instanceof HostFdInode ? new HostWatch(inode) : null;
}

function noContext(worker: object): object | null {
  return worker instanceof Worker ? new NoContext(worker.mm.space) : null;
}

function anchors(classes: Readonly<Record<string, { readonly prototype: object }>>, rule: Rule) {
  return named(classes).map((made) => anchor(made, rule));
}

function anchor({ name, prototype }: Made, rule: Rule): ClassRow {
  return { name, prototype, fields: [], rule };
}

function stateRow({ name, made: { prototype }, fields }: StateRow): ClassRow {
  const rules: Record<string, FieldRule> = {};
  for (const field of fields) {
    const rule = madeField(prototype, field);
    if (rule !== null) rules[field] = rule;
  }
  return {
    name,
    prototype,
    fields,
    rule: { fate: "state", fields: rules, ...frameRule(name) },
  };
}

function frameRule(name: string): FrameRule {
  const holder = FRAME_HOLDERS[name];
  if (holder === undefined) return FRAME_FOLLOWERS[name] ?? {};
  const { frames, renumber } = holder;
  return { frames, renumber, areWritten: WRITTEN_IN_PLACE.has(name) };
}

/** The rules of fields by the prototype of the class that declares them. */
const MADE: ReadonlyMap<object, Readonly<Record<string, FieldRule>>> = fieldsByClass([
  ...MADE_FIELDS,
  ...BOOT_FIELDS,
  ...GOFER_FIELDS,
  ...HOST_FD_FIELDS,
  ...HOST_NET_FIELDS,
  ...TREE_FIELDS,
]);

function fieldsByClass(rules: readonly MadeFields[]): Map<object, MadeFields["fields"]> {
  const all = new Map<object, MadeFields["fields"]>();
  for (const { made: { prototype }, fields } of rules) {
    all.set(prototype, { ...all.get(prototype), ...fields });
  }
  return all;
}

function madeField(prototype: object, field: string): FieldRule | null {
  let at: object | null = prototype;
  while (at !== null && at !== Object.prototype) {
    const rule = MADE.get(at)?.[field];
    if (rule !== undefined) return rule;
    at = Object.getPrototypeOf(at);
  }
  return null;
}
