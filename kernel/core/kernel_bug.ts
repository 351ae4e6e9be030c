/**
 * A failed assertion of the kernel: something that cannot happen did. It stops the sandbox with a report; it is
 * never the answer to what a guest did.
 */
export class KernelBug extends Error {
  override readonly name = "KernelBug";
}
