/** Converts IP addresses to bytes, and IPv6 addresses to text. */

/** Formats the eight groups of an IPv6 address: the longest run of two or more zeros becomes `::` (RFC 5952). */
export function formatIPv6(groups: readonly number[]): string {
  const texts = groups.map((group) => group.toString(16))
  let longest = { at: -1, length: 1 }
  for (let at = 0; at < 8; at++) {
    let length = 0
    while (at + length < 8 && groups[at + length] === 0) length++
    if (length > longest.length) longest = { at, length }
  }
  if (longest.at === -1) return texts.join(':')
  const left = texts.slice(0, longest.at).join(':')
  return `${left}::${texts.slice(longest.at + longest.length).join(':')}`
}

/** Reads the four bytes of a valid IPv4 address. */
export function bytesOfIPv4(ip: string): number[] {
  return ip.split('.').map(Number)
}

/** Reads the sixteen bytes of a valid IPv6 address without a zone. */
export function bytesOfIPv6(ip: string): number[] {
  const groups = (part: string) =>
    part.split(':').flatMap((group) => {
      if (group === '') return []
      if (group.includes('.')) return bytesOfIPv4(group)
      const value = Number.parseInt(group, 16)
      return [value >> 8, value & 255]
    })
  const [left = '', right = ''] = ip.split('::')
  const [front, back] = [groups(left), groups(right)]
  return [...front, ...Array(16 - front.length - back.length).fill(0), ...back]
}

/** Returns whether sixteen bytes are an IPv4-mapped IPv6 address (`::ffff:127.0.0.1`). */
export function isMappedIPv4(bytes: readonly number[]): boolean {
  return bytes.slice(0, 10).every((byte) => byte === 0) && bytes[10] === 255 && bytes[11] === 255
}
