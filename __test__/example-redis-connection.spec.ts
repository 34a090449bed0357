/** What the Redis example refuses, and its commands for connections, reply by reply. */

import { answers } from './support/redis.js'

answers('unknown commands are refused', [
  ['FOO', "-ERR unknown command 'FOO', with args beginning with: \r\n"],
  ['foo bar baz', "-ERR unknown command 'foo', with args beginning with: 'bar' 'baz' \r\n"],
  ['"a b" "c\\r\\nd"', "-ERR unknown command 'a b', with args beginning with: 'c  d' \r\n"],
  [
    `FOO ${'x'.repeat(150)} y`,
    `-ERR unknown command 'FOO', with args beginning with: '${'x'.repeat(128)}' \r\n`,
  ],
  [
    `${'y'.repeat(140)} a`,
    `-ERR unknown command '${'y'.repeat(128)}', with args beginning with: 'a' \r\n`,
  ],
  ['""', "-ERR unknown command '', with args beginning with: \r\n"],
  ['CONFIG', "-ERR wrong number of arguments for 'config' command\r\n"],
  ['CONFIG GET', "-ERR wrong number of arguments for 'config|get' command\r\n"],
  ['CONFIG foo', "-ERR unknown subcommand 'foo'. Try CONFIG HELP.\r\n"],
  ['CONFIG SET', "-ERR wrong number of arguments for 'config|set' command\r\n"],
  ['CONFIG SET maxmemory 0', '+OK\r\n'],
  ['CONFIG SET a', "-ERR wrong number of arguments for 'config|set' command\r\n"],
  ['CONFIG RESETSTAT', '+OK\r\n'],
  ['CONFIG GET nothing*', '*0\r\n'],
  ['CONFIG GET appendonl?', '*2\r\n$10\r\nappendonly\r\n$2\r\nno\r\n'],
  ['COMMAND FOO', "-ERR unknown subcommand 'FOO'. Try COMMAND HELP.\r\n"],
  ['COMMAND COUNT x', "-ERR wrong number of arguments for 'command|count' command\r\n"],
  ['CLIENT', "-ERR wrong number of arguments for 'client' command\r\n"],
  ['CLIENT FOO', "-ERR unknown subcommand 'FOO'. Try CLIENT HELP.\r\n"],
  ['CLIENT ID x', "-ERR wrong number of arguments for 'client|id' command\r\n"],
  ['COMMAND DOCS none', '*0\r\n'],
])

answers('a client has a name and a protocol', [
  ['CLIENT GETNAME', '$-1\r\n'],
  ['CLIENT SETNAME me', '+OK\r\n'],
  ['CLIENT GETNAME', '$2\r\nme\r\n'],
  ['client getname', '$2\r\nme\r\n'],
  [
    'CLIENT SETNAME "a b"',
    '-ERR Client names cannot contain spaces, newlines or special characters.\r\n',
  ],
  ['CLIENT SETNAME ""', '+OK\r\n'],
  ['CLIENT GETNAME', '$-1\r\n'],
  ['CLIENT SETNAME', "-ERR wrong number of arguments for 'client|setname' command\r\n"],
  ['HELLO 3x', '-ERR Protocol version is not an integer or out of range\r\n'],
  ['HELLO 4', '-NOPROTO unsupported protocol version\r\n'],
  ['HELLO 1', '-NOPROTO unsupported protocol version\r\n'],
  ['HELLO 0', '-NOPROTO unsupported protocol version\r\n'],
  ['HELLO -1', '-NOPROTO unsupported protocol version\r\n'],
  ['HELLO abc', '-ERR Protocol version is not an integer or out of range\r\n'],
  ['HELLO 2 FOO', "-ERR Syntax error in HELLO option 'FOO'\r\n"],
  ['HELLO 2 SETNAME', "-ERR Syntax error in HELLO option 'SETNAME'\r\n"],
  ['HELLO 2 AUTH', "-ERR Syntax error in HELLO option 'AUTH'\r\n"],
  ['CLIENT GETNAME', '$-1\r\n'],
  ['HELLO 99999999999999999999', '-ERR Protocol version is not an integer or out of range\r\n'],
])
