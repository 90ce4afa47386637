import fc from 'fast-check'
import { expect, test } from 'vitest'
import { recordedTodos } from '../../../../test/support/upstream.ts'
import { parseTodos } from './todo-source.ts'

const parse = (value: unknown) => parseTodos(Buffer.from(JSON.stringify(value)))
const good = { userId: 1, id: 1, title: 'A todo', completed: false }

test('the recorded todos have the fields that the contract specifies', () => {
  const todos = parse(recordedTodos)
  expect(todos).toHaveLength(20)
  expect(todos[3]).toEqual({
    key: '4',
    title: 'et porro tempora',
    description: 'From external API: User 1',
    completed: true,
  })
})

test('unknown fields, an empty list and a byte order mark are accepted', () => {
  expect(parse([{ ...good, extra: { deep: [] } }])).toHaveLength(1)
  expect(parse([])).toEqual([])
  expect(parseTodos(Buffer.from(`\uFEFF${JSON.stringify([good])}`))).toHaveLength(1)
})

test.each<[string, Buffer, string]>([
  ['nothing', Buffer.alloc(0), 'the response is empty'],
  ['HTML', Buffer.from('<html></html>'), 'the response is not JSON'],
  ['a cut list', Buffer.from(JSON.stringify([good]).slice(0, -3)), 'the response is not JSON'],
  ['bytes that are no UTF-8', Buffer.from('["\xff"]', 'latin1'), 'the response is not JSON'],
  ['nesting beyond measure', Buffer.from('['.repeat(200_000)), 'the response is not JSON'],
  ['an object', Buffer.from('{"todos":[]}'), 'the response is not a JSON array'],
  ['null', Buffer.from('null'), 'the response is not a JSON array'],
  ['too many', Buffer.from(`[${'1,'.repeat(100_000)}1]`), 'the response has more than 100000 items'],
])('%s is refused with its reason', (_what, bytes, reason) => {
  expect(() => parseTodos(bytes)).toThrow(new Error(reason))
})

const without = (field: string) => Object.fromEntries(Object.entries(good).filter(([name]) => name !== field))
test.each<[unknown, string]>([
  [null, 'id'],
  [7, 'id'],
  ['text', 'id'],
  [[good], 'id'],
  [without('id'), 'id'],
  [{ ...good, id: '1' }, 'id'],
  [{ ...good, id: -1 }, 'id'],
  [{ ...good, id: 1.5 }, 'id'],
  [{ ...good, id: 2 ** 53 }, 'id'],
  [without('userId'), 'userId'],
  [{ ...good, userId: null }, 'userId'],
  [without('title'), 'title'],
  [{ ...good, title: 5 }, 'title'],
  [{ ...good, title: null }, 'title'],
  [without('completed'), 'completed'],
  [{ ...good, completed: 'false' }, 'completed'],
  [{ ...good, completed: 0 }, 'completed'],
])('the item %j is refused for its %s, and the whole answer with it', (item, field) => {
  expect(() => parse([good, item])).toThrow(new Error(`item 1 of the response has no valid "${field}"`))
})

test('duplicate ids are rejected, also 0 and -0, 1 and 1.0', () => {
  expect(() => parse([good, { ...good, title: 'Other' }])).toThrow(
    new Error('the id 1 appears twice in the response'),
  )
  const written = (id: string) => JSON.stringify(good).replace('"id":1', `"id":${id}`)
  for (const [a, b, key] of [
    ['0', '-0', 0],
    ['1', '1.0', 1],
    ['10', '1e1', 10],
  ]) {
    expect(() => parseTodos(Buffer.from(`[${written(String(a))},${written(String(b))}]`))).toThrow(
      new Error(`the id ${key} appears twice in the response`),
    )
  }
})

test.each([
  ['', 'Untitled task'],
  [' \n\t ', 'Untitled task'],
  ['\0\0', 'Untitled task'],
  ['  a\0b  ', 'ab'],
  ['x'.repeat(100), 'x'.repeat(100)],
  ['x'.repeat(101), `${'x'.repeat(99)}…`],
  ['😀'.repeat(100), '😀'.repeat(100)],
  ['😀'.repeat(101), `${'😀'.repeat(99)}…`],
  [`${'x'.repeat(50)}${' '.repeat(60)}y`, `${'x'.repeat(50)}…`],
  ['\ud800', '\ufffd'],
])('the title %j is made to fit', (title, fitted) => {
  expect(parse([{ ...good, title }])[0]!.title).toBe(fitted)
})

const nearlyTodo = fc.record(
  {
    userId: fc.oneof(fc.nat(), fc.jsonValue()),
    id: fc.oneof(fc.nat(), fc.jsonValue()),
    title: fc.oneof(fc.string({ unit: 'binary', maxLength: 150 }), fc.jsonValue()),
    completed: fc.oneof(fc.boolean(), fc.jsonValue()),
  },
  { requiredKeys: [] },
)
const reasons =
  /^(item \d+ of the response has no valid "(id|userId|title|completed)"|the id \d+ appears twice in the response|the response is not a JSON array|the response is not JSON|the response is empty)$/

function check(bytes: Buffer, items: unknown): void {
  let todos: ReturnType<typeof parseTodos>
  try {
    todos = parseTodos(bytes)
  } catch (error) {
    expect(error).toBeInstanceOf(Error)
    expect((error as Error).message).toMatch(reasons)
    return
  }
  expect(todos).toHaveLength((items as unknown[]).length)
  for (const [i, { key, title, description, completed }] of todos.entries()) {
    const item = (items as Record<string, unknown>[])[i]!
    expect(Number.isSafeInteger(item.id) && Number.isSafeInteger(item.userId)).toBe(true)
    expect(key).toBe(String(item.id))
    expect(key).toMatch(/^\d+$/)
    expect(description).toBe(`From external API: User ${item.userId}`)
    expect(completed).toBe(item.completed)
    expect(typeof item.title).toBe('string')
    expect([...title].length).toBeGreaterThanOrEqual(1)
    expect([...title].length).toBeLessThanOrEqual(100)
    expect(title).toBe(title.trim().replaceAll('\0', '').toWellFormed())
  }
}

test('random JSON and random bytes are parsed correctly or rejected with a reason', () => {
  const items = fc.oneof(fc.array(nearlyTodo, { maxLength: 5 }), fc.jsonValue())
  fc.assert(
    fc.property(items, (value) => {
      // The value after a JSON round trip, which does not preserve -0 and undefined.
      const text = JSON.stringify(value)
      check(Buffer.from(text), JSON.parse(text))
    }),
    { numRuns: 1000 },
  )
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 50 }), (bytes) => {
      expect(() => parseTodos(Buffer.from(bytes))).toThrow(reasons)
    }),
  )
})
