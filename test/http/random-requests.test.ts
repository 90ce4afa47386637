import { Agent, type IncomingHttpHeaders, request as send } from 'node:http'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startTestApp, type TestApp } from '../support/app.ts'

const BATCHES = 500
const BATCH = 20

interface Request {
  method: string
  path: string
  headers: Record<string, string>
  body: string | undefined
}
interface Response {
  status: number
  headers: IncomingHttpHeaders
  body: string
}

let app: TestApp
const agent = new Agent({ keepAlive: true, maxSockets: BATCH })
beforeAll(async () => {
  // Without a worker, whose changes would come among those of the requests.
  app = await startTestApp({ ROLES: 'api' })
  for (let i = 0; i < 5; i++) await app.send('POST', '/tasks', { title: `Task ${i}` })
})
afterAll(async () => {
  agent.destroy()
  await app[Symbol.asyncDispose]()
})

// UTF-16 as it comes: NUL, controls, halves of surrogate pairs.
const wild = fc.string({ unit: fc.integer({ min: 0, max: 0xffff }).map((unit) => String.fromCharCode(unit)) })
const word = fc.oneof(
  fc.string(),
  wild,
  fc.string({ unit: 'grapheme', maxLength: 120 }),
  fc.constantFrom(
    'todo',
    'New',
    'In Progress',
    'COMPLETED',
    'failed',
    'true',
    'false',
    '',
    ' ',
    '0',
    '-1',
    '1e3',
  ),
)
const value = fc.oneof(
  { weight: 3, arbitrary: word },
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.jsonValue(),
)
const known = [
  ...['title', 'description', 'status', 'completed', 'city'],
  ...['priority', 'due_at', 'labels', 'position'],
]
const plausible = fc.record(
  {
    title: fc.string({ minLength: 1, maxLength: 100 }),
    description: fc.oneof(fc.string(), fc.constant(null)),
    status: fc.constantFrom('todo', 'New', 'in progress', 'done', 'Failed'),
    completed: fc.boolean(),
    city: fc.oneof(fc.string({ minLength: 1 }), fc.constant(null)),
    priority: fc.constantFrom('none', 'low', 'medium', 'high', 'urgent'),
    due_at: fc.oneof(
      fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true }),
      fc.constant(null),
    ),
    labels: fc.array(fc.string({ minLength: 1, maxLength: 60 }), { maxLength: 22 }),
    position: fc.oneof(
      fc.record({ before: fc.integer({ min: 1, max: 12 }) }),
      fc.record({ after: fc.integer({ min: 1, max: 12 }) }),
      fc.constantFrom({ at: 'first' }, { at: 'last' }),
    ),
  },
  { requiredKeys: [] },
)
const field = fc.oneof(
  { weight: 5, arbitrary: fc.constantFrom(...known) },
  fc.constantFrom('id', 'version', 'weather', 'user_id', '__proto__', 'constructor', 'toString'),
  wild,
)
const body = fc.oneof(
  { weight: 4, arbitrary: plausible.map((fields) => JSON.stringify(fields)) },
  { weight: 4, arbitrary: fc.tuple(plausible, fc.dictionary(field, value)).map((parts) => merged(...parts)) },
  fc.jsonValue().map((any) => JSON.stringify(any)),
  fc.string(),
  fc.constant(undefined),
)
const id = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 12 }).map(String) },
  fc.integer().map(String),
  word.map(escaped),
  fc.string().map((text) => text.replace(/[^!-~]/g, '%')),
)
const path = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('/tasks', '/tasks/') },
  { weight: 8, arbitrary: id.map((id) => `/tasks/${id}`) },
  { weight: 2, arbitrary: id.map((id) => `/tasks/${id}/restore`) },
  { weight: 2, arbitrary: word.map((name) => `/importers/${escaped(name)}/runs`) },
  fc.constantFrom(
    '/importers',
    '/importers/todos/runs',
    '/health',
    '/ws/tasks',
    '/openapi.json',
    '/docs',
    '/redoc',
  ),
  fc.array(word, { maxLength: 4 }).map((parts) => `/${parts.map(escaped).join('/')}`),
)
const parameter = fc.tuple(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.constantFrom(
        ...['skip', 'limit', 'status', 'completed', 'sort', 'cursor', 'q', 'label', 'priority', 'city'],
        ...['user', 'user_id', 'created_from', 'created_to', 'due_from', 'due_to', 'overdue', 'source'],
      ),
    },
    word,
  ),
  fc.oneof(
    fc.nat(1200).map(String),
    fc.constantFrom('-created_at,id', 'title', '-id', 'due_at', '-priority', '2025-02-28', '2025-02-30'),
    word,
  ),
)
const query = fc.oneof(
  fc.constant(''),
  fc
    .array(parameter, { maxLength: 4 })
    .map((all) => `?${all.map((pair) => pair.map(escaped).join('=')).join('&')}`),
  fc.string().map((text) => `?${text.replace(/[^!-~]/g, '%')}`),
)
const headers = fc.record(
  {
    'content-type': fc.oneof(
      { weight: 9, arbitrary: fc.constant('application/json') },
      fc.constantFrom('text/plain', 'application/json; charset=latin1', '', ';', 'multipart/form-data'),
    ),
    'if-match': fc.oneof(
      fc.nat(9).map((n) => `"${n}"`),
      fc.constantFrom('*', 'W/"1"', '"1", "2"', ','),
    ),
    'if-none-match': fc.oneof(
      fc.nat(9).map((n) => `"${n}"`),
      fc.constantFrom('*', 'W/"1"', '""'),
    ),
    'x-request-id': fc.string().map((text) => text.replace(/[^ -~]/g, '?')),
  },
  { requiredKeys: ['content-type'] },
)
const method = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('GET', 'POST', 'PATCH', 'PUT', 'DELETE') },
  fc.constantFrom('HEAD', 'OPTIONS', 'PROPFIND', 'TRACE'),
)
const request: fc.Arbitrary<Request> = fc
  .record({ method, path: fc.tuple(path, query).map(([path, query]) => path + query), headers, body })
  .map((one) => (['GET', 'HEAD', 'TRACE'].includes(one.method) ? { ...one, body: undefined } : one))

function escaped(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

// By text, so that `__proto__` stays a field.
function merged(one: object, other: object): string {
  const fields = [one, other]
    .map((fields) => JSON.stringify(fields).slice(1, -1))
    .filter((text) => text !== '')
  return `{${fields.join(',')}}`
}

async function exchange({ method, path, headers, body }: Request): Promise<Response> {
  const { promise, resolve, reject } = Promise.withResolvers<Response>()
  // Node tells no length of the body of a DELETE by itself.
  const length = body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }
  // No URL object, which would tidy the path.
  const { hostname, port } = new URL(app.url)
  const options = { hostname, port, path, method, headers: { ...headers, ...length }, agent }
  const outgoing = send(options, async (incoming) => {
    resolve({ status: incoming.statusCode!, headers: incoming.headers, body: await text(incoming) })
  })
  outgoing.on('error', reject)
  outgoing.end(body)
  return promise
}

function check({ method, path }: Request, { status, headers, body }: Response): void {
  expect(status).toBeLessThan(500)
  if (status < 400) return
  expect(headers['content-type']).toMatch(/^application\/problem\+json/)
  if (method === 'HEAD') return
  const problem = JSON.parse(body)
  expect(problem).toMatchObject({ status, type: 'about:blank', instance: path.split('?')[0]!.slice(0, 1000) })
  expect([problem.title, problem.detail].map((text) => typeof text)).toEqual(['string', 'string'])
  if (status === 422) expect(problem.errors.length).toBeGreaterThan(0)
}

const state = async () =>
  (
    await app.database.rows<{ alive: number; versions: number; events: number }>(`
      SELECT count(*) FILTER (WHERE deleted_at IS NULL) AS alive, sum(version) AS versions,
        (SELECT count(*) FROM events) AS events FROM tasks`)
  )[0]!

test(`${BATCHES * BATCH} random requests: none fails the server, each refusal is a problem and changes nothing`, async () => {
  const seen = new Map<number, number>()
  const batch = fc.array(request, { minLength: BATCH, maxLength: BATCH })
  const property = fc.asyncProperty(batch, async (requests) => {
    const before = await state()
    const responses = await Promise.all(requests.map(exchange))
    const after = await state()
    for (const [i, response] of responses.entries()) {
      check(requests[i]!, response)
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1)
    }
    const count = (test: (request: Request, status: number) => boolean) =>
      responses.filter(({ status }, i) => test(requests[i]!, status)).length
    const created = count((_, status) => status === 201)
    const deleted = count(({ method }, status) => method === 'DELETE' && status === 204)
    const restored = count(({ method }, status) => method === 'POST' && status === 200)
    const edited = count(({ method }, status) => /^P(UT|ATCH)$/.test(method) && status === 200)
    expect(after.alive - before.alive).toBe(created - deleted + restored)
    // Every change raises one version by one, from 0, and tells one event; an edit may change nothing.
    const changes = after.events - before.events
    expect(Number(after.versions) - Number(before.versions)).toBe(changes)
    expect(changes).toBeGreaterThanOrEqual(created + deleted + restored)
    expect(changes).toBeLessThanOrEqual(created + deleted + restored + edited)
  })
  await fc.assert(property, { numRuns: BATCHES, endOnFailure: true })

  expect([...seen.values()].reduce((sum, n) => sum + n)).toBe(BATCHES * BATCH)
  // The requests reach every kind of answer.
  expect([...seen.keys()]).toEqual(
    expect.arrayContaining([200, 201, 204, 304, 400, 404, 405, 412, 415, 422, 426]),
  )
  expect(app.logged.filter(({ level }) => Number(level) >= 40)).toEqual([])
}, 120_000)
