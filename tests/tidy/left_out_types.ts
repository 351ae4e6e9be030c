/**
 * The fields of state whose declared types allow objects that a snapshot leaves out. Types are
 * known by their names alone: of two types of one name, each counts as the other.
 *
 * Neighbours: state_table.ts (what `deno doc` says), kernel/snapshot/rules (what is left out).
 */

import type { DocModule } from "./state_table.ts";

interface Field {
  readonly owner: string;
  readonly name: string;
  readonly types: ReadonlySet<string>;
}

/** Adds the names of all types in a part of what `deno doc` prints. */
function addTypes(part: unknown, names: Set<string>): Set<string> {
  if (typeof part !== "object" || part === null) return names;
  for (const [key, value] of Object.entries(part)) {
    if (key === "typeName" && typeof value === "string") names.add(value);
    else addTypes(value, names);
  }
  return names;
}

/** Which types may be used for which others: subclasses, implementers, members of unions. */
class Types {
  readonly fields: Field[] = [];
  private readonly below: Map<string, Set<string>> = new Map();
  private readonly bases: Map<string, Set<string>> = new Map();

  constructor(modules: Readonly<Record<string, DocModule>>) {
    for (const { symbols = [] } of Object.values(modules)) {
      for (const { name, declarations } of symbols) {
        for (const { kind, def } of declarations) {
          if (kind === "typeAlias") {
            for (const part of addTypes(def, new Set())) this.put(part, name);
          } else if (kind === "class" || kind === "interface") {
            if (typeof def.extends === "string") this.put(name, def.extends);
            const above = addTypes([def.extends, def.implements], new Set());
            for (const base of above) this.put(name, base);
          }
          if (kind !== "class") continue;
          for (const { name: field, isStatic, tsType } of def.properties ?? []) {
            if (isStatic) continue;
            this.fields.push({ owner: name, name: field, types: addTypes(tsType, new Set()) });
          }
        }
      }
    }
  }

  private put(sub: string, base: string): void {
    this.below.set(base, (this.below.get(base) ?? new Set()).add(sub));
    this.bases.set(sub, (this.bases.get(sub) ?? new Set()).add(base));
  }

  /** A type and those that stand in for it. */
  subtypes(name: string): Set<string> {
    return closure(name, this.below);
  }

  /** A type and those that it stands in for. */
  supertypes(name: string): Set<string> {
    return closure(name, this.bases);
  }
}

function closure(name: string, graph: ReadonlyMap<string, ReadonlySet<string>>): Set<string> {
  const all = new Set([name]);
  for (const one of all) for (const next of graph.get(one) ?? []) all.add(next);
  return all;
}

/** These fields, as "Class.field", sorted. `leftOut`: names of classes and interfaces. */
export function fieldsOfLeftOut(
  modules: Readonly<Record<string, DocModule>>,
  state: readonly string[],
  leftOut: ReadonlySet<string>,
): string[] {
  const types = new Types(modules), owners = new Set<string>();
  for (const name of state) for (const base of types.supertypes(name)) owners.add(base);
  const found = types.fields.filter(({ owner, types: declared }) =>
    owners.has(owner) &&
    [...declared].some((name) => [...types.subtypes(name)].some((sub) => leftOut.has(sub)))
  );
  return [...new Set(found.map(({ owner, name }) => `${owner}.${name}`))].sort();
}
