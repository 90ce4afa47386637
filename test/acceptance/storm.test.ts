import { expect, test } from 'vitest'
import { emptyDatabase } from '../support/empty-database.ts'
import { kill } from '../support/processes.ts'
import { startServer } from '../support/server.ts'
import { runStorm } from '../support/storm/storm.ts'

const EVENTS = 100_000
const CUTS = 1_000
const KILLS = 8

// `npm run bench -- storm` does the same with ten times as much.
test(`${EVENTS} events on two processes, ${CUTS} cuts, ${KILLS} times kill -9: each reader has each event once, in order`, async () => {
  const databaseUrl = await emptyDatabase()
  const seed = Math.floor(Math.random() * 2 ** 31)
  const report = await runStorm({
    databaseUrl,
    start: async () => {
      const server = await startServer({
        DATABASE_URL: databaseUrl,
        SECRET_KEY: 'one-secret-key-for-both-processes-of-this-test',
      })
      return {
        url: server.url,
        kill: async () => {
          kill(server.pid, 'SIGKILL')
          await server.exited
        },
      }
    },
    events: EVENTS,
    cuts: CUTS,
    kills: KILLS,
    seed,
  })
  process.stdout.write(`storm ${JSON.stringify(report)}\n`)
  expect({ ...report, seed }).toMatchObject({
    lost: 0,
    doubled: 0,
    disordered: 0,
    problems: [],
    kills: KILLS,
    cuts: CUTS,
  })
  expect(report.events).toBeGreaterThanOrEqual(EVENTS)
}, 300_000)
