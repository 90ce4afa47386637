/** How much resident memory does an idle WebSocket take? */
import { setTimeout as delay } from 'node:timers/promises'
import { readOptions } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { residentBytes } from './lib/process.ts'
import { SocketClients } from './lib/socket-clients.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions('Memory: resident bytes of the server for each idle WebSocket.')
const SOCKETS = options.quick ? 500 : 10_000
const SETTLE_MS = options.quick ? 500 : 5_000
const TARGET_KIB = 16

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
const env = { DATABASE_URL: await postgres.createMigrated('memory') }
await using server = await startTaskwire(folder.path, {
  env,
  nodeArguments: ['--expose-gc', '--import', new URL('./load/collect-on-signal.ts', import.meta.url).href],
})
await using clients = new SocketClients()
// The first sockets bring code and buffers that all share.
{
  await using first = new SocketClients()
  await first.connect(server.port, '/ws/tasks', 50)
}
const empty = await settled()
await clients.connect(server.port, '/ws/tasks', SOCKETS / 2)
const half = await settled()
await clients.connect(server.port, '/ws/tasks', SOCKETS / 2)
await delay(SETTLE_MS)
const before = residentBytes(server.pid)
const after = await settled()

const perSocket = (bytes: number) => (bytes - empty) / SOCKETS / 1024
const secondHalf = (after - half) / (SOCKETS / 2) / 1024
printTable(
  `Resident memory of the Node process with ${SOCKETS} idle sockets`,
  ['state', 'resident', 'per socket', 'target', 'reached'],
  [
    ['no socket, after collection', mebibytes(empty), '', '', ''],
    [`${whole(SOCKETS)} sockets, left alone`, mebibytes(before), kibibytes(before), '', ''],
    [
      `${whole(SOCKETS)} sockets, after collection`,
      mebibytes(after),
      kibibytes(after),
      `${TARGET_KIB} KiB`,
      verdict(perSocket(after) <= TARGET_KIB),
    ],
    ['the second half of them', mebibytes(after), `${secondHalf.toFixed(1)} KiB`, '', ''],
  ],
)

/** Resident bytes after the garbage was collected, twice for what the first leaves to finalizers. */
async function settled(): Promise<number> {
  for (let i = 0; i < 2; i++) {
    process.kill(server.pid, 'SIGUSR2')
    await delay(SETTLE_MS / 2)
  }
  return residentBytes(server.pid)
}

function mebibytes(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(1)} MiB`
}

function kibibytes(bytes: number): string {
  return `${perSocket(bytes).toFixed(1)} KiB`
}
