/** Peers that send what Node cannot: urgent data, and descriptors. They are programs for Python 3. */

import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import type { ExecutionContext } from 'ava'
import { Count } from './counts.js'

/** Whether there is a Python that can send both. */
export const HAS_PYTHON: boolean =
  spawnSync('python3', ['-c', 'import socket; socket.send_fds']).status === 0

/** What a peer sends between the two pieces of its message. */
export const MARKS = ['urgent over TCP', 'urgent over Unix', 'a descriptor'] as const
export type Mark = (typeof MARKS)[number]

const PROGRAM = `
import os, socket, sys
mark, to, before, behind = sys.argv[1:]
if mark == 'urgent over TCP':
    peer = socket.create_connection(('127.0.0.1', int(to)))
else:
    peer = socket.socket(socket.AF_UNIX)
    peer.connect(to)
end, passed = os.pipe()
if mark == 'a descriptor':
    socket.send_fds(peer, [before.encode()], [passed])
else:
    peer.sendall(before.encode())
    peer.send(b'!', socket.MSG_OOB)
os.close(passed)
peer.sendall(behind.encode())
print('sent', flush=True)
os.read(end, 1)
print('closed', flush=True)
sys.stdin.read()
`

/** A peer that has sent all of its message and keeps the connection open. */
export interface MarkedPeer {
  /** Resolves once nobody has the descriptor that was passed, if one was. */
  readonly closed: Promise<void>
}

/** Connects to a port or a path, and sends `before`, the mark, and `behind`. */
export async function marked(
  t: ExecutionContext,
  mark: Mark,
  to: number | string,
  [before, behind]: readonly [string, string],
): Promise<MarkedPeer> {
  const args = ['-c', PROGRAM, mark, String(to), before, behind]
  const child = spawn('python3', args, { stdio: ['pipe', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const lines = new Count()
  createInterface({ input: child.stdout }).on('line', () => lines.up())
  await lines.reaches(1)
  return { closed: lines.reaches(2) }
}
