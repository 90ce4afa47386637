import { describe, expect, test } from 'vitest'
import { hasBroker } from '../support/broker.ts'
import { emptyDatabase } from '../support/empty-database.ts'
import { kill } from '../support/processes.ts'
import { runJobFaults } from '../support/queue-faults/job-faults.ts'
import { runMessageFaults } from '../support/queue-faults/message-faults.ts'
import { startServer } from '../support/server.ts'

const JOBS = 400
const KILLS = 4
const MESSAGES = 4_000
const CUTS = 10
const RESTARTS = 1
const SECRET_KEY = 'one-secret-key-for-all-processes-of-this-test'

/** Starts a server that can be killed. */
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
test(`${JOBS} jobs all succeed while ${KILLS} workers are killed, and have a run for every call`, async () => {
  const databaseUrl = await emptyDatabase()
  const seed = Math.floor(Math.random() * 2 ** 31)
  const report = await runJobFaults({
    databaseUrl,
    start: (ROLES, JOB_HTTP_ALLOW) =>
      start({ DATABASE_URL: databaseUrl, ROLES, JOB_HTTP_ALLOW, RATE_LIMIT_PER_MINUTE: '0' }),
    jobs: JOBS,
    kills: KILLS,
    seed,
  })
  process.stdout.write(`jobs ${JSON.stringify(report)}\n`)
  expect({ ...report, seed }).toMatchObject({ jobs: JOBS, kills: KILLS, problems: [] })
}, 240_000)

describe.skipIf(!hasBroker)('with a RabbitMQ node of the test', () => {
  test(`${MESSAGES} messages create one task each in spite of ${CUTS} cuts and a restart`, async () => {
    const databaseUrl = await emptyDatabase()
    const seed = Math.floor(Math.random() * 2 ** 31)
    const report = await runMessageFaults({
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
