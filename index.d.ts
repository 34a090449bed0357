/// <reference types="node" preserve="true" />
/**
 * millrace: a networking framework. Event loops in Rust own the sockets, cut streams into frames, keep
 * limits and balance connections. Your handlers and codecs run in JavaScript.
 *
 * - `serve` starts a server for TCP and Unix sockets.
 * - `connect` connects to TCP, Unix and UDP sockets.
 * - `bind` binds a UDP socket.
 * - `pipe` joins two connections; `toDuplex` makes one a stream of Node.
 * - Codecs turn bytes into messages: `line`, `lengthField`, `json`, `defineCodec` and others make them.
 *
 * Everything that is exported here is public. Nothing else is.
 */
export type { Address } from './lib/address/address.js';
export { type ProxiedAddresses, type ProxyHeaderOptions, proxyHeader, } from './lib/address/proxy-header.js';
export { bind } from './lib/bind.js';
export type { Client, ClientState } from './lib/client/client.js';
export type { ConnectBaseOptions, ConnectOptions, ReconnectingOptions, ReconnectOptions, } from './lib/client/connect-options.js';
export { type Codec, defineCodec, json, map } from './lib/codec/codec.js';
export { encodeWith } from './lib/codec/encode-with.js';
export type { FrameData } from './lib/codec/frame-data.js';
export type { Framing, FramingOf } from './lib/codec/framing.js';
export { delimiter, type FrameCodec, fixed, type LengthFieldOptions, lengthField, line, raw, type VarintOptions, varint, } from './lib/codec/framings.js';
export type { Reader } from './lib/codec/reader.js';
export { type TestCodecOptions, type TestCodecResult, testCodec } from './lib/codec/test-codec.js';
export type { Writer } from './lib/codec/writer.js';
export { connect } from './lib/connect.js';
export type { Conn, ReadyState } from './lib/connection/conn.js';
export type { Handlers, Synchronous } from './lib/connection/conn-handlers.js';
export type { ConnOptions } from './lib/connection/conn-options.js';
export type { ConnStream } from './lib/connection/conn-stream.js';
export type { Peer } from './lib/connection/peer.js';
export type { PipeEnd, PipeOptions } from './lib/connection/pipe.js';
export type { LiveTimeouts, Timeouts } from './lib/connection/timeouts.js';
export type { BindOptions } from './lib/datagram/bind-options.js';
export type { ConnectDatagramOptions } from './lib/datagram/connect-datagram-options.js';
export type { DatagramHandlers } from './lib/datagram/datagram-handlers.js';
export type { DatagramInfo } from './lib/datagram/datagram-info.js';
export type { DatagramSocketOptions } from './lib/datagram/datagram-live-options.js';
export type { ConnectedDatagramSocket, DatagramSocket, DatagramStats, ReceivedDatagram, } from './lib/datagram/datagram-socket.js';
export type { MembershipOptions, MulticastOptions } from './lib/datagram/multicast-options.js';
export type { SilenceLimits } from './lib/datagram/silence-watch.js';
export { type CodedError, type ErrorCode, MillraceError, type SystemErrorFields, } from './lib/errors.js';
export { pipe } from './lib/pipe.js';
export { type PipeFromOptions, pipeFrom } from './lib/pipe-from.js';
export { type SendFileOptions, sendFile } from './lib/send-file.js';
export { serve } from './lib/serve.js';
export type { BroadcastOptions } from './lib/server/broadcast.js';
export type { CloseOptions } from './lib/server/draining.js';
export { type Listen, type ListenAddress, type ListenEntry, type ListenEntryOptions, type ListenerSpec, listener, } from './lib/server/listen-entry.js';
export type { Listener } from './lib/server/listener.js';
export type { ProxyProtocolOptions } from './lib/server/proxy-protocol.js';
export type { Balance, ServeOptions } from './lib/server/serve-options.js';
export type { Server } from './lib/server/server.js';
export type { LoopStats, ServerStats } from './lib/server/stats.js';
export type { KeepAlive, ListenerOptions, SocketOptions } from './lib/socket/socket-options.js';
export { toDuplex } from './lib/to-duplex.js';
