/** The kinds of stream sockets that this system has. */
export const KINDS: readonly ('tcp' | 'unix')[] =
  process.platform === 'win32' ? ['tcp'] : ['tcp', 'unix']
