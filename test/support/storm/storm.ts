import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { mulberry32 } from '../random.ts'
import { type Follower, SocketFollower, SourceFollower } from './followers.ts'
import { PatientWriters } from './patient-writers.ts'
import { writeInTransactions } from './transactions.ts'

const HTTP_WRITERS = 4
const TRANSACTION_WRITERS = 2
const CATCH_UP_MS = 60_000

/** A process of the server. */
export interface StormServer {
  url: string
  /** kill -9; resolves when it is gone. */
  kill(): Promise<void>
}

export interface Storm {
  /** Of an empty, or at least quiet, database. */
  databaseUrl: string
  /** Starts one more server on it. */
  start(): Promise<StormServer>
  /** At least so many events, cut connections, and killed servers. */
  events: number
  cuts: number
  kills: number
  seed: number
}

export interface StormReport {
  events: number
  writes: number
  retries: number
  cuts: number
  kills: number
  resumed: number
  seconds: number
  /** Over all readers. */
  lost: number
  doubled: number
  disordered: number
  problems: string[]
}

/**
 * Random writers on two processes, random cuts of random readers, kill -9 of random processes, and in
 * the end a count: what each reader has, against what is in the table.
 */
export async function runStorm(storm: Storm): Promise<StormReport> {
  const began = performance.now()
  const random = mulberry32(storm.seed)
  const pick = <T>(items: readonly T[]): T => items[Math.floor(random() * items.length)]!
  const servers = [await storm.start(), await storm.start()]
  const place = () => pick(servers).url
  const after = '0'
  const followers: Follower[] = [
    ...Array.from({ length: 3 }, () => new SocketFollower(place, { after })),
    ...Array.from({ length: 3 }, () => new SourceFollower(place, { after })),
    new SocketFollower(place, { after, types: 'task_created' }),
    new SourceFollower(place, { after, types: 'task_deleted' }),
  ]
  const writers = new PatientWriters(HTTP_WRITERS, place, () =>
    random() < 0.2 ? 'x'.repeat(Math.floor(random() * 5000)) : null,
  )
  let inTransactions = 0
  const committed = () => inTransactions + writers.answered.size
  const isOver = () => committed() >= storm.events
  const behind = () => committed() - Math.min(...followers.slice(0, 6).map(({ ids }) => ids.length))
  const transactions = Array.from({ length: TRANSACTION_WRITERS }, () =>
    writeInTransactions(storm.databaseUrl, {
      random,
      isOver,
      behind,
      committed: (count) => {
        inTransactions += count
      },
    }),
  )

  let cuts = 0
  let kills = 0
  const due = (total: number) => Math.floor((Math.min(committed(), storm.events) / storm.events) * total)
  async function cutting(): Promise<void> {
    while (cuts < storm.cuts) {
      const connected = followers.filter(({ isConnected }) => isConnected)
      if (connected.length > 0 && cuts < due(storm.cuts)) {
        pick(connected).cut()
        cuts++
      }
      await delay(1)
    }
  }
  async function killing(): Promise<void> {
    while (kills < storm.kills) {
      if (kills < due(storm.kills)) {
        const index = Math.floor(random() * servers.length)
        await servers[index]!.kill()
        servers[index] = await storm.start()
        kills++
      }
      await delay(10)
    }
  }
  await Promise.all([cutting(), killing(), ...transactions])
  await writers.stop()

  const all = await tableOf(storm.databaseUrl)
  const report: StormReport = {
    events: all.length,
    writes: writers.answered.size,
    retries: writers.retries,
    cuts,
    kills,
    resumed: 0,
    seconds: 0,
    lost: 0,
    doubled: 0,
    disordered: 0,
    problems: [],
  }
  for (const follower of followers) {
    const owed = all.filter(({ type }) => !follower.types || follower.types === type).map(({ id }) => id)
    const deadline = performance.now() + CATCH_UP_MS
    while (follower.ids.length < owed.length && performance.now() < deadline) await delay(20)
    await follower.stop()
    const told = new Set(follower.ids)
    report.lost += owed.filter((id) => !told.has(id)).length
    report.doubled += follower.ids.length - told.size
    report.disordered += follower.ids.filter((id, index) => index > 0 && id < follower.ids[index - 1]!).length
    report.problems.push(...follower.problems)
    report.resumed += follower.resumed
    const foreign = told.difference(new Set(owed))
    if (foreign.size > 0) report.problems.push(`${foreign.size} events that it must not get`)
  }
  report.problems.push(...(await wronglyWritten(storm.databaseUrl, writers.answered)))
  for (const server of servers) await server.kill()
  report.seconds = (performance.now() - began) / 1000
  return report
}

async function tableOf(url: string): Promise<{ id: number; type: string }[]> {
  const rows = await query<{ id: string; type: string }>(url, 'SELECT id, type FROM events ORDER BY id')
  return rows.map(({ id, type }) => ({ id: Number(id), type }))
}

/** Each title must be there once, with the id that was answered. */
async function wronglyWritten(url: string, answered: ReadonlyMap<string, number>): Promise<string[]> {
  const tasks = await query<{ id: number; title: string }>(url, 'SELECT id, title FROM tasks')
  const wrong = tasks
    .filter(({ id, title }) => answered.get(title) !== id)
    .map(({ title }) => `task ${title}`)
  if (tasks.length !== answered.size) wrong.push(`${tasks.length} tasks instead of ${answered.size}`)
  return wrong
}

async function query<R extends object>(url: string, text: string): Promise<R[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  const { rows } = await client.query<R>(text)
  await client.end()
  return rows
}
