/** Wake-ups of a pipe, terminal or socket for the server of a session. */

import { Waiter } from "../../../kernel/core/wait.ts";

export interface QueueListener {
  /** The state of the pipe, terminal or socket may have changed. */
  onChange(): void;
}

/** What the listener does may wake the queue again, which is ignored. */
export class QueueWaiter extends Waiter {
  readonly #listener: QueueListener;
  #isActing = false;

  constructor(listener: QueueListener) {
    super();
    this.#listener = listener;
  }

  override onWake(_events: number): void {
    if (this.#isActing) return;
    this.#isActing = true;
    this.#listener.onChange();
    this.#isActing = false;
  }
}
