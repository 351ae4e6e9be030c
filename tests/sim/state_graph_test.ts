/**
 * The graph of objects of a kernel that runs programs is what a snapshot would save: each object is
 * of a class that state_registry.ts names, with the fields that the table of state says; no
 * function is among them, and no field hides one.
 *
 * Neighbours: object_graph.ts (the walk), simulation.ts and tests/fuzz/kernel (the programs),
 * tests/real/graph (kernels of real guests).
 */

import { assert, assertEquals, assertMatch } from "@std/assert";
import { join } from "@std/path";
import { TransferCounts } from "../../kernel/task/transfer_counts.ts";
import { runStep } from "../fuzz/kernel/fuzzer.ts";
import { drawProgram } from "../fuzz/kernel/program.ts";
import { World } from "../fuzz/kernel/world.ts";
import { ROOT } from "../harness/dvisor.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { Findings, wrongFields } from "./graph_findings.ts";
import { Simulation } from "./simulation.ts";
import { LANGUAGE, REGISTRY } from "./state_registry.ts";

const SEEDS = isFull ? 1_000 : 60, STEPS = 250, WALK_EVERY = 50;
/** Classes that the walk meets at least: fewer, and the programs do not make what they should. */
const CLASSES_MIN = 250;

Deno.test("each object of a simulated kernel is in the registry", () => {
  const findings = new Findings();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const simulation = new Simulation(seed, STEPS);
    simulation.onStep = () => {
      if (simulation.platform.steps % WALK_EVERY === 0) findings.walk(simulation.kernel);
    };
    try {
      simulation.run();
    } finally {
      simulation.close();
    }
  }
  assertEquals([...findings.lines], []);
});

Deno.test("each object of a kernel with several containers and users is in the registry", () => {
  const findings = new Findings();
  for (let seed = 1; seed <= SEEDS; seed++) {
    const world = new World();
    try {
      for (const [i, step] of drawProgram(new Random(seed)).entries()) {
        runStep(world, step);
        if (i % WALK_EVERY === 0) findings.walk(world.kernel);
      }
      findings.walk(world.kernel);
    } finally {
      world.close();
    }
  }
  assertEquals([...findings.lines], []);
  assert(findings.classes.size > CLASSES_MIN, `${findings.classes.size} classes`);
});

/** Sources of a folder, by their path in it. */
function* sources(folder: string, dir: string = ""): Generator<readonly [string, string]> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, folder, dir))) {
    const path = join(dir, name);
    if (isDirectory) yield* sources(folder, path);
    else if (name.endsWith(".ts")) {
      yield [path, Deno.readTextFileSync(join(ROOT, folder, path))];
    }
  }
}

Deno.test("each class of the registry is there", () => {
  const declared = new Set(LANGUAGE);
  const folders = "kernel ffi/mem platform gofer/client oci/boot tests/sim tests/fuzz/kernel";
  for (const [, text] of folders.split(" ").flatMap((folder) => [...sources(folder)])) {
    for (const [, name] of text.matchAll(/\bclass (\w+)/g)) declared.add(name!);
  }
  assertEquals([...REGISTRY.keys()].filter((name) => !declared.has(name)), []);
});

Deno.test("objects with other fields than the table of state says are found", () => {
  const counts = new TransferCounts(), [first = "", ...others] = Object.keys(counts);
  assertEquals(wrongFields(counts), null);
  const made = (names: readonly string[]) => {
    const fields = names.map((name) => [name, 0] as const);
    return wrongFields(
      Object.setPrototypeOf(Object.fromEntries(fields), TransferCounts.prototype),
    ) ?? "";
  };
  assertMatch(made(others), /lacks \(readBytes\)/);
  assertMatch(made([...others, first]), /in this order: writtenBytes .* readBytes$/);
  assertMatch(made([first, ...others, "later"]), /the extra fields \(later\)/);
  const unset = Object.assign(new TransferCounts(), { reads: undefined });
  assertMatch(wrongFields(unset) ?? "", /no value in the fields reads$/);
  class TaskDelay {}
  assertMatch(wrongFields(new TaskDelay()) ?? "", /not of the class/);
});

/**
 * Fields that no snapshot could take: private to the language, an iterator, a weak collection.
 * Objects that no constructor made have no methods that are private to the language either.
 */
const PRIVATE = /^ {2}(?:readonly |get |set )?(#\w+)/gm;
const HIDDEN =
  /^ {2}(?:private |protected )?(?:readonly )?(\w+): (?:\w*Iterator<|Generator<|Weak)/gm;

Deno.test("no field hides state from a snapshot", () => {
  const found = [...sources("kernel")].flatMap(([path, text]) => {
    if (/_test(ing)?\.ts$|^testing\//.test(path)) return [];
    return [...text.matchAll(PRIVATE), ...text.matchAll(HIDDEN)].map(([, name]) =>
      `${path} ${name}`
    );
  });
  assertEquals(found, []);
});
