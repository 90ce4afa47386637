/** Does every reader that comes back have each event once and in order, whatever is cut and killed? */

import { runStorm } from '../test/support/storm/storm.ts'
import { readOptions, say } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions(
  'Storm: writers on two processes, cuts of readers, kill -9 of processes, and a count.',
)
const SIZE = options.quick
  ? { events: 10_000, cuts: 100, kills: 2 }
  : { events: 1_000_000, cuts: 10_000, kills: 50 }

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
const databaseUrl = await postgres.createMigrated('storm')
const env = { DATABASE_URL: databaseUrl, SECRET_KEY: 'x'.repeat(32), LOG_LEVEL: 'warn' }
const report = await runStorm({
  ...SIZE,
  databaseUrl,
  seed: Date.now() % 2 ** 31,
  start: async () => {
    const server = await startTaskwire(folder.path, { env })
    return {
      url: server.url,
      async kill() {
        process.kill(server.pid, 'SIGKILL')
        await server[Symbol.asyncDispose]()
      },
    }
  },
})
const flawless = report.lost + report.doubled + report.disordered + report.problems.length === 0
printTable(
  `${whole(report.events)} events, 8 readers, in ${Math.round(report.seconds)} s`,
  [
    'cuts',
    'kill -9',
    'resumed',
    'keyed writes (sent again)',
    'lost',
    'doubled',
    'out of order',
    'as it must be',
  ],
  [
    [
      whole(report.cuts),
      whole(report.kills),
      whole(report.resumed),
      `${whole(report.writes)} (${whole(report.retries)})`,
      ...[report.lost, report.doubled, report.disordered].map(whole),
      verdict(flawless),
    ],
  ],
)
for (const problem of report.problems) say(`- ${problem}`)
