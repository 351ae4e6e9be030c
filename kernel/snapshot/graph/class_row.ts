/**
 * What the encoder and the decoder of graphs know of a class. Neighbour: class_table.ts (all rows
 * of a graph).
 *
 * Functions of rules are methods, so that the rule of a class may name the class as their argument.
 */

import type { FrameNumbers } from "./frame_numbers.ts";
import type { FrameRange } from "./frame_ranges.ts";

/** A class whose objects a graph may hold. */
export interface ClassRow {
  readonly name: string;
  /** Objects of the class have this prototype, and not one that inherits from it. */
  readonly prototype: object;
  /** The own keys of an object, in the order in which it gets them. */
  readonly fields: readonly string[];
  readonly rule: Rule;
}

export type Rule = StateRule | DerivedRule | ConstantRule | AnchorRule | RefusedRule;

/** A rule of a class whose objects may hold frames. */
export interface FrameRule {
  /** Visits the frames that an object holds. */
  frames?(object: object, visit: FrameVisitor): void;
  /**
   * The kernel writes into the frames whether or not they have another holder: each copy has frames
   * of its own.
   */
  readonly areWritten?: boolean;
  /** Replaces the numbers of frames that an object of a copy holds, before fields are made. */
  renumber?(object: object, numbers: FrameNumbers): void;
  /**
   * Called when all frames of a copy are known: the object keeps something about frames of others.
   *
   * @param held what the objects of the copy hold, by the old numbers
   */
  follow?(object: object, held: readonly FrameRange[], numberOf: (frame: number) => number): void;
}

/** Fields are encoded. */
interface StateRule extends FrameRule {
  readonly fate: "state";
  /** Rules of fields that are not encoded as they are. */
  readonly fields?: Readonly<Record<string, FieldRule>>;
}

/** What a copy is for. */
export interface CopyPurpose {
  /** It will be in this process. */
  readonly isInProcess?: boolean;
  /** Bytes of files without a name that it may still take along; absent: none. */
  readonly fileRoom?: { bytes: number };
  /**
   * Connections to programs outside are ended in it, as by a reset; without this, they are refused.
   */
  readonly endsConnections?: boolean;
}

export type FieldRule = FixedField | ConvertedField;

/** A field that is not encoded, and has the same value in each copy. */
interface FixedField {
  readonly value: null | undefined | boolean | number | string;
}

export interface ConvertedField {
  /** What is encoded in the field's place; without it, nothing is. @throws Refusal */
  save?(object: object, purpose: CopyPurpose): unknown;
  /**
   * What the field gets when the encoded fields of all objects are in place; without it, it gets
   * what was saved.
   */
  make?(object: object, host: object, saved: unknown): unknown;
  /** Fields of a lower stage are made earlier; 0 if there is none. */
  readonly stage?: number;
  /** Undoes `make`: the copy failed. */
  release?(made: unknown, host: object, object: object): void;
}

/**
 * An object is not encoded: a new one takes its place, or null. An image can have many for few
 * bytes each, so they should be small until they are used.
 */
export interface DerivedRule {
  readonly fate: "derived";
  /** @param owner the object in which the encoder met it first; its encoded fields are in place */
  make(owner: object, host: object): object | null;
}

/** An object of the program, encoded by its name. */
export interface ConstantRule {
  readonly fate: "constant";
  name(object: object): string;
  find(name: string): object | null;
}

/** An object that stands for something of the host. */
export interface AnchorRule extends FrameRule {
  readonly fate: "anchor";
  /** Anchors of a lower stage are made and attached earlier. */
  readonly stage: number;
  /** Whether a copy in the same process has the same object. */
  readonly isShared: boolean;
  /**
   * What `load` needs. Objects in it are objects of the graph, as bytes are: anchors among them
   * have a lower stage.
   */
  save(object: object, purpose: CopyPurpose): readonly unknown[];
  /**
   * Makes the object, or null if `saved` is not what `save` returns. Bytes in `saved` and anchors
   * of lower stages are complete; other objects have no fields yet.
   */
  load(saved: readonly unknown[], host: object): object | null;
  /** Called when the whole graph is in place. */
  attach?(object: object, host: object): void;
  /** Undoes `load` and `attach`, of which the latter may not have been called: the copy failed. */
  release?(object: object, host: object): void;
}

/** An object that cannot be taken along. */
interface RefusedRule {
  readonly fate: "refused";
  reason(object: object): string;
}

export type FrameVisitor = (first: number, count: number) => void;
