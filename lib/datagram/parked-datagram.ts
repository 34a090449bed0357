/** A datagram that was received and waits to be delivered. */

import type { DatagramInfoImpl } from './datagram-info.js'

/** A datagram that waits, with its own copy of the bytes. */
export class ParkedDatagram {
  readonly bytes: Buffer
  readonly from: DatagramInfoImpl

  constructor(bytes: Buffer, from: DatagramInfoImpl) {
    this.bytes = bytes
    this.from = from
  }

  get length(): number {
    return this.bytes.length
  }
}
