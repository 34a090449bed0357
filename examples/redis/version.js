// @ts-check
/** The Redis whose replies these are: clients look at it to know which commands there are. */
export const VERSION = '7.0.15'
