// @ts-check
/** Commands as people type them: words between spaces, in quotes if they have spaces. */

/** What a backslash makes of a letter between double quotes. @type {Record<string, string>} */
const ESCAPES = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }
const ESCAPE = /\\(?:x([0-9a-f]{2})|([\s\S]))/gi

const SPACE = /[ \t-\r]*/y
/** Plain text, or text between quotes, behind which the word ends. */
const PART = /[^ \t-\r"']+|(?:"((?:\\[\s\S]|[^\\"])*)"|'((?:\\'|\\(?!')|[^\\'])*)')(?=[ \t-\r]|$)/y

/**
 * Splits a line into words. Between double quotes `\n`, `\r`, `\t`, `\b`, `\a` and `\x00` to `\xff`
 * have their meanings, between single quotes only `\'`.
 *
 * @param {string} line
 * @returns {string[] | undefined} `undefined` if a quote is not closed or text follows it
 */
export function splitWords(line) {
  /** @type {string[]} */
  const words = []
  let at = lengthOf(SPACE, line, 0)
  while (at < line.length) {
    let word = ''
    let part = partAt(line, at)
    if (part === null) return undefined
    for (; part !== null; part = partAt(line, at)) {
      word += unquoted(part)
      at += part[0].length
    }
    const space = lengthOf(SPACE, line, at)
    if (space === 0 && at < line.length) return undefined
    words.push(word)
    at += space
  }
  return words
}

/**
 * @param {string} line
 * @param {number} at
 */
function partAt(line, at) {
  PART.lastIndex = at
  return PART.exec(line)
}

/**
 * @param {RegExp} pattern
 * @param {string} line
 * @param {number} at
 */
function lengthOf(pattern, line, at) {
  pattern.lastIndex = at
  return pattern.exec(line)?.[0].length ?? 0
}

/** @param {RegExpExecArray} part */
function unquoted([text, double, single]) {
  if (single !== undefined) return single.replaceAll("\\'", "'")
  return double === undefined ? text : double.replace(ESCAPE, unescaped)
}

/**
 * @param {string} _
 * @param {string | undefined} hex
 * @param {string} char
 */
function unescaped(_, hex, char) {
  return hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16))
}
