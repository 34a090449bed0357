/** Splits a line that a person typed into words, as a shell does: quotes keep spaces together. */

/** What a letter after a backslash means between double quotes. */
const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', b: '\b', a: '\x07' }
const ESCAPE = /\\(?:x([0-9a-f]{2})|([\s\S]))/gi

const SPACE = /[ \t-\r]*/y
/** Plain text, or text between quotes. After quotes the word ends. */
const PART = /[^ \t-\r"']+|(?:"((?:\\[\s\S]|[^\\"])*)"|'((?:\\'|\\(?!')|[^\\'])*)')(?=[ \t-\r]|$)/y

/**
 * The words of a line; `undefined` if a quote is not closed, or text follows a quote directly. Between
 * double quotes `\n`, `\r`, `\t`, `\b`, `\a` and `\x00` to `\xff` are escapes; between single quotes only
 * `\'` is one.
 */
export function splitWords(line: string): string[] | undefined {
  const words: string[] = []
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

function partAt(line: string, at: number): RegExpExecArray | null {
  PART.lastIndex = at
  return PART.exec(line)
}

function lengthOf(pattern: RegExp, line: string, at: number): number {
  pattern.lastIndex = at
  return pattern.exec(line)?.[0].length ?? 0
}

function unquoted([text, double, single]: RegExpExecArray): string {
  if (single !== undefined) return single.replaceAll("\\'", "'")
  return double === undefined ? text : double.replace(ESCAPE, unescaped)
}

function unescaped(_match: string, hex: string | undefined, char: string): string {
  return hex === undefined ? (ESCAPES[char] ?? char) : String.fromCharCode(Number.parseInt(hex, 16))
}
