/** The limits in time that are in force for a connection. */

import type { ConnImpl } from './conn-impl.js'
import type { TimeoutSettings } from './timeouts.js'

/** Those of its profile, unless `setTimeouts` has changed them. */
export function limitsOf({ cold, profile }: ConnImpl): TimeoutSettings {
  return cold?.limits ?? profile.timeouts
}
