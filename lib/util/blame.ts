/** Whose mistake an error is, where its code does not say that. */

const users = new WeakSet<Error>()
const ends = new WeakSet<Error>()

/** Marks an error as one that the user's code has probably caused, though a peer can cause others with its code. */
export function blameUser<T extends Error>(error: T): T {
  users.add(error)
  return error
}

/** Whether {@link blameUser} has marked it. */
export function isUsersMistake(error: Error): boolean {
  return users.has(error)
}

/** Marks an error that tells those who wait for a connection that it has ended. */
export function tellsEnd<T extends Error>(error: T): T {
  ends.add(error)
  return error
}

/** Whether it only says that some connection has ended. */
export function isTheEnd(error: Error): boolean {
  return ends.has(error)
}
