import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type JobLab, startJobLab } from '../../../../test/support/job-lab.ts'
import { operator } from '../../../core/actor.ts'
import { createTaskService } from '../index.ts'
import { exchangeRuns, type TicketedRun } from './exchange-runs.ts'
import { createJobService } from './job-service.ts'
import type { EndedRun, StartedRun } from './job-store.ts'

// Every way a job can go, step by step, beside a model in plain words; after each step the database must agree.

interface Model {
  id: number
  status: string
  state: 'queued' | 'running' | 'succeeded' | 'failed'
  attempts: number
  maxAttempts: number
  runs: string[]
  isDeleted: boolean
  /** Events that were published for it. */
  events: string[]
}

let lab: JobLab
beforeAll(async () => {
  lab = await startJobLab()
})
afterAll(() => lab[Symbol.asyncDispose]())

/** A step, and what it is done to: the task or run at that place, whatever their number is by then. */
const step = fc.record({
  does: fc.constantFrom(
    ...['create', 'take', 'take', 'take', 'succeed', 'succeed', 'fail', 'fail', 'release', 'lose'],
    ...['cancel', 'retry', 'trash', 'restore'],
  ),
  place: fc.nat(5),
  maxAttempts: fc.integer({ min: 1, max: 3 }),
})

class World {
  readonly tasks: Model[] = []
  /** Every run that ever began, those included whose end comes late. */
  held: TicketedRun<StartedRun>[] = []

  async do(does: string, place: number, maxAttempts: number): Promise<void> {
    if (does === 'create' || this.tasks.length === 0) return await this.create(maxAttempts)
    const task = this.tasks[place % this.tasks.length]!
    const held = this.held[place % this.held.length]
    if (does === 'take') await this.turn([], place + 1)
    else if (/succeed|fail|release/.test(does)) {
      if (held) await this.end(held, does as 'succeed')
    } else if (does === 'lose') {
      if (held) await this.lose(held)
    } else await this.people(does, task)
  }

  async create(maxAttempts: number): Promise<void> {
    const id = await lab.create({}, maxAttempts)
    const model = { id, status: 'todo', state: 'queued', attempts: 0, maxAttempts } as const
    this.tasks.push({ ...model, runs: [], isDeleted: false, events: ['task_created'] })
  }

  /** Models pg-boss's supervisor for a ticket whose holder sends no more heartbeats. */
  async lose({ ticket }: TicketedRun<StartedRun>): Promise<void> {
    await lab.database.rows(
      "UPDATE pgboss.job SET state = 'retry' WHERE name = 'tasks' AND id = $1 AND state = 'active' AND retry_count = $2",
      [ticket.id, ticket.retryCount],
    )
  }

  async turn(ended: TicketedRun<EndedRun>[], room: number): Promise<void> {
    const turn = await exchangeRuns(lab.database.db, lab.queue, {
      ended,
      room,
      worker: 'model',
      onChange: () => {},
    })
    for (const held of turn.started) {
      const { taskId, number, attempt } = held.run
      const task = this.tasks.find(({ id }) => id === taskId)!
      expect(task.isDeleted).toBe(false)
      expect(['queued', 'running']).toContain(task.state)
      if (task.state === 'running') task.runs[task.runs.length - 1] = 'lost'
      task.runs.push('running')
      task.attempts++
      expect([number, attempt]).toEqual([task.runs.length, task.attempts])
      expect(attempt).toBeLessThanOrEqual(task.maxAttempts)
      this.moved(task, 'running', 'in_progress')
      this.held.push(held)
    }
    // Only the number of abandoned jobs is reported. An abandoned job is one that had no attempt left.
    const rows = await lab.database.rows<{ id: number }>(
      "SELECT id FROM tasks WHERE job ->> 'state' = 'failed'",
    )
    const failed = new Set(rows.map(({ id }) => id))
    const gone = this.tasks.filter(({ id, state }) => state === 'running' && failed.has(id))
    for (const task of gone) {
      expect(task.attempts).toBe(task.maxAttempts)
      task.runs[task.runs.length - 1] = 'lost'
      this.moved(task, 'failed', 'failed')
    }
    expect(gone).toHaveLength(turn.givenUp)
  }

  async end(held: TicketedRun<StartedRun>, how: 'succeed' | 'fail' | 'release'): Promise<void> {
    const { taskId, number, attempt, maxAttempts } = held.run
    this.held = this.held.filter((one) => one !== held)
    const task = this.tasks.find(({ id }) => id === taskId)!
    const again = how === 'release' || (how === 'fail' && attempt < maxAttempts)
    const state = ({ succeed: 'succeeded', fail: 'failed', release: 'released' } as const)[how]
    const run: EndedRun = {
      taskId,
      number,
      state,
      ...(how === 'succeed' && { result: '{"done":true}' }),
      ...(how === 'fail' && { error: 'failed' }),
      ...(again && { again: { ticket: randomUUID(), delayMs: 0 } }),
    }
    const isItsRun = task.state === 'running' && task.runs.length === number && !task.isDeleted
    if (isItsRun) {
      task.runs[number - 1] = state
      if (how === 'release') task.attempts--
      if (again) this.moved(task, 'queued', 'todo')
      else this.moved(task, how === 'succeed' ? 'succeeded' : 'failed', how === 'succeed' ? 'done' : 'failed')
    }
    await this.turn([{ run, ticket: held.ticket }], 0)
  }

  async people(does: string, task: Model): Promise<void> {
    const { db } = lab.database
    const jobs = createJobService(db, { queue: lab.queue, executables: { authorize() {} } })
    const tasks = createTaskService(db)
    const isPending = task.state === 'queued' || task.state === 'running'
    if (does === 'cancel' || does === 'retry') {
      const may = !task.isDeleted && (does === 'cancel' ? isPending : task.state === 'failed')
      const done = jobs[does]({ actor: operator }, task.id)
      // All that is queued here is due, and stays as it is.
      if (does === 'retry' && task.state === 'queued' && !task.isDeleted) return void (await done)
      if (!may)
        return await expect(done).rejects.toMatchObject({ code: task.isDeleted ? 'not-found' : 'conflict' })
      await done
      if (does === 'retry') task.attempts = 0
      if (task.state === 'running') task.runs[task.runs.length - 1] = 'cancelled'
      this.moved(task, does === 'cancel' ? 'failed' : 'queued', does === 'cancel' ? 'failed' : 'todo')
    } else if (does === 'trash') {
      if (task.isDeleted) return
      await tasks.remove({ actor: operator }, task.id)
      if (task.state === 'running') task.runs[task.runs.length - 1] = 'cancelled'
      task.isDeleted = true
      task.events.push('task_deleted')
      if (isPending) [task.state, task.status] = ['failed', 'failed']
    } else if (task.isDeleted) {
      await tasks.restore({ actor: operator }, task.id)
      task.isDeleted = false
      task.events.push('task_created')
    }
  }

  moved(task: Model, state: Model['state'], status: string): void {
    task.state = state
    task.status = status
    task.events.push('task_updated')
  }

  async check(): Promise<void> {
    const rows = await lab.database.rows<Model & { tickets: number; version: number; told: Model }>(
      `SELECT t.id, t.status, t.job ->> 'state' AS state, (t.job ->> 'attempts')::integer AS attempts,
        (t.job ->> 'max_attempts')::integer AS "maxAttempts", t.deleted_at IS NOT NULL AS "isDeleted",
        ARRAY(SELECT r.state FROM task_runs r WHERE r.task_id = t.id ORDER BY number) AS runs,
        ARRAY(SELECT e.type FROM events e WHERE coalesce(e.data ->> 'id', e.data ->> 'task_id')::integer = t.id ORDER BY e.id) AS events,
        t.version, (SELECT count(*) FROM pgboss.job j WHERE j.name = 'tasks' AND j.id::text = t.job ->> 'ticket') AS tickets,
        (SELECT e.data FROM events e WHERE (e.data ->> 'id')::integer = t.id ORDER BY e.id DESC LIMIT 1) AS told
       FROM tasks t WHERE t.id = ANY ($1) ORDER BY t.id`,
      [this.tasks.map(({ id }) => id)],
    )
    expect(rows.map(({ tickets, version, told, ...row }) => row)).toEqual(this.tasks)
    for (const { state, status, version, events, tickets, told, isDeleted } of rows) {
      // Each change is a version and an event, and the event says what is there.
      expect(version).toBe(events.length)
      if (!isDeleted) expect(told).toMatchObject({ status, version, job: { state } })
      // A pending job has exactly one queue entry, so that it cannot be stuck.
      if (state === 'queued' || state === 'running') expect(tickets).toBe(1)
    }
  }
}

test('whatever happens to a job, in whatever order, it is where the model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
      await lab.database.rows('DELETE FROM tasks')
      await lab.database.rows("DELETE FROM pgboss.job WHERE name = 'tasks'")
      const world = new World()
      for (const { does, place, maxAttempts } of steps) {
        await world.do(does, place, maxAttempts)
        await world.check()
      }
    }),
    { numRuns: 40 },
  )
})
