/** millrace: sockets, framing, limits and balancing on Rust event loops; handlers and codecs in TypeScript. */

export type { ReconnectOptions } from './lib/backoff.js'
export { bind } from './lib/bind.js'
export type { BroadcastOptions } from './lib/broadcast.js'
export type { Client, ClientState } from './lib/client.js'
export type { CloseOptions } from './lib/closing.js'
export { type Codec, defineCodec, json, map } from './lib/codec.js'
export type { Conn, ReadyState } from './lib/conn.js'
export { connect } from './lib/connect.js'
export type { ConnectDatagramOptions } from './lib/connect-datagrams.js'
export type { ConnectOptions, ReconnectingOptions } from './lib/connect-options.js'
export type {
  BindOptions,
  DatagramSocketOptions,
  MulticastOptions,
} from './lib/datagram-options.js'
export type { DatagramInfo } from './lib/datagram-peer.js'
export type {
  ConnectedSocket,
  DatagramHandlers,
  DatagramSocket,
  DatagramStats,
  MembershipOptions,
  Received,
} from './lib/datagram-socket.js'
export { type ErrorCode, MillraceError } from './lib/errors.js'
export {
  delimiter,
  type FrameCodec,
  type Framing,
  fixed,
  type LengthFieldOptions,
  lengthField,
  line,
  raw,
  varint,
} from './lib/framing.js'
export type { Handlers, Peer } from './lib/handlers.js'
export { type Listen, type ListenerSpec, type ListenSpec, listener } from './lib/listen-spec.js'
export type { ListenerHandle } from './lib/listener.js'
export type { Balance, ConnOptions, ServeOptions } from './lib/options.js'
export type { Reader } from './lib/reader.js'
export { serve } from './lib/serve.js'
export type { LoopStats, Server, ServerStats } from './lib/server.js'
export type { KeepAlive, ListenerOptions, SocketOptions } from './lib/socket-options.js'
export { type Tested, testCodec } from './lib/testing.js'
export type { Writer } from './lib/writer.js'
