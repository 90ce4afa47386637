import fc from 'fast-check'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../test/support/database.ts'
import {
  insertEvent,
  plainRenderers,
  type Reader,
  rawClient,
  readStream,
  storedEvents,
} from '../../test/support/event-harness.ts'
import { eventually } from '../../test/support/eventually.ts'
import { logTo } from '../../test/support/log.ts'
import { EventStream } from './stream.ts'

// Random schedules of transactions on several connections, and of readers who come and go, against
// the model: a reader gets what became visible after it joined, by id, each once, and nothing else.

const CONNECTIONS = 4
let database: TestDatabase
const clients: pg.Client[] = []

beforeAll(async () => {
  database = await createTestDatabase()
  for (let i = 0; i < CONNECTIONS; i++) clients.push(await rawClient(database.url))
})
afterAll(async () => {
  await Promise.all(clients.map((client) => client.end()))
  await database[Symbol.asyncDispose]()
})

const connection = fc.nat(CONNECTIONS - 1)
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('insert' as const), on: connection }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('begin' as const), on: connection }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('commit' as const), on: connection }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollback' as const), on: connection }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('savepoint' as const), on: connection }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('rollbackTo' as const), on: connection }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('join' as const), waits: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('wake' as const) }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('tell' as const), which: fc.nat() }) },
)
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never

/** Events that a connection has inserted and not yet committed, with a mark for each savepoint. */
interface Open {
  ids: number[]
  marks: number[]
}

interface Member {
  reader: Promise<Reader>
  /** Commits that had been made when it asked to join: it gets none of them. */
  before: number
  /** Commits that had been made or were under way when it had joined: it gets all later ones. */
  joined: number | undefined
  /** Ids it had when it left. */
  left: number[] | undefined
}

class Schedule {
  readonly stream = new EventStream(database.db, logTo([]), plainRenderers)
  /** The ids of each commit, in the order of the commits. */
  readonly commits: number[][] = []
  readonly open = new Map<number, Open>()
  /** A commit that is under way, not yet among `commits`, may be visible to readers already. */
  #committing = 0
  readonly members: Member[] = []

  async take(action: Step): Promise<void> {
    if (action.do === 'wake') return this.stream.wake()
    if (action.do === 'tell') return this.#tell(action.which)
    if (action.do === 'join') return this.#join(action.waits)
    if (action.do === 'leave') return this.#leave(action.which)
    const client = clients[action.on]!
    const open = this.open.get(action.on)
    if (action.do === 'insert') {
      if (open) open.ids.push(await insertEvent(client))
      else await this.#commit(async () => [await insertEvent(client)])
    } else if (action.do === 'begin') {
      if (open) return
      await client.query('BEGIN')
      this.open.set(action.on, { ids: [], marks: [] })
    } else if (open) {
      await this.#inTransaction(action.do, action.on, open)
    }
  }

  async #inTransaction(what: 'commit' | 'rollback' | 'savepoint' | 'rollbackTo', on: number, open: Open) {
    const client = clients[on]!
    if (what === 'savepoint') {
      await client.query(`SAVEPOINT s${open.marks.length}`)
      open.marks.push(open.ids.length)
    } else if (what === 'rollbackTo') {
      const mark = open.marks.at(-1)
      if (mark === undefined) return
      await client.query(`ROLLBACK TO SAVEPOINT s${open.marks.length - 1}`)
      open.ids.length = mark
    } else {
      this.open.delete(on)
      if (what === 'rollback') await client.query('ROLLBACK')
      else await this.#commit(() => client.query('COMMIT').then(() => open.ids))
    }
  }

  async #commit(run: () => Promise<number[]>): Promise<void> {
    this.#committing = 1
    this.commits.push(await run())
    this.#committing = 0
  }

  /** Wakes the stream with all the events of a commit, be it the last one or one that it has read long ago. */
  async #tell(which: number): Promise<void> {
    const ids = this.commits[this.commits.length - 1 - (which % Math.max(1, this.commits.length))]
    if (ids) this.stream.wake(await storedEvents(database.db, ids))
  }

  async #join(waits: boolean): Promise<void> {
    const member: Member = {
      before: this.commits.length,
      joined: undefined,
      left: undefined,
      reader: readStream(this.stream).then((reader) => {
        member.joined = this.commits.length + this.#committing
        return reader
      }),
    }
    this.members.push(member)
    if (waits) await member.reader
  }

  async #leave(which: number): Promise<void> {
    const member = this.members[which % Math.max(1, this.members.length)]
    if (!member || member.left) return
    const reader = await member.reader
    reader.close()
    member.left = [...reader.ids]
  }

  /** Ends everything with one last event for all, and compares. */
  async finish(): Promise<void> {
    for (const on of [...this.open.keys()]) await this.take({ do: 'commit', on })
    const readers = await Promise.all(this.members.map(({ reader }) => reader))
    const last = await insertEvent(clients[0]!)
    this.commits.push([last])
    this.stream.wake()
    for (const [i, { left }] of this.members.entries()) {
      if (!left) await eventually(() => readers[i]!.ids.includes(last), `the last event at reader ${i}`)
    }
    for (const [i, member] of this.members.entries()) this.#check(member, readers[i]!.ids)
  }

  #check({ before, joined, left }: Member, ids: number[]): void {
    if (left) expect(ids).toEqual(left)
    // While it was joining, either side of each commit is right, but it is one moment for all of them.
    const candidates: number[][] = []
    for (let from = before; from <= joined!; from++) {
      candidates.push(
        this.commits
          .slice(from)
          .flat()
          .sort((a, b) => a - b),
      )
    }
    const matches = candidates.some((expected) =>
      left ? ids.every((id, i) => expected[i] === id) : ids.join() === expected.join(),
    )
    if (!matches) expect(ids).toEqual(candidates[0])
    expect(matches).toBe(true)
  }

  async dispose(): Promise<void> {
    for (const on of this.open.keys()) await clients[on]!.query('ROLLBACK')
    await this.stream[Symbol.asyncDispose]()
  }
}

test('a reader gets exactly the events that were committed after it joined, by id', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 60 }), async (steps) => {
      const schedule = new Schedule()
      await schedule.stream.start()
      try {
        for (const action of steps) await schedule.take(action)
        await schedule.finish()
      } finally {
        await schedule.dispose()
      }
    }),
    { numRuns: 60, endOnFailure: true },
  )
})
