/** Checks at compile time that two types are the same. */

/** `true` if both types are exactly the same, otherwise `false`. */
export type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false

/** Compiles only with `true`. */
export function expect<T extends true>(..._: T[]): void {}
