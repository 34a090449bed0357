/** What `console.log` and `util.inspect` show of our objects. */

import type { inspect as Inspect, InspectOptions } from 'node:util'

/**
 * Shows objects of a class by a few properties that users know, under the name of their public type.
 *
 * @param name the name of the public type
 * @param fields returns the properties to show
 */
export function showAs<T>(
  Class: { readonly prototype: T },
  name: string,
  fields: (object: T) => object,
): void {
  Object.defineProperty(Class.prototype, Symbol.for('nodejs.util.inspect.custom'), {
    value(this: T, depth: number, options: InspectOptions, inspect: typeof Inspect): string {
      if (depth < 0) return `[${name}]`
      return `${name} ${inspect(fields(this), options)}`
    },
  })
}
