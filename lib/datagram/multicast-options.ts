/** The public options of multicast. */

/**
 * How a datagram socket joins a multicast group: on which network interface, and from which sender.
 *
 * @example
 * ```ts
 * const options: MembershipOptions = { interface: 'eth0', source: '10.0.0.7' }
 * await socket.joinMulticast('239.1.2.3', options)
 * ```
 */
export interface MembershipOptions {
  /**
   * The network interface to receive the group's datagrams from. IPv4: its name or its address. IPv6: its
   * name or its index. Default: the system chooses.
   */
  interface?: string | number | undefined
  /**
   * The IP address of the only sender whose datagrams are accepted. It has to be of the group's family.
   * IPv6: Linux, macOS, FreeBSD and Windows. Default: all senders.
   */
  source?: string | undefined
}

/**
 * The multicast options that `bind` sets before anything is received.
 *
 * @example
 * ```ts
 * const multicast: MulticastOptions = { groups: [{ address: '224.0.0.251', interface: 'eth0' }], ttl: 1 }
 * await bind({ address: 'udp://0.0.0.0:5353', reuseAddress: true, multicast })
 * ```
 */
export interface MulticastOptions {
  /** The groups to join: addresses, or addresses with {@link MembershipOptions}. Default: none. */
  groups?: readonly (string | ({ address: string } & MembershipOptions))[] | undefined
  /**
   * The network interface to send multicasts from: its name, its IPv4 address, or for IPv6 its index.
   * Default: the system chooses.
   */
  interface?: string | number | undefined
  /** How many routers a multicast may pass, 0 to 255. Default: the system's, which is 1. */
  ttl?: number | undefined
  /** Whether this machine receives the multicasts that it sends. Default: the system's, which is true. */
  loopback?: boolean | undefined
}
