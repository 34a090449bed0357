/** A datagram that was received and not delivered. */

import type { DatagramInfoImpl } from './datagram-info.js'

/** An item of the queue of parked datagrams. */
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
