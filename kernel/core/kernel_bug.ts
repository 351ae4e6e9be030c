/**
 * A failed assertion of the kernel: something that cannot happen did. As whatever else is thrown it
 * ends the process that is being served (containment.ts), and with --panic-on-bug the sandbox; it
 * is never the answer to what a guest did.
 */
export class KernelBug extends Error {
  override readonly name = "KernelBug";
}
