/** What the requests to the servers of the suite `hostile` mean. */

/** The bytes of a request that says how large its reply shall be. */
const SIZE_BYTES = 4

/**
 * How many bytes the reply shall have that a request asks for; `undefined` if it is to be echoed.
 *
 * @param {Buffer} request
 */
export function asked(request) {
  return request.length === SIZE_BYTES ? request.readUInt32BE() : undefined
}
