/** What `console.log`, `util.inspect` and `JSON.stringify` show of our objects. */

import type { inspect as Inspect, InspectOptions } from 'node:util'

/** The objects that are being shown: a user's data may lead back to them. */
const showing = new Set<unknown>()

/**
 * Shows objects of a class by a few properties that users know, under the name of their public type.
 *
 * @param name the name of the public type
 * @param fields returns the properties to show
 */
export function showAs<T extends object>(
  Class: { readonly prototype: T },
  name: string,
  fields: (object: T) => object,
): void {
  define(
    Class.prototype,
    Symbol.for('nodejs.util.inspect.custom'),
    function (
      this: T,
      depth: number | null,
      options: InspectOptions,
      inspect: typeof Inspect,
    ): string {
      if (depth !== null && depth < 0) return `[${name}]`
      // Each call of `inspect` looks for circles of its own, and would not see one through this object.
      if (showing.has(this)) return `[Circular ${name}]`
      showing.add(this)
      try {
        return `${name} ${inspect(fields(this), { ...options, depth })}`
      } catch {
        // A Proxy around the object, say, which has no access to its private fields.
        return `[${name}]`
      } finally {
        showing.delete(this)
      }
    },
  )
  define(Class.prototype, 'toJSON', function (this: T): object {
    // Not the user's own data, which may not be JSON, or lead back here.
    const shown = fields(this)
    return Object.fromEntries(Object.entries(shown).filter(([, value]) => isPlain(value)))
  })
}

function isPlain(value: unknown): boolean {
  return (
    value === null ||
    (typeof value !== 'object' && typeof value !== 'function') ||
    Array.isArray(value)
  )
}

/** Defines a method that users may replace, and that enumeration does not show. */
function define<T extends object>(
  target: T,
  key: PropertyKey,
  value: (...args: never[]) => unknown,
): void {
  Object.defineProperty(target, key, { value, writable: true, configurable: true })
}
