/**
 * What a module of the kernel holds from one call to the next: whether a declaration at module
 * level is mutable state. A pure function of the syntax; `plugin.ts` reports what is not in the
 * list of `module_state.ts`. The rule itself: docs/internals/state.md.
 */

import { READONLY_TYPES } from "./module_state.ts";

type Node = Deno.lint.Node;

/** Generic types and names of types that cannot be changed through. */
const READONLY_GENERICS = /^(Readonly(Array|Map|Set)?|Layout|RegExp)$/;

/** Methods that return a new array. */
const ARRAY_MAKERS = /^(map|filter|flatMap|flat|split|slice|concat|fill|from|of|entries|keys)$/;

export function isReadonlyType(type: Node): boolean {
  switch (type.type) {
    case "TSTypeOperator":
      return type.operator === "readonly";
    case "TSUnionType":
      return type.types.every(isReadonlyType);
    case "TSTypeLiteral":
      return type.members.every((m) => m.type === "TSPropertySignature" && m.readonly);
    case "TSTypeReference": {
      if (type.typeName.type !== "Identifier") return false;
      const { name } = type.typeName;
      return READONLY_GENERICS.test(name) || READONLY_TYPES.has(name);
    }
    default:
      return /^TS(Number|String|Boolean|BigInt|Null|Undefined|Symbol|Unknown|Literal|Function)/
        .test(type.type);
  }
}

/** The type that a declaration or a cast around its value states, or null. */
function statedType(id: Node, init: Node | null): Node | null {
  if (id.type === "Identifier" && id.typeAnnotation) return id.typeAnnotation.typeAnnotation;
  return init?.type === "TSAsExpression" ? init.typeAnnotation : null;
}

function isConstCast(type: Node): boolean {
  return type.type === "TSTypeReference" && type.typeName.type === "Identifier" &&
    type.typeName.name === "const";
}

/** `Object.freeze(...)`. */
function isFrozen(init: Node): boolean {
  return init.type === "CallExpression" && init.callee.type === "MemberExpression" &&
    init.callee.object.type === "Identifier" && init.callee.object.name === "Object" &&
    init.callee.property.type === "Identifier" && init.callee.property.name === "freeze";
}

/** `new Uint8Array(0)`, or a class without fields that change. */
function isImmutableInstance(init: Deno.lint.NewExpression): boolean {
  if (init.callee.type !== "Identifier") return false;
  const [first] = init.arguments, { name } = init.callee;
  if (READONLY_TYPES.has(name) || name === "TextEncoder" || name === "TextDecoder") return true;
  return /Array$/.test(name) && first?.type === "Literal" && first.value === 0;
}

/** Whether a declaration at module level, or a static field, makes something that can change. */
function isMutable(id: Node, init: Node | null): boolean {
  const type = statedType(id, init);
  if (type !== null && isConstCast(type)) return false;
  if (init === null) return type === null || !isReadonlyType(type);
  if (isFrozen(init)) return false;
  if (init.type === "NewExpression" && isImmutableInstance(init)) return false;
  if (type !== null) return !isReadonlyType(type);
  switch (init.type) {
    case "NewExpression":
    case "ArrayExpression":
    case "ObjectExpression":
      return true;
    case "CallExpression": {
      const { callee } = init;
      if (callee.type === "ArrowFunctionExpression" || callee.type === "FunctionExpression") {
        return true;
      }
      return callee.type === "MemberExpression" && callee.property.type === "Identifier" &&
        ARRAY_MAKERS.test(callee.property.name);
    }
    default:
      return false;
  }
}

/** Each name that a statement at module level declares as mutable state. */
export function mutableNames(statement: Node): { name: string; node: Node }[] {
  const declaration = statement.type === "ExportNamedDeclaration"
    ? statement.declaration
    : statement;
  if (declaration?.type === "ClassDeclaration") return mutableStatics(declaration);
  if (declaration?.type !== "VariableDeclaration") return [];
  return declaration.declarations.flatMap((d) => {
    const isChanged = declaration.kind !== "const" || isMutable(d.id, d.init);
    if (!isChanged || declaration.declare) return [];
    return namesOf(d.id).map((name) => ({ name, node: d }));
  });
}

function namesOf(id: Node): string[] {
  if (id.type === "Identifier") return [id.name];
  if (id.type === "ArrayPattern") return id.elements.flatMap((e) => e === null ? [] : namesOf(e));
  if (id.type !== "ObjectPattern") return [];
  return id.properties.flatMap((p) => p.type === "Property" ? namesOf(p.value) : []);
}

function mutableStatics(node: Deno.lint.ClassDeclaration): { name: string; node: Node }[] {
  return node.body.body.flatMap((member) => {
    if (member.type !== "PropertyDefinition" || !member.static) return [];
    const key = member.key.type === "Identifier" ? member.key.name : "static field";
    const id = { ...member.key, typeAnnotation: member.typeAnnotation } as Node;
    if (member.readonly && !isMutable(id, member.value)) return [];
    return [{ name: key, node: member as Node }];
  });
}
