/**
 * `deno task state`: kernel/snapshot/state_table.ts, from the list of classes that are state
 * (kernel/snapshot/rules/state.ts) and their declarations, as `deno doc` sees them. An object gets
 * its fields in the order of their declarations, those of base classes first; a field that is
 * declared again keeps its place. state_table_test.ts fails when the file is not what this makes.
 */

import { STATE_CLASSES } from "../../kernel/snapshot/rules/state.ts";
import { isTestCode } from "../../tools/lint/layers.ts";
import { ROOT, sourceFiles } from "./source_files.ts";

export const TABLE = `${ROOT}/kernel/snapshot/state_table.ts`;
/** Where classes of state and their base classes are. */
const FOLDERS = /^(?:kernel|ffi\/mem|gofer\/client)\/|^platform\/platform\.ts$/;

const HEAD = `/**
 * The table of state: each class whose objects a snapshot saves, and the names of their fields in
 * the order in which an object gets them. \`deno task state\` makes this file of the sources.
 */
`;

/** What is read of the output of \`deno doc --json\`. */
export interface DocModule {
  readonly imports?: readonly { importedName: string; originalName?: string; src: string }[];
  readonly symbols?: readonly { name: string; declarations: readonly DocDeclaration[] }[];
}

interface DocDeclaration {
  readonly kind: string;
  readonly declarationKind: string;
  readonly def: {
    /** A name, or the types of an interface. */
    readonly extends?: unknown;
    readonly implements?: unknown;
    readonly properties?: readonly DocProperty[];
  };
}

export interface DocProperty {
  readonly name: string;
  readonly isStatic?: boolean;
  readonly isAbstract?: boolean;
  readonly tsType?: unknown;
}

/** A class with the file that declares it. */
interface Declared {
  readonly name: string;
  readonly path: string;
  readonly isExported: boolean;
  readonly base: string | null;
  readonly fields: readonly string[];
}

/** All classes of the sources. */
export class Classes {
  private readonly byName: Map<string, Declared[]> = new Map();
  private readonly imports: Map<string, Map<string, { path: string; name: string }>> = new Map();

  constructor(modules: Readonly<Record<string, DocModule>>) {
    for (const [url, module] of Object.entries(modules)) this.addModule(pathOf(url), module);
  }

  private addModule(path: string, { imports = [], symbols = [] }: DocModule): void {
    this.imports.set(
      path,
      new Map(imports.map(({ importedName, originalName = importedName, src }) => {
        return [importedName, { path: pathOf(src), name: originalName }];
      })),
    );
    for (const { name, declarations } of symbols) {
      for (const { kind, declarationKind, def } of declarations) {
        if (kind !== "class") continue;
        const all = this.byName.get(name) ?? [];
        const isExported = declarationKind === "export";
        const base = typeof def.extends === "string" ? def.extends : null;
        all.push({ name, path, isExported, base, fields: ownFields(def.properties ?? []) });
        this.byName.set(name, all);
      }
    }
  }

  /** The class of a name, or what is wrong with it. */
  find(name: string): Declared | string {
    const [declared, ...others] = this.byName.get(name) ?? [];
    if (declared === undefined) return `${name} is declared nowhere`;
    if (others.length > 0) {
      const paths = [declared, ...others].map(({ path }) => path).join(" and ");
      return `${name} has to be the name of one class, and is declared in ${paths}`;
    }
    return declared.isExported ? declared : `${name} is not exported by ${declared.path}`;
  }

  /** The names of all fields of an object, in its order. */
  fieldsOf(declared: Declared): readonly string[] {
    const { base, path, fields } = declared;
    if (base === null) return fields;
    return [...new Set([...this.fieldsOf(this.baseOf(declared, base, path)), ...fields])];
  }

  private baseOf({ name }: Declared, base: string, path: string): Declared {
    const place = this.imports.get(path)?.get(base) ?? { path, name: base };
    const found = this.byName.get(place.name)?.find((one) => one.path === place.path);
    if (found === undefined) throw new Error(`${name}: its base class ${base} is nowhere`);
    return found;
  }
}

/** @throws Error if a field has a name that the table cannot hold */
function ownFields(properties: readonly DocProperty[]): string[] {
  return properties.filter(({ isStatic, isAbstract }) => !isStatic && !isAbstract).map(
    ({ name }) => {
      if (!/^\w+$/.test(name)) throw new Error(`"${name}" is no name of a field`);
      return name;
    },
  );
}

function pathOf(url: string): string {
  return decodeURIComponent(url).replace(`file://${ROOT}/`, "");
}

/** What the sources of state and of its base classes declare, by URL. */
export async function readModules(): Promise<Readonly<Record<string, DocModule>>> {
  const files = sourceFiles((name) => name.endsWith(".ts") && !name.endsWith("_test.ts"))
    .map(({ path }) => path).filter((path) => FOLDERS.test(path) && !isTestCode(path));
  const text = await deno(["doc", "--json", "--private", ...files], "");
  return JSON.parse(text).nodes;
}

/** What a command of Deno prints. */
async function deno(args: string[], input: string): Promise<string> {
  const child = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(new TextEncoder().encode(input));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(`deno ${args[0]}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/**
 * The text of the table before it is formatted.
 *
 * @throws Error that says what is wrong with the classes of these names
 */
export function tableText(classes: Classes, names: readonly string[]): string {
  const found = names.map((name) => classes.find(name));
  const problems = found.filter((one) => typeof one === "string");
  if (problems.length > 0) throw new Error(`classes of state: ${problems.join("; ")}`);
  const declared = found.filter((one) => typeof one !== "string");
  const byPath = Map.groupBy(declared, ({ path }) => path);
  const imports = [...byPath].sort(([a], [b]) => a < b ? -1 : 1).map(([path, some]) => {
    const list = some.map(({ name }) => name).join(", ");
    const from = path.startsWith("kernel/") ? path.replace("kernel/", "../") : `../../${path}`;
    return `import { ${list} } from "${from}";\n`;
  });
  const rows = declared.map((one) =>
    `  stateRow(${one.name}, "${one.name}", "${classes.fieldsOf(one).join(" ")}"),\n`
  );
  return `${HEAD}\n${
    imports.join("")
  }import { type StateRow, stateRow } from "./state_row.ts";\n\n` +
    `export const STATE_TABLE: readonly StateRow[] = [\n${rows.join("")}];\n`;
}

/** The table, formatted. */
export async function stateTable(): Promise<string> {
  const text = tableText(new Classes(await readModules()), STATE_CLASSES);
  return await deno(["fmt", "--ext", "ts", "--line-width", "100", "-"], text);
}

if (import.meta.main) Deno.writeTextFileSync(TABLE, await stateTable());
