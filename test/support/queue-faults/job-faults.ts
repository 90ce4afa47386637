import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { mulberry32 } from '../random.ts'
import { startCallCounter } from './call-counter.ts'

const SERVERS = 2
const WORKERS = 3
const WRITERS = 4
/** Longer than a lease and the interval of the supervisor together. */
const LONGEST_SILENCE_MS = 60_000

export interface Process {
  /** URL of the process if it has the role `api`. */
  url: string
  /** Ends the process with SIGKILL; resolves when it has exited. */
  kill(): Promise<void>
}

export interface JobFaultsOptions {
  databaseUrl: string
  /** Starts another process with these roles, which may call this host. */
  start(roles: 'api' | 'worker', allowedHost: string): Promise<Process>
  jobs: number
  kills: number
  seed: number
}

export interface JobFaultsReport {
  jobs: number
  kills: number
  /** Number of attempts, and of those whose worker was killed. */
  runs: number
  lostRuns: number
  /** Number of completed calls of all attempts. */
  calls: number
  seconds: number
  /** Seconds from the last kill to the end of the last job. */
  secondsAfter: number
  problems: string[]
}

interface JobResult {
  id: number
  title: string
  status: string
  state: string
  succeeded: number
  runs: number
  lost: number
  unfinished: number
}

/**
 * Posts jobs to two servers and lets three workers run them, while random workers are killed and replaced. Each job
 * makes one call. Reports the results of the jobs and every contradiction to the calls that the counter received.
 */
export async function runJobFaults(options: JobFaultsOptions): Promise<JobFaultsReport> {
  const began = performance.now()
  const random = mulberry32(options.seed)
  const below = (limit: number) => Math.floor(random() * limit)
  await using counter = await startCallCounter(random)
  const start = (roles: 'api' | 'worker') => options.start(roles, counter.host)
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => start('api')))
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => start('worker')))

  let posted = 0
  async function post(): Promise<void> {
    while (posted < options.jobs) {
      const title = String(posted++)
      const response = await fetch(`${servers[below(SERVERS)]!.url}/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ title, job: { type: 'http', input: { url: `${counter.url}/${title}` } } }),
      })
      if (response.status !== 201) throw new Error(`status ${response.status}: ${await response.text()}`)
      await response.body?.cancel()
    }
  }
  let kills = 0
  let lastKill = began
  async function kill(): Promise<void> {
    while (kills < options.kills) {
      // The kills are spread over the run, so that work is left after the last one.
      if (counter.called.size < (options.jobs * (kills + 1)) / (options.kills + 1)) {
        await delay(5)
        continue
      }
      const index = below(WORKERS)
      await workers[index]!.kill()
      lastKill = performance.now()
      kills++
      workers[index] = await start('worker')
    }
  }
  await Promise.all([...Array.from({ length: WRITERS }, post), kill()])

  const client = new pg.Client({ connectionString: options.databaseUrl })
  await client.connect()
  await allEnded(client, options.jobs)
  const secondsAfter = (performance.now() - lastKill) / 1000
  const { rows: results } = await client.query<JobResult>(RESULTS)
  await client.end()
  for (const one of [...servers, ...workers]) await one.kill()
  const sum = (of: (result: JobResult) => number) => results.reduce((total, result) => total + of(result), 0)
  return {
    jobs: results.length,
    kills,
    runs: sum(({ runs }) => runs),
    lostRuns: sum(({ lost }) => lost),
    calls: [...counter.called.values()].reduce((total, times) => total + times, 0),
    seconds: (performance.now() - began) / 1000,
    secondsAfter,
    problems: results.flatMap((result) => problemsOf(result, counter.called.get(result.title) ?? 0)),
  }
}

const RESULTS = `SELECT t.id, t.title, t.status, t.job ->> 'state' AS state, count(*)::int AS runs,
  count(*) FILTER (WHERE r.state = 'succeeded')::int AS succeeded,
  count(*) FILTER (WHERE r.state = 'lost')::int AS lost,
  count(*) FILTER (WHERE r.state = 'running')::int AS unfinished
  FROM tasks t JOIN task_runs r ON r.task_id = t.id GROUP BY t.id ORDER BY t.id`

/** Returns what is wrong: each job must have succeeded once, and have at least one run for each completed call. */
function problemsOf({ id, status, state, runs, succeeded, unfinished }: JobResult, calls: number): string[] {
  const problems: string[] = []
  if (status !== 'done' || state !== 'succeeded') problems.push(`is ${status}, its job ${state}`)
  if (succeeded !== 1) problems.push(`has succeeded ${succeeded} times`)
  if (unfinished > 0) problems.push(`has ${unfinished} runs without an end`)
  if (calls === 0) problems.push('made no call')
  if (calls > runs) problems.push(`made ${calls} calls in ${runs} runs`)
  return problems.map((problem) => `task ${id} ${problem}`)
}

/** Waits until all jobs have ended; throws if none ends for too long. */
async function allEnded(client: pg.Client, jobs: number): Promise<void> {
  let ended = -1
  let deadline = 0
  while (ended < jobs) {
    const { rows } = await client.query<{ count: number }>(
      "SELECT count(*)::int AS count FROM tasks WHERE job ->> 'state' IN ('succeeded', 'failed')",
    )
    if (rows[0]!.count > ended) {
      ended = rows[0]!.count
      deadline = performance.now() + LONGEST_SILENCE_MS
    }
    if (performance.now() > deadline) throw new Error(`${jobs - ended} jobs are stuck`)
    await delay(100)
  }
}
