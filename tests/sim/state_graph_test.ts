/**
 * The graph of objects of a kernel that runs programs is what a snapshot would save: each object is
 * of a class that state_registry.ts names, no function is among them, and no field hides one.
 *
 * Neighbours: object_graph.ts (the walk), simulation.ts and tests/fuzz/kernel (the programs).
 */

import { assert, assertEquals } from "@std/assert";
import { join } from "@std/path";
import type { SandboxKernel } from "../../kernel/kernel.ts";
import { runStep } from "../fuzz/kernel/fuzzer.ts";
import { drawProgram } from "../fuzz/kernel/program.ts";
import { World } from "../fuzz/kernel/world.ts";
import { ROOT } from "../harness/dvisor.ts";
import { isFull } from "../harness/machine.ts";
import { Random } from "../harness/seeded.ts";
import { heldFunctions, heldObjects, nameOf } from "./object_graph.ts";
import { Simulation } from "./simulation.ts";
import { LANGUAGE, REGISTRY } from "./state_registry.ts";

const SEEDS = isFull ? 1_000 : 60, STEPS = 250, WALK_EVERY = 50;
/** Classes that the walk meets at least: fewer, and the programs do not make what they should. */
const CLASSES_MIN = 250;

/** What is wrong in the graphs of the kernels that were walked. */
class Findings {
  readonly lines: Set<string> = new Set();
  readonly classes: Set<string> = new Set();

  /** A host resource is where a walk ends. */
  walk(kernel: SandboxKernel): void {
    const isHost = (value: object) => REGISTRY.get(nameOf(value)) === "host";
    for (const [object, place] of heldObjects(kernel, isHost)) {
      const name = nameOf(object);
      this.classes.add(name);
      if (!REGISTRY.has(name)) this.lines.add(`${name} at ${place} is not in the registry`);
    }
    for (const place of heldFunctions(kernel, isHost)) {
      this.lines.add(`a function at ${place}`);
    }
  }
}

Deno.test("what kernels of simulated guests hold is in the registry", () => {
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

Deno.test("and what kernels of several containers and users hold", () => {
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

/** Sources of the kernel without its tests, by their path in it. */
function* sources(dir: string = ""): Generator<readonly [string, string]> {
  for (const { name, isDirectory } of Deno.readDirSync(join(ROOT, "kernel", dir))) {
    const path = join(dir, name);
    if (isDirectory) yield* sources(path);
    else if (name.endsWith(".ts")) {
      yield [path, Deno.readTextFileSync(join(ROOT, "kernel", path))];
    }
  }
}

Deno.test("each class of the registry is there", () => {
  const declared = new Set(LANGUAGE), tests = ["sim_host.ts", "sim_platform.ts"];
  const texts = [
    ...[...sources()].map(([, text]) => text),
    ...tests.map((name) => Deno.readTextFileSync(join(ROOT, "tests/sim", name))),
    Deno.readTextFileSync(join(ROOT, "tests/fuzz/kernel/world.ts")),
    Deno.readTextFileSync(join(ROOT, "ffi/mem/arena.ts")),
    Deno.readTextFileSync(join(ROOT, "platform/platform.ts")),
  ];
  for (const text of texts) {
    for (const [, name] of text.matchAll(/\bclass (\w+)/g)) declared.add(name!);
  }
  assertEquals([...REGISTRY.keys()].filter((name) => !declared.has(name)), []);
});

/** Fields that no snapshot could take: private to the language, an iterator, a weak collection. */
const PRIVATE = /^ {2}(?:readonly )?(#\w+)(?:\??:| =)/gm;
const HIDDEN =
  /^ {2}(?:private |protected )?(?:readonly )?(\w+): (?:\w*Iterator<|Generator<|Weak)/gm;

Deno.test("no field hides state from a snapshot", () => {
  const found = [...sources()].flatMap(([path, text]) => {
    if (/_test(ing)?\.ts$|^testing\//.test(path)) return [];
    return [...text.matchAll(PRIVATE), ...text.matchAll(HIDDEN)].map(([, name]) =>
      `${path} ${name}`
    );
  });
  assertEquals(found, []);
});
