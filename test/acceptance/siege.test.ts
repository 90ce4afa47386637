import { describe, expect, test } from 'vitest'
import { hasBroker } from '../support/broker.ts'
import { emptyDatabase } from '../support/empty-database.ts'
import { kill } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { runMessageSiege } from '../support/siege/messages.ts'
import { runSiege } from '../support/siege/siege.ts'

const JOBS = 400
const KILLS = 4
const MESSAGES = 4_000
const CUTS = 10
const RESTARTS = 1
const SECRET_KEY = 'one-secret-key-for-all-processes-of-this-test'

/** A server, killed with -9 when it is time. */
async function start(settings: Record<string, string>) {
  const server = await startServer({ SECRET_KEY, ...settings })
  return {
    url: server.url,
    kill: async () => {
      kill(server.pid, 'SIGKILL')
      await server.exited
    },
  }
}

// `npm run bench -- queue-faults` does the same with more.
test(`${JOBS} jobs on two servers and three workers, of which ${KILLS} are killed: each is done, and its runs tell of every call`, async () => {
  const databaseUrl = await emptyDatabase()
  const seed = Math.floor(Math.random() * 2 ** 31)
  const report = await runSiege({
    databaseUrl,
    start: (ROLES, JOB_HTTP_ALLOW) =>
      start({ DATABASE_URL: databaseUrl, ROLES, JOB_HTTP_ALLOW, RATE_LIMIT_PER_MINUTE: '0' }),
    jobs: JOBS,
    kills: KILLS,
    seed,
  })
  process.stdout.write(`siege ${JSON.stringify(report)}\n`)
  expect({ ...report, seed }).toMatchObject({ jobs: JOBS, kills: KILLS, problems: [] })
}, 240_000)

describe.skipIf(!hasBroker)('with a RabbitMQ of its own', () => {
  test(`${MESSAGES} messages through ${CUTS} cuts and a restart make one task each`, async () => {
    const databaseUrl = await emptyDatabase()
    const seed = Math.floor(Math.random() * 2 ** 31)
    const report = await runMessageSiege({
      databaseUrl,
      start: (settings) => start({ ...settings, DATABASE_URL: databaseUrl, WORKER_CONCURRENCY: '0' }),
      messages: MESSAGES,
      cuts: CUTS,
      restarts: RESTARTS,
      seed,
    })
    process.stdout.write(`messages ${JSON.stringify(report)}\n`)
    expect({ ...report, seed }).toMatchObject({
      cuts: CUTS,
      restarts: RESTARTS,
      lost: 0,
      doubled: 0,
      dead: 0,
    })
  }, 240_000)
})
