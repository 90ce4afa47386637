/** Is each job done, and each message one task, whatever is cut, restarted and killed? */

import { runJobFaults } from '../test/support/queue-faults/job-faults.ts'
import { runMessageFaults } from '../test/support/queue-faults/message-faults.ts'
import { readOptions, say } from './lib/options.ts'
import { openPostgres } from './lib/postgres.ts'
import { printTable, verdict, whole } from './lib/table.ts'
import { startTaskwire } from './lib/taskwire.ts'
import { temporaryFolder } from './lib/temporary-folder.ts'

const options = readOptions(
  'Queue faults: kill -9 of workers, cuts and restarts of RabbitMQ, and a count. Needs rabbitmq-server.',
)
const JOBS = options.quick ? { jobs: 300, kills: 2 } : { jobs: 5_000, kills: 20 }
const MESSAGES = options.quick
  ? { messages: 2_000, cuts: 5, restarts: 1 }
  : { messages: 50_000, cuts: 100, restarts: 5 }

await using postgres = await openPostgres(options)
await using folder = await temporaryFolder()
const seed = Date.now() % 2 ** 31

const jobsUrl = await postgres.createMigrated('job_faults')
const jobs = await runJobFaults({
  ...JOBS,
  databaseUrl: jobsUrl,
  start: (ROLES, JOB_HTTP_ALLOW) => start({ DATABASE_URL: jobsUrl, ROLES, JOB_HTTP_ALLOW }),
  seed,
})
printTable(
  `${whole(jobs.jobs)} http jobs on two servers and three workers, in ${Math.round(jobs.seconds)} s`,
  ['kill -9', 'attempts', 'cut short', 'calls', 'last end after the last kill', 'as it must be'],
  [
    [
      ...[jobs.kills, jobs.runs, jobs.lostRuns, jobs.calls].map(whole),
      `${jobs.secondsAfter.toFixed(1)} s`,
      verdict(jobs.problems.length === 0),
    ],
  ],
)
for (const problem of jobs.problems) say(`- ${problem}`)

const messagesUrl = await postgres.createMigrated('message_faults')
const messages = await runMessageFaults({
  ...MESSAGES,
  databaseUrl: messagesUrl,
  start: (settings) => start({ ...settings, DATABASE_URL: messagesUrl, WORKER_CONCURRENCY: '0' }),
  seed,
})
printTable(
  `${whole(messages.messages)} messages by a durable queue to two servers, in ${Math.round(messages.seconds)} s`,
  ['cuts', 'restarts of RabbitMQ', 'lost', 'doubled', 'dead', 'as it must be'],
  [
    [
      ...[messages.cuts, messages.restarts, messages.lost, messages.doubled, messages.dead].map(whole),
      verdict(messages.lost + messages.doubled + messages.dead === 0),
    ],
  ],
)

async function start(env: Record<string, string>) {
  const server = await startTaskwire(folder.path, {
    env: { ...env, SECRET_KEY: 'x'.repeat(32), RATE_LIMIT_PER_MINUTE: '0', LOG_LEVEL: 'warn' },
  })
  return {
    url: server.url,
    async kill() {
      process.kill(server.pid, 'SIGKILL')
      await server[Symbol.asyncDispose]()
    },
  }
}
