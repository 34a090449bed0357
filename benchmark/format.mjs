/** Numbers as the tables show them. */

/** Messages a second. @param {number} value */
export function count(value) {
  if (value >= 1e6) return `${(value / 1e6).toFixed(2)} M`
  return value >= 1e4 ? `${(value / 1e3).toFixed(1)} k` : value.toFixed(0)
}

/** One decimal below a hundred, none above. @param {number} value */
export function plain(value) {
  return value.toFixed(Math.abs(value) < 100 ? 1 : 0)
}

/** Two decimals. @param {number} value */
export function fine(value) {
  return value.toFixed(2)
}

/** kB as MB. @param {number} value */
export function megabytes(value) {
  return (value / 1024).toFixed(1)
}
