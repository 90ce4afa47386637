import { expect, test } from 'vitest'
import { scopeOfUser } from '../../../test/support/scopes.ts'
import { readCursor, writeCursor } from './task-cursor.ts'
import { byRank, isCursorValues, parseSort, reversed } from './task-sort.ts'

const shown = (text: string) =>
  parseSort(text)
    .map(({ column, descending }) => (descending ? '-' : '') + column)
    .join(',')

test.each<[string, string]>([
  ['id', 'id'],
  ['-id', '-id'],
  ['title', 'title,id'],
  ['-due_at', '-due_at,-id'],
  ['priority,-position', 'priority,-position,-id'],
  ['-created_at, id', '-created_at,id'],
  ['title,-title,title', 'title,id'],
  ['-id,title', '-id'],
  ['id,-id', 'id'],
])('sort=%s means %s', (text, meant) => {
  expect(shown(text)).toBe(meant)
  expect(reversed(reversed(parseSort(text)))).toEqual(parseSort(text))
})

test.each([
  ...['', ',', 'id,', '+id', '--id', 'ID', 'version', 'deleted_at', 'search', 'rank', 'id desc', '"id"'],
  '__proto__',
])('sort=%s has an unknown column', (text) => {
  expect(() => parseSort(text)).toThrow(/^has an unknown column ".*"; there are id, created_at, title, /)
})

const time = '2025-12-15T12:00:00.000000Z'

test.each<[string, unknown, boolean]>([
  ['id', [1], true],
  ['id', ['1'], false],
  ['id', [1.5], false],
  ['id', [2 ** 31], false],
  ['id', [], false],
  ['id', [1, 2], false],
  ['id', { 0: 1, length: 1 }, false],
  ['id', null, false],
  ['title', ['a', 1], true],
  ['title', ['nul\0', 1], false],
  ['title', ['half \ud83d', 1], false],
  ['title', [null, 1], false],
  ['created_at', [time, 1], true],
  ['created_at', [null, 1], false],
  ['created_at', ['yesterday', 1], false],
  ['created_at', ['2025-02-30T00:00:00Z', 1], false],
  ['due_at', [null, 1], true],
  ['due_at', ['infinity', 1], false],
  ['updated_at', [time, 1], true],
  ['status', ['done', 1], true],
  ['status', ['Done', 1], false],
  ['priority', ['urgent', 1], true],
  ['priority', [4, 1], false],
  ['position', ['80000001i', 1], true],
  ['position', [{}, 1], false],
])('in the order of %s, %j is a place: %s', (sort, place, is) => {
  expect(isCursorValues(parseSort(sort), place)).toBe(is)
})

test('a cursor that is forged with its checksum and all is refused where PostgreSQL could not compare it', () => {
  const filter = { scope: scopeOfUser(), users: [] }
  const forged = (place: unknown) =>
    writeCursor(filter, { sort: byRank, place: place as [], backwards: false })
  expect(readCursor(filter, [byRank], forged([0.5, 1]))).toMatchObject({ place: [0.5, 1], backwards: false })
  for (const place of [['NaN', 1], [null, 1], [0.5, '1; DROP TABLE tasks'], [0.5], [0.5, 1, 2]]) {
    expect(readCursor(filter, [byRank], forged(place))).toBeUndefined()
  }
})
