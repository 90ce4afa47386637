import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'

let app: TestApp
beforeAll(async () => {
  app = await startTestApp()
})
afterAll(() => app[Symbol.asyncDispose]())

async function create(title: string): Promise<number> {
  const { body } = await app.send('POST', '/tasks', { title })
  return body.id
}

async function lastId(): Promise<number> {
  const [row] = await app.database.rows<{ id: number }>('SELECT coalesce(max(id), 0) AS id FROM events')
  return row!.id
}

/** Reads Server-Sent Events as a browser does: by lines, an empty one ends a message. */
async function listen(path: string, headers: Record<string, string> = {}) {
  const controller = new AbortController()
  const response = await fetch(app.url + path, {
    headers: { accept: 'text/event-stream', ...headers },
    signal: controller.signal,
  })
  // biome-ignore lint/suspicious/noExplicitAny: envelopes of many shapes
  const messages: { id?: string; data: any }[] = []
  let ended = false
  const read = async () => {
    let text = ''
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk
      const parts = text.split('\n\n')
      text = parts.pop()!
      for (const part of parts) {
        const id = /^id: (.*)$/m.exec(part)?.[1]
        const data = /^data: (.*)$/m.exec(part)?.[1]
        if (data !== undefined) messages.push({ ...(id !== undefined && { id }), data: JSON.parse(data) })
      }
    }
  }
  const reading = read()
    .catch(() => {})
    .finally(() => {
      ended = true
    })
  return {
    response,
    messages,
    titles: () => messages.flatMap(({ data }) => data.data.task?.title ?? []),
    isEnded: () => ended,
    async close() {
      controller.abort()
      await reading
    },
  }
}

test('GET /events tells what happens, as Server-Sent Events with ids', async () => {
  const source = await listen('/events')
  expect(source.response.status).toBe(200)
  expect(source.response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8')
  expect(source.response.headers.get('cache-control')).toBe('no-store')
  expect(source.response.headers.get('x-content-type-options')).toBe('nosniff')
  await create('live')
  await eventually(() => source.messages.length === 1, 'the event')
  const [message] = source.messages
  expect(message!.data).toMatchObject({ type: 'task_created', data: { task: { title: 'live' } } })
  expect(message!.id).toBe(message!.data.id)
  await source.close()
})

test('who is cut off before the first event knows where to go on', async () => {
  const before = await lastId()
  const response = await fetch(`${app.url}/events`)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  const first = (await reader.read()).value!
  await reader.cancel()
  const [, id] = /^id: (\d+)\n\n$/.exec(first)!
  expect(Number(id)).toBeLessThanOrEqual(before)
  await create('unheard')
  const source = await listen('/events', { 'last-event-id': id! })
  await eventually(() => source.titles().includes('unheard'), 'the event')
  expect(source.messages[0]!.data.data).toEqual({ after: id, recovered: true })
  await source.close()
})

test.each(['header', 'query'])('what was missed comes first, by %s', async (way) => {
  await create('before')
  const after = String(await lastId())
  await create('missed 1')
  await create('missed 2')
  const source = await (way === 'header'
    ? listen('/events', { 'last-event-id': after })
    : listen(`/events?after=${after}`))
  await create('live')
  await eventually(() => source.titles().length === 3, 'all three')
  expect(source.messages[0]).toEqual({ data: { type: 'resumed', data: { after, recovered: true } } })
  expect(source.titles()).toEqual(['missed 1', 'missed 2', 'live'])
  await source.close()
})

test('a WebSocket resumes by ?after= and hears the types it names', async () => {
  const after = await lastId()
  const id = await create('missed')
  await app.fetch(`/tasks/${id}`, { method: 'DELETE' })
  await create('another')
  const messages: { type: string; data: { task_id?: number } }[] = []
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/ws/tasks?after=${after}&types=task_deleted`)
  socket.on('message', (data) => messages.push(JSON.parse(String(data))))
  await eventually(() => messages.length === 2, 'the notice and the event')
  expect(messages[0]).toEqual({ type: 'resumed', data: { after: String(after), recovered: true } })
  expect(messages[1]).toMatchObject({ type: 'task_deleted', data: { task_id: id } })
  socket.terminate()
})

test('programs read the same stream in pages, from the first that is kept', async () => {
  for (let i = 0; i < 5; i++) await create(`page ${i}`)
  const all: { id: string }[] = []
  let path = '/events?limit=2'
  for (;;) {
    const { body, headers } = await app.fetch(path, { headers: { accept: 'application/json' } })
    expect(headers.get('content-type')).toBe('application/json; charset=utf-8')
    all.push(...body.events)
    if (!body.more) break
    path = `/events?limit=2&after=${body.next}`
  }
  const rows = await app.database.rows<{ id: number }>('SELECT id FROM events ORDER BY id')
  expect(all.map(({ id }) => Number(id))).toEqual(rows.map(({ id }) => id))
})

test('a page of what is no longer kept is 410, and a stream says that it is not recovered', async () => {
  const [row] = await app.database.rows<{ id: number }>(
    'UPDATE event_horizon SET purged_to = (SELECT max(id) FROM events) RETURNING purged_to AS id',
  )
  const after = row!.id - 1
  const page = await app.fetch(`/events?after=${after}`, { headers: { accept: 'application/json' } })
  expect([page.status, page.body.title]).toEqual([410, 'Gone'])
  const source = await listen(`/events?after=${after}`)
  await create('after the loss')
  await eventually(() => source.titles().length === 1, 'the live one')
  expect(source.messages[0]!.data).toEqual({
    type: 'resumed',
    data: { after: String(after), recovered: false },
  })
  await source.close()
})

test.each([
  '/events?after=-1',
  '/events?after=x',
  '/events?after=99999999999999999999',
  '/events?types=',
  '/events?types=task_created,nonsense',
  '/events?limit=0',
  '/events?unknown=1',
])('%s is 422', async (path) => {
  for (const accept of ['application/json', 'text/event-stream']) {
    expect((await app.fetch(path, { headers: { accept } })).status).toBe(422)
  }
})

test('a Last-Event-ID that is none is 422; an empty one counts as absent', async () => {
  expect((await app.fetch('/events', { headers: { 'last-event-id': 'abc' } })).status).toBe(422)
  const source = await listen('/events', { 'last-event-id': '' })
  await create('plain')
  await eventually(() => source.messages.length === 1, 'the event')
  expect(source.titles()).toEqual(['plain'])
  await source.close()
})

test('a handshake with a wrong cursor or type is 422, and leaves no reader behind', async () => {
  for (const query of ['after=x', 'types=nonsense', 'after=1&after=2']) {
    const socket = new WebSocket(`${app.url.replace('http', 'ws')}/ws?${query}`)
    const status = await new Promise((resolve) => {
      socket.on('unexpected-response', (_request, { statusCode }) => resolve(statusCode))
      socket.on('open', () => resolve('open'))
      socket.on('error', () => {})
    })
    expect([query, status]).toEqual([query, 422])
    socket.terminate()
  }
})

test('users get their own events, live, resumed and in pages; a stream ends with its session', async () => {
  await using closed = await startTestApp({ AUTH_MODE: 'required' })
  const login = async (username: string) =>
    (await closed.send('POST', '/auth/register', { username, password: 'correct horse battery' })).body
  const [anna, boris] = [await login('anna'), await login('boris')]
  const as = (token: string) => ({ authorization: `Bearer ${token}` })
  await closed.send('POST', '/tasks', { title: 'of anna' }, as(anna.access_token))
  await closed.send('POST', '/tasks', { title: 'of boris' }, as(boris.access_token))
  const page = await closed.fetch('/events', {
    headers: { accept: 'application/json', ...as(anna.access_token) },
  })
  expect(page.body.events.map((event: { data: { task: object } }) => event.data.task)).toMatchObject([
    { title: 'of anna' },
  ])
  expect((await closed.fetch('/events')).status).toBe(401)

  const response = await fetch(`${closed.url}/events?after=0`, { headers: as(anna.access_token) })
  let text = ''
  let ended = false
  const reading = (async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) text += chunk
    ended = true
  })()
  await closed.send('POST', '/tasks', { title: 'more of boris' }, as(boris.access_token))
  await closed.send('POST', '/tasks', { title: 'more of anna' }, as(anna.access_token))
  await eventually(() => text.includes('more of anna'), 'the live event')
  expect(text).toContain('of anna')
  expect(text).not.toContain('boris')
  await closed.fetch('/auth/logout', { method: 'POST', headers: as(anna.access_token) })
  await eventually(() => ended, 'the stream ends')
  await reading
})

test('a shutdown ends the streams at once', async () => {
  const other = await startTestApp()
  const response = await fetch(`${other.url}/events`)
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader()
  expect((await reader.read()).value).toMatch(/^id: /)
  const reading = reader.read()
  await other[Symbol.asyncDispose]()
  expect((await reading).done).toBe(true)
})
