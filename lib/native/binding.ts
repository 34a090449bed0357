/** The compiled half of millrace. No other file imports it. */

// First, so that it fails before the loader does.
import './binary.js'

export * from '../../native.cjs'
