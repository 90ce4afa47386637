import fc from 'fast-check'
import { expect, test } from 'vitest'
import { weatherExample } from '../weather/index.ts'
import { taskPresenter } from './task.ts'
import { rowFromSnapshot, type TaskRow } from './task-columns.ts'
import { parseStatus, statuses } from './task-status.ts'

const row: TaskRow = {
  id: 1,
  title: 'Prepare report',
  description: null,
  status: 'in_progress',
  priority: 'high',
  due_at: '2025-12-31T09:00:00.000000Z',
  labels: ['home'],
  position: '80000001i',
  city: 'Moscow',
  weather: weatherExample,
  user_id: 7,
  source: null,
  job: null,
  version: 3,
  created_at: '2025-12-15T12:00:31.168401Z',
  updated_at: null,
}

test('every status is known by both its names in any letter case, and nothing else is one', () => {
  const names: Record<string, string> = {
    todo: 'New',
    in_progress: 'In Progress',
    done: 'Completed',
    failed: 'Failed',
  }
  const name = fc
    .constantFrom(...statuses)
    .chain((status) =>
      fc.tuple(
        fc.constant(status),
        fc.mixedCase(fc.constantFrom(status, names[status]!), { toggleCase: (c) => c.toUpperCase() }),
      ),
    )
  fc.assert(
    fc.property(name, ([status, name]) => {
      expect(parseStatus(` ${name} `)).toBe(status)
    }),
  )
  for (const wrong of ['', 'open', 'inprogress', 'in-progress', 'New!', '__proto__', 'constructor']) {
    expect(parseStatus(wrong)).toBeUndefined()
  }
})

test('a status is written as it is stored, or by its title', () => {
  const written = (labels: 'snake' | 'title') =>
    statuses.map((status) => taskPresenter(labels)({ ...row, status }).status)
  expect(written('snake')).toEqual(['todo', 'in_progress', 'done', 'failed'])
  expect(written('title')).toEqual(['New', 'In Progress', 'Completed', 'Failed'])
})

test('completed is the same as done, whatever the labels', () => {
  for (const labels of ['snake', 'title'] as const) {
    const completed = statuses.map((status) => taskPresenter(labels)({ ...row, status }).completed)
    expect(completed).toEqual([false, false, true, false])
  }
})

test('a task shows its own fields and no column of another kind', () => {
  const extra = { ...row, deleted_at: null, source_key: 'secret' }
  expect(taskPresenter('snake')(extra)).toEqual({ ...row, completed: false, job: null })
})

test('the snapshot in an event is the row, its times as everywhere', () => {
  const snapshot = {
    ...row,
    created_at: '2025-12-15T12:00:31.168401+00:00',
    updated_at: '2025-12-16T00:00:00+00:00',
    due_at: '2025-12-31T09:00:00+00:00',
  }
  expect(rowFromSnapshot(snapshot)).toEqual({ ...row, updated_at: '2025-12-16T00:00:00.000000Z' })
  expect(rowFromSnapshot({ ...snapshot, updated_at: null })).toEqual(row)
  expect(rowFromSnapshot({ ...snapshot, updated_at: null, due_at: null })).toEqual({ ...row, due_at: null })
})

test('the snapshot of an event from before there were these fields has them as a new task does', () => {
  const { priority, due_at, labels, position, ...kept } = row
  const old = { ...kept, created_at: '2025-12-15T12:00:31.168401+00:00' }
  expect(rowFromSnapshot(old as TaskRow)).toEqual({
    ...row,
    priority: 'none',
    due_at: null,
    labels: [],
    position: '80000001i',
  })
})
