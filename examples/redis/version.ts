/** The version of Redis that this example imitates. Clients ask for it to know which commands exist. */
export const VERSION = '7.0.15'
