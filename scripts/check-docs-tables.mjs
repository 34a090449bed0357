// Compares tables of the docs with the types that they describe.

/** Where each table is, and the type whose names it has to list: no more, no fewer. */
const TABLES = [
  { page: 'docs/options.md', column: 'serve', type: 'ServeOptions<any, any, any>' },
  { page: 'docs/options.md', column: 'entry', type: 'ListenEntry<any, any, any>' },
  { page: 'docs/options.md', column: 'connect', type: 'AllConnectOptions' },
  { page: 'docs/options.md', column: 'bind', type: 'BindOptions<any, any>' },
  { page: 'docs/reader-and-writer.md', column: 'Reader', type: 'Reader' },
  { page: 'docs/reader-and-writer.md', column: 'Writer', type: 'Writer' },
  { page: 'docs/datagrams.md', column: 'info', type: 'DatagramInfo' },
  { page: 'docs/members.md', column: 'Conn', type: 'Conn' },
  { page: 'docs/members.md', column: 'Server', type: 'Server' },
  { page: 'docs/members.md', column: 'Listener', type: 'Listener' },
  { page: 'docs/members.md', column: 'Client', type: 'Client' },
  { page: 'docs/members.md', column: 'DatagramSocket', type: 'DatagramSocket' },
  { page: 'docs/members.md', column: 'ConnectedDatagramSocket', type: 'ConnectedDatagramSocket' },
]

const IMPORTS = `import type { BindOptions, Client, Conn, ConnectDatagramOptions, ConnectedDatagramSocket, DatagramInfo, DatagramSocket, Listener, ListenEntry, ReconnectingOptions, Reader, ServeOptions, Server, Writer } from 'millrace'
type AllConnectOptions = ReconnectingOptions<any, any, any> & ConnectDatagramOptions<any, any>
type Names<T> = T extends unknown ? Extract<keyof T, string> : never
type Listed<Name extends All, All> = Name`

/** A module for each table, which compiles if the table is complete and names nothing else. */
export function tableModules(pages) {
  return TABLES.flatMap(({ page: name, column, type }) => {
    const page = pages.find((each) => each.name === name)
    if (page === undefined) throw new Error(`there is no page ${name}`)
    const rows = rowsOf(page, column)
    const lines = IMPORTS.split('\n').map((text) => ({ text, line: 1 }))
    const add = (text, line) => lines.push({ text, line })
    for (const { name, line } of rows) {
      add(`export type _${line}_${name} = Listed<'${name}', Names<${type}>>`, line)
    }
    const names = rows.map(({ name }) => `'${name}'`).join(' | ') || 'never'
    const missing = `Exclude<Names<${type}>, ${names}>`
    add(`export const missing: [${missing}] extends [never] ? true : ${missing} = true`, 1)
    return {
      page: name,
      line: 1,
      suffix: `-${column}`,
      lines,
      explain: (text) => `the names of ${column} differ from its type: ${text}`,
    }
  })
}

/**
 * The names in the first cells of the rows that belong to a column: of tables that have a column of that
 * name the rows with a mark in it, and all rows of tables whose first cell of the head is that name.
 */
function rowsOf({ lines }, column) {
  const rows = []
  let head
  for (const [at, text] of lines.entries()) {
    if (!text.startsWith('|')) {
      head = undefined
      continue
    }
    const cells = text
      .split(/(?<!\\)\|/)
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (head === undefined) {
      head = cells.map((cell) => cell.replaceAll('`', ''))
      continue
    }
    const place = head.indexOf(column)
    if (place === -1 || /^:?-+:?$/.test(cells[0])) continue
    if (place > 0 && cells[place] === '') continue
    for (const [, name] of cells[0].matchAll(/`(\w+)[^`]*`/g)) rows.push({ name, line: at + 1 })
  }
  return rows
}
