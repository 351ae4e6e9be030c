/**
 * A failed assertion: the kernel's own state is wrong. Like any exception it ends the process that
 * is being served (kernel/containment.ts), and with --panic-on-bug the sandbox. It is never the
 * answer to an action of a guest.
 */
export class KernelBug extends Error {
  override readonly name = "KernelBug";
}
