/**
 * Containers are made, used and taken away, some at a time, round by round, in a world of their own
 * (crash_world.ts): `soak_main.ts ROUNDS CONTAINERS CGROUP`. Prints as JSON what there is after
 * each round. Not a test: soak_test.ts starts it.
 */

import { Bundle, shellConfig } from "./bundle.ts";
import { type Ended, type Running, sleepMs, World } from "./crash_world.ts";

export interface Round {
  /** Errors, and what is left behind. */
  readonly problems: readonly string[];
  /**
   * Bytes of memory charged to the control group above all containers; 0 without memory control
   * groups.
   */
  readonly memoryBytes: number;
  /** Descriptors of this program. */
  readonly fds: number;
  /** Of the machine, with all others on it. */
  readonly availableKb: number;
  readonly slabKb: number;
}

/** Containers at a time. */
const WIDTH = 8;
const SCRIPT = 'trap "exit 7" TERM; echo up; while :; do sleep 0.02; done';
/** LIMIT: steps of waiting for a container's end. */
const END_STEPS = 500;

/** Commands, one after the other, and their results. */
type Life = Generator<string[], void, Ended>;

class Soak {
  readonly #world: World;
  readonly #problems: string[] = [];
  #next = 0;

  constructor(world: World) {
    this.#world = world;
    for (let slot = 0; slot < WIDTH; slot++) {
      Deno.renameSync(new Bundle().dir, `${world.dir}/bundle${slot}`);
    }
  }

  round(containers: number): Round {
    const last = this.#next + containers;
    const slots = Array.from({ length: WIDTH }, (_, slot) => new Slot(this.#world, slot));
    const begin = (slot: Slot) => {
      const id = `c${this.#next++}`;
      slot.begin(this.#life(id, slot));
    };
    for (;;) {
      for (const slot of slots) {
        if (slot.isFree && this.#next < last) begin(slot);
        slot.step();
      }
      if (this.#next === last && slots.every((slot) => slot.isFree)) break;
      sleepMs(2);
      this.#world.reap();
    }
    return this.#look();
  }

  *#life(id: string, slot: Slot): Life {
    const config = shellConfig(SCRIPT), { dir } = slot;
    config.linux["cgroupsPath"] = `${this.#world.cgroup}/${id}`;
    Deno.writeTextFileSync(`${dir}/config.json`, JSON.stringify(config));
    const must = (what: string, { code, stderr }: Ended) => {
      if (code !== 0) this.#problems.push(`${id} ${what}: ${code}: ${stderr}`);
    };
    must("create", yield ["create", "--bundle", dir, "--pid-file", `${dir}/pid`, id]);
    must("start", yield ["start", id]);
    const said = yield ["exec", id, "sh", "-c", `echo ${id} >/written; cat /written`];
    const written = Deno.readTextFileSync(`${dir}/rootfs/written`);
    if (said.stdout !== `${id}\n` || written !== `${id}\n`) {
      this.#problems.push(
        `${id} exec: ${said.code}: ${said.stdout}${said.stderr}, file ${written}`,
      );
    }
    must("exec --detach", yield ["exec", "--detach", id, "sleep", "100"]);
    must("pause", yield ["pause", id]);
    must("resume", yield ["resume", id]);
    must("events", yield ["events", "--stats", id]);
    must("kill", yield ["kill", id, "TERM"]);
    const isStopped = ({ stdout }: Ended) => /"status": "stopped"/.test(stdout);
    for (let i = 0; i < END_STEPS && !isStopped(yield ["state", id]); i++);
    must("delete", yield ["delete", id]);
  }

  #look(): Round {
    let left = this.#world.leftovers();
    for (let i = 0; i < 100 && left.length > 0; i++) {
      sleepMs(20);
      left = this.#world.leftovers();
    }
    const fds = [...Deno.readDirSync("/proc/self/fd")].length;
    const memory = Deno.readTextFileSync("/proc/meminfo");
    const kb = (name: string) => Number(new RegExp(`^${name}: *(\\d+)`, "m").exec(memory)?.[1]);
    return {
      problems: [...this.#problems.splice(0), ...left.map((what) => `left: ${what}`)],
      memoryBytes: this.#world.memoryBytes(),
      fds,
      availableKb: kb("MemAvailable"),
      slabKb: kb("Slab"),
    };
  }
}

/** A place for one container at a time. */
class Slot {
  readonly dir: string;
  readonly #world: World;
  readonly #name: string;
  #life: Life | null = null;
  #running: Running | null = null;

  constructor(world: World, number: number) {
    this.#world = world;
    this.#name = `slot${number}`;
    this.dir = `${world.dir}/bundle${number}`;
  }

  get isFree(): boolean {
    return this.#life === null;
  }

  begin(life: Life): void {
    this.#life = life;
    this.#follow(life.next());
  }

  /** Goes on if its command has ended. */
  step(): void {
    const life = this.#life, running = this.#running;
    if (life === null || running === null || !this.#world.hasEnded(running)) return;
    this.#follow(life.next(this.#world.end(running)));
  }

  #follow({ done, value }: IteratorResult<string[], void>): void {
    if (done === true || value === undefined) {
      this.#life = null;
      this.#running = null;
    } else this.#running = this.#world.start(this.#name, this.#world.argv(...value));
  }
}

function main([rounds = "1", containers = "8", cgroup = ""]: string[]): void {
  const world = new World(cgroup), soak = new Soak(world);
  const list: Round[] = [];
  for (let i = 0; i < Number(rounds); i++) list.push(soak.round(Number(containers)));
  console.log(JSON.stringify(list));
  world.close();
}

if (import.meta.main) main(Deno.args);
