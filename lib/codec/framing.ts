/** The type of a framing: how the bytes of a stream become frames. */

/** The default of every `max`: 1 MiB. */
export const DEFAULT_MAX: number = 1 << 20

/**
 * How the bytes of a stream become frames. Plain data, made by the functions of the same names.
 *
 * All sizes are in bytes.
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
  | { readonly kind: 'varint'; readonly max: number }

/** The framing of one kind. */
export type FramingOf<Kind extends Framing['kind']> = Extract<Framing, { kind: Kind }>
