import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { mulberry32 } from '../random.ts'
import { startWitness } from './witness.ts'

const SERVERS = 2
const WORKERS = 3
const WRITERS = 4
/** More than a lease and the look for those that ended. */
const LONGEST_SILENCE_MS = 60_000

export interface Process {
  /** Of one that serves. */
  url: string
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
}

export interface Siege {
  databaseUrl: string
  /** Starts one more process of these roles, which may call this host. */
  start(roles: 'api' | 'worker', allowedHost: string): Promise<Process>
  jobs: number
  kills: number
  seed: number
}

export interface SiegeReport {
  jobs: number
  kills: number
  /** Attempts in all, and those of them that their worker did not live to end. */
  runs: number
  lostRuns: number
  /** Calls that were made in whole, by all attempts. */
  calls: number
  seconds: number
  /** From the last kill to the end of the last job. */
  secondsAfter: number
  problems: string[]
}

interface Fate {
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
 * Jobs that each call a witness once, posted to two servers and run by three workers, of which random ones
 * are killed with -9 and begun anew; in the end what became of each job, against what the witness saw.
 */
export async function runSiege(siege: Siege): Promise<SiegeReport> {
  const began = performance.now()
  const random = mulberry32(siege.seed)
  const below = (limit: number) => Math.floor(random() * limit)
  await using witness = await startWitness(random)
  const start = (roles: 'api' | 'worker') => siege.start(roles, witness.host)
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => start('api')))
  const workers = await Promise.all(Array.from({ length: WORKERS }, () => start('worker')))

  let posted = 0
  async function post(): Promise<void> {
    while (posted < siege.jobs) {
      const title = String(posted++)
      const response = await fetch(`${servers[below(SERVERS)]!.url}/tasks`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ title, job: { type: 'http', input: { url: `${witness.url}/${title}` } } }),
      })
      if (response.status !== 201) throw new Error(`answered ${response.status}: ${await response.text()}`)
      await response.body?.cancel()
    }
  }
  let kills = 0
  let lastKill = began
  async function kill(): Promise<void> {
    while (kills < siege.kills) {
      // The last one leaves work for the others.
      if (witness.called.size < (siege.jobs * (kills + 1)) / (siege.kills + 1)) {
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

  const client = new pg.Client({ connectionString: siege.databaseUrl })
  await client.connect()
  await allEnded(client, siege.jobs)
  const secondsAfter = (performance.now() - lastKill) / 1000
  const { rows: fates } = await client.query<Fate>(FATES)
  await client.end()
  for (const one of [...servers, ...workers]) await one.kill()
  const sum = (of: (fate: Fate) => number) => fates.reduce((total, fate) => total + of(fate), 0)
  return {
    jobs: fates.length,
    kills,
    runs: sum(({ runs }) => runs),
    lostRuns: sum(({ lost }) => lost),
    calls: [...witness.called.values()].reduce((total, times) => total + times, 0),
    seconds: (performance.now() - began) / 1000,
    secondsAfter,
    problems: fates.flatMap((fate) => wrongWith(fate, witness.called.get(fate.title) ?? 0)),
  }
}

const FATES = `SELECT t.id, t.title, t.status, t.job ->> 'state' AS state, count(*)::int AS runs,
  count(*) FILTER (WHERE r.state = 'succeeded')::int AS succeeded,
  count(*) FILTER (WHERE r.state = 'lost')::int AS lost,
  count(*) FILTER (WHERE r.state = 'running')::int AS unfinished
  FROM tasks t JOIN task_runs r ON r.task_id = t.id GROUP BY t.id ORDER BY t.id`

/** Each job must have ended well, with every call that was made in whole told by a run of its own. */
function wrongWith({ id, status, state, runs, succeeded, unfinished }: Fate, calls: number): string[] {
  const problems: string[] = []
  if (status !== 'done' || state !== 'succeeded') problems.push(`is ${status}, its job ${state}`)
  if (succeeded !== 1) problems.push(`has succeeded ${succeeded} times`)
  if (unfinished > 0) problems.push(`has ${unfinished} runs without an end`)
  if (calls === 0) problems.push('made no call')
  if (calls > runs) problems.push(`made ${calls} calls in ${runs} runs`)
  return problems.map((problem) => `task ${id} ${problem}`)
}

/** Throws when for too long no job has ended. */
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
