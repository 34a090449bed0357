import { fork } from 'node:child_process'
import { once } from 'node:events'
import { flood } from './flood.js'
const child = fork('/tmp/full/server.mjs')
const [{ port }] = await once(child, 'message') as any
const full = new Set(), floods = new Map()
child.on('message', (m: any) => { if (m.late) { full.add(m.late); floods.get(m.late)?.read() } })
const N = 200, L = 64 << 20, began = performance.now()
const got = await Promise.all(Array.from({ length: N }, async () => { const c = await flood(port, L); floods.set(c.port, c); if (full.has(c.port)) c.read(); return c.returned }))
console.log(new Set(got), full.size, Math.round(performance.now() - began) + ' ms')
child.send('done')
