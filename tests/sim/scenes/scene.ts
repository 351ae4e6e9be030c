/** What a scene is: an odd state of a kernel, and what a guest can see of it. */

import type { World } from "../../fuzz/kernel/world.ts";
import type { ActingGuest } from "./acting_guest.ts";

/** Looks at the state in a world, and changes it: the same in the original and in its copy. */
type Probe = (world: World) => unknown;

/** Builds a state with a process of its own. */
type Scene = (guest: ActingGuest) => Probe;

export type Scenes = Readonly<Record<string, Scene>>;
