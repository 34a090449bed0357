/** Promises that a handler settles, so that specs wait for events and never for time. */

export interface Gate<T> {
  readonly passed: Promise<T>
  open(value: T): void
}

/** A promise and the function that resolves it. */
export function gate<T = void>(): Gate<T> {
  let open: (value: T) => void = () => {}
  const passed = new Promise<T>((resolve) => {
    open = resolve
  })
  return { passed, open }
}

/** `all` resolves at the `count`th call of `hit`, with all values in order. */
export function tally<T = void>(
  count: number,
): { readonly all: Promise<T[]>; hit(value: T): void } {
  const { passed, open } = gate<T[]>()
  const values: T[] = []
  return {
    all: passed,
    hit(value) {
      values.push(value)
      if (values.length === count) open(values)
    },
  }
}

/** The code of an error, as specs compare it. */
export function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException | undefined)?.code
}
