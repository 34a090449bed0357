/** The public type of an address, as `listen`, `to` and `bind` take it. */

/**
 * An address: where to listen (`serve`), what to connect to (`connect`), or where to bind (`bind`).
 *
 * | form | example | meaning |
 * | --- | --- | --- |
 * | a number | `9000` | the port; see below for the host |
 * | a string of digits | `'9000'`, `process.env.PORT` | the same port, without leading zeros |
 * | an object with a port | `{ port: 9000 }`, `{ host: '127.0.0.1', port: 9000 }` | a host and a port |
 * | an object with a path | `{ path: '/run/my.sock' }`, `{ path: '@name' }` | a Unix socket |
 * | `tcp://host:port` | `'tcp://127.0.0.1:9000'`, `'tcp://[::1]:9000'`, `'tcp://:9000'` | a TCP socket |
 * | `udp://host:port` | `'udp://127.0.0.1:9000'`, `'udp://:9000'` | a datagram socket, for `bind` and `connect` |
 * | `unix://path` | `'unix:///run/my.sock'`, `'unix://@name'` | a Unix socket |
 * | `fd://number` | `'fd://3'` | a socket that this process inherited and that already listens, for `serve` |
 * | `systemd://name` | `'systemd://'`, `'systemd://web'` | all sockets that systemd passed, or those of that name, for `serve` |
 *
 * A host is an IPv4 address, an IPv6 address or a name. An IPv6 address may have a zone (`fe80::1%eth0`).
 * Write it in brackets in a URL, and without brackets in `host`.
 *
 * Without a host, `serve` and `bind` use all addresses of this machine, IPv6 and IPv4. `connect` uses
 * this machine, and tries all addresses of `localhost`. A name means all of its addresses for `serve`
 * and `connect`, and its first address for `bind` and for `connect` to `udp://`.
 *
 * Port 0 lets the system choose a free port, which `server.port` shows. `connect` refuses port 0.
 *
 * A number, digits or an object with a port mean TCP for `serve` and `connect`, and UDP for `bind`.
 * `connect` makes a datagram socket only for a `udp://` URL.
 *
 * A path is a file name, or `@` and an abstract name (Linux only). `bind` refuses a path.
 *
 * @throws `ERR_INVALID_ADDRESS` (from the function that takes the address) if it has none of these
 *   forms. The message shows the right form.
 * @example
 * ```ts
 * await serve({ listen: process.env.PORT ?? 9000 })
 * await serve({ listen: { host: '127.0.0.1', port: 9000 } })
 * await connect({ to: { path: '/run/my.sock' } })
 * await bind({ address: 'udp://[::1]:9000' })
 * ```
 */
export type Address =
  | string
  | number
  | { host?: string | undefined; port: number; path?: undefined }
  | { path: string; host?: undefined; port?: undefined }
