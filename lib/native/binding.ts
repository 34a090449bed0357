/** The compiled half of millrace. No other file imports it. */

export * from '../../native.cjs'
