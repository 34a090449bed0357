/** The type of a framing: how the bytes of a stream become frames. */

/** The default of every `max`: 1 MiB. */
export const DEFAULT_MAX: number = 1 << 20

/**
 * How the loop cuts a stream of bytes into frames. It is plain data: `raw()`, `line()`, `delimiter()`,
 * `fixed()`, `lengthField()` and `varint()` make it, and explain its fields. All sizes are in bytes. A connection keeps
 * a copy, so that changes to it have no effect on open connections.
 *
 * @example
 * ```ts
 * const showFraming = (framing: Framing) => `${framing.kind}: ${JSON.stringify(framing)}`
 * console.log(showFraming(lengthField({ bytes: 2 }).framing))
 * ```
 */
export type Framing =
  | { readonly kind: 'raw'; readonly max: number }
  | { readonly kind: 'line'; readonly max: number }
  | { readonly kind: 'delimiter'; readonly bytes: Uint8Array; readonly max: number }
  | { readonly kind: 'fixed'; readonly size: number }
  | {
      readonly kind: 'lengthField'
      readonly bytes: 1 | 2 | 3 | 4 | 8
      readonly offset: number
      readonly adjust: number
      readonly strip: number
      readonly endian: 'big' | 'little'
      readonly max: number
    }
  | {
      readonly kind: 'varint'
      readonly offset?: number | undefined
      readonly strip?: number | undefined
      readonly max: number
    }

/**
 * The framing of one kind.
 *
 * @example
 * ```ts
 * const framing: FramingOf<'fixed'> = fixed(188)
 * console.log(framing.size)
 * ```
 */
export type FramingOf<Kind extends Framing['kind']> = Extract<Framing, { kind: Kind }>
