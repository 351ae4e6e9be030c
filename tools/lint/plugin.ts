/**
 * The house rules as a plugin of `deno lint`; `deno.json` names it under `lint.plugins`. One rule
 * each for what the type checker and the recommended rules cannot see. Neighbour: `layers.ts`
 * knows the import direction.
 *
 * The default export is what the plugin interface demands; the rule against it exempts this file.
 */

import { importProblem, isPortable, isTestCode } from "./layers.ts";
import { isReadonlyType, mutableNames } from "./module_level.ts";
import { listedNames, READONLY_TYPES } from "./module_state.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** The path of a linted file relative to the root. */
function relativeName(filename: string): string {
  return filename.startsWith(ROOT) ? filename.slice(ROOT.length) : filename.replace(/^\.?\//, "");
}

function isNative(name: string): boolean {
  return name === "dlopen" || name.startsWith("Unsafe");
}

function isIdentifier(node: Deno.lint.Node | null, name: string): boolean {
  return node?.type === "Identifier" && node.name === name;
}

/** The name that a property access or an object pattern's key spells out, or null. */
function keyName(key: Deno.lint.Node): string | null {
  if (key.type === "Identifier") return key.name;
  return key.type === "Literal" && typeof key.value === "string" ? key.value : null;
}

const nativeOnlyInFfi: Deno.lint.Rule = {
  create(context) {
    if (relativeName(context.filename).startsWith("ffi/")) return {};
    const report = (node: Deno.lint.Node, name: string): void =>
      context.report({
        node,
        message: `Deno.${name} outside ffi/`,
        hint: "Put the native code behind an exported function of ffi/.",
      });
    return {
      MemberExpression(node) {
        if (!isIdentifier(node.object, "Deno")) return;
        const name = keyName(node.property);
        if (name !== null && isNative(name)) report(node, name);
      },
      VariableDeclarator(node) {
        if (!isIdentifier(node.init, "Deno") || node.id.type !== "ObjectPattern") return;
        for (const property of node.id.properties) {
          const name = property.type === "Property" ? keyName(property.key) : null;
          if (name !== null && isNative(name)) report(property, name);
        }
      },
    };
  },
};

const importDirection: Deno.lint.Rule = {
  create(context) {
    const file = relativeName(context.filename);
    const check = (node: Deno.lint.Node, source: Deno.lint.Node | null, isType: boolean): void => {
      if (source?.type !== "Literal" || typeof source.value !== "string") return;
      const problem = importProblem(file, source.value, isType);
      if (problem !== null) context.report({ node, message: problem });
    };
    return {
      ImportDeclaration: (node) => check(node, node.source, node.importKind === "type"),
      ExportNamedDeclaration: (node) => check(node, node.source, node.exportKind === "type"),
      ExportAllDeclaration: (node) => check(node, node.source, node.exportKind === "type"),
      ImportExpression: (node) => check(node, node.source, false),
    };
  },
};

const noAsync: Deno.lint.Rule = {
  create(context) {
    const file = relativeName(context.filename);
    const isCore = file.startsWith("kernel/") || file.startsWith("platform/");
    if (!isCore || isTestCode(file)) return {};
    const report = (node: Deno.lint.Node, what: string): void =>
      context.report({
        node,
        message: `${what} in ${file.split("/")[0]}/`,
        hint: "Blocking is retry: link a wait entry, return BLOCK, run again on wake.",
      });
    const checkFunction = (
      node:
        | Deno.lint.FunctionDeclaration
        | Deno.lint.FunctionExpression
        | Deno.lint.ArrowFunctionExpression,
    ): void => {
      if (node.async) report(node, "async function");
      if (node.type !== "ArrowFunctionExpression" && node.generator) report(node, "generator");
    };
    return {
      FunctionDeclaration: checkFunction,
      FunctionExpression: checkFunction,
      ArrowFunctionExpression: checkFunction,
      AwaitExpression: (node) => report(node, "await"),
      ForOfStatement(node) {
        if (node.await) report(node, "for await");
      },
      Identifier(node) {
        if (node.name === "Promise" || node.name === "PromiseLike") report(node, node.name);
      },
    };
  },
};

const noDefaultExport: Deno.lint.Rule = {
  create(context) {
    if (relativeName(context.filename) === "tools/lint/plugin.ts") return {};
    return {
      ExportDefaultDeclaration: (node) =>
        context.report({ node, message: "default export", hint: "Export it by name." }),
    };
  },
};

const noEnum: Deno.lint.Rule = {
  create: (context) => ({
    TSEnumDeclaration: (node) =>
      context.report({
        node,
        message: "enum",
        hint: "Use a union of literals on cold paths, integer constants on hot ones.",
      }),
  }),
};

const noDoubleCast: Deno.lint.Rule = {
  create: (context) => ({
    TSAsExpression(node) {
      const inner = node.expression;
      if (inner.type !== "TSAsExpression") return;
      if (inner.typeAnnotation.type !== "TSUnknownKeyword") return;
      context.report({ node, message: "`as unknown as`", hint: "Narrow with a type guard." });
    },
  }),
};

const noModuleState: Deno.lint.Rule = {
  create(context) {
    const file = relativeName(context.filename);
    if (!file.startsWith("kernel/") || isTestCode(file) || file.endsWith("_testing.ts")) return {};
    return {
      Program(program) {
        const found = program.body.flatMap(mutableNames), listed = listedNames(file);
        for (const { name, node } of found) {
          if (listed.includes(name)) continue;
          context.report({
            node,
            message: `mutable state at module level: ${name}`,
            hint: "State hangs on Kernel (docs/internals/state.md); constants are readonly.",
          });
        }
        for (const name of listed) {
          if (found.some((f) => f.name === name)) continue;
          context.report({
            node: program,
            message: `tools/lint/module_state.ts lists ${name}, which is no mutable state`,
          });
        }
      },
    };
  },
};

/** A type that `module_state.ts` calls immutable keeps that promise where it is declared. */
const readonlyTypes: Deno.lint.Rule = {
  create(context) {
    if (!relativeName(context.filename).startsWith("kernel/")) return {};
    const report = (node: Deno.lint.Node, name: string): void =>
      context.report({ node, message: `${name} is listed as immutable and has a mutable field` });
    return {
      ClassDeclaration(node) {
        const name = node.id?.name ?? "";
        if (!READONLY_TYPES.has(name)) return;
        for (const member of node.body.body) {
          if (member.type === "PropertyDefinition" && !member.readonly) report(member, name);
        }
      },
      TSTypeAliasDeclaration(node) {
        const { name } = node.id;
        if (READONLY_TYPES.has(name) && !isReadonlyType(node.typeAnnotation)) report(node, name);
      },
      TSInterfaceDeclaration(node) {
        const { name } = node.id;
        if (!READONLY_TYPES.has(name)) return;
        for (const member of node.body.body) {
          if (member.type === "TSPropertySignature" && !member.readonly) report(member, name);
        }
      },
    };
  },
};

/** What Node and Bun run has no `Deno`, and no syntax that is more than types to erase. */
const portable: Deno.lint.Rule = {
  create(context) {
    if (!isPortable(relativeName(context.filename))) return {};
    const report = (node: Deno.lint.Node, message: string, hint: string): void =>
      context.report({ node, message: `${message} in code that runs in Node and Bun`, hint });
    return {
      Identifier(node) {
        if (node.name === "Deno") {
          report(node, "Deno", "Use a node: module or a global of the web.");
        }
      },
      TSParameterProperty(node) {
        report(node, "a parameter property", "Declare the field and assign it.");
      },
      TSModuleDeclaration(node) {
        report(node, "a namespace", "Export from a file of its own.");
      },
      VariableDeclaration(node) {
        if (!node.kind.endsWith("using")) return;
        report(node, "`using`", "Node 20 cannot parse it: use try and finally.");
      },
    };
  },
};

const plugin: Deno.lint.Plugin = {
  name: "dvisor",
  rules: {
    "native-only-in-ffi": nativeOnlyInFfi,
    "import-direction": importDirection,
    "no-async": noAsync,
    "no-default-export": noDefaultExport,
    "no-enum": noEnum,
    "no-double-cast": noDoubleCast,
    "no-module-state": noModuleState,
    "readonly-types": readonlyTypes,
    "portable": portable,
  },
};

export default plugin;
