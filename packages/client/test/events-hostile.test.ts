import { expect, onTestFinished, test, vi } from 'vitest'
import { createClient, TaskwireError } from '../src/index.ts'
import { startReader } from './support/reader.ts'
import {
  cut,
  event,
  json,
  problem,
  type Reply,
  resumed,
  scriptedServer,
  silence,
  stream,
} from './support/scripted-server.ts'
import { clientOf, serverOf, soon } from './support/server-of-test.ts'

// A server that does everything wrong that a network, a proxy or a bug can do.

const bytes = (text: string) => new TextEncoder().encode(text)

test('it goes on behind the last event that was handed over, in whatever way the connection ends', async () => {
  const server = await serverOf(
    stream([event(1), event(2)], 'cut'),
    cut,
    problem(503, 'starting'),
    problem(500, 'a bug'),
    problem(429, 'slower', { 'retry-after': '0' }),
    problem(404, 'a proxy without its server'),
    (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>Maintenance</h1>'),
    stream([resumed(2), event(3)], 'end'),
    stream([resumed(3), event(4)], 'open'),
  )
  const reader = startReader(clientOf(server), { types: ['task_created', 'task_deleted'] })
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1', '2', '3', '4']), soon)
  const types = 'types=task_created%2Ctask_deleted'
  expect(server.asked.map(({ url }) => url)).toEqual([
    `/events?${types}`,
    ...Array(7).fill(`/events?after=2&${types}`),
    `/events?after=3&${types}`,
  ])
  expect(server.asked[0]!.headers.accept).toBe('text/event-stream')
  reader.stop()
  expect(await reader.done).toBe(undefined)
  await vi.waitFor(() => expect(server.open).toBe(0), soon)
})

test('it says where it is at, and why', async () => {
  const server = await serverOf(
    problem(503, 'The database is not available.', { 'retry-after': '0' }),
    stream([event(1)], 'end'),
    stream([resumed(1)], 'open'),
  )
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.states.length).toBe(7), soon)
  const waiting = (message: string) => ({
    state: 'waiting',
    reason: expect.objectContaining({ message }),
    delayMs: expect.any(Number),
  })
  expect(reader.states).toEqual([
    { state: 'connecting' },
    waiting('The database is not available.'),
    { state: 'connecting' },
    { state: 'live' },
    waiting('The server closed the connection'),
    { state: 'connecting' },
    { state: 'live' },
  ])
})

test('events that came before are not handed over again, nor what comes out of order', async () => {
  const server = await serverOf(
    stream([event(5), event(5), event(4), event(6)]),
    stream([resumed(6), event(3), event(6), event(7), event(1), event(8)], 'open'),
  )
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.ids()).toEqual(['5', '6', '7', '8']), soon)
})

test('who asked to resume takes no event before they know whether some are missing', async () => {
  const server = await serverOf(stream([event(5)]), stream([resumed(3), event(4), event(5)], 'open'))
  const reader = startReader(clientOf(server), { after: '3' })
  await vi.waitFor(() => expect(reader.ids()).toEqual(['4', '5']), soon)
})

test('cut in the middle of a character, of a line, of a line end', async () => {
  const text = event(1, 'дело 😀') + event(2, '任務')
  const whole = bytes(text)
  for (let at = 1; at < whole.length; at += 7) {
    const crlf = bytes(text.replaceAll('\n', '\r\n'))
    const server = await scriptedServer(
      stream([': hi\r\n\r\n', whole.subarray(0, at), whole.subarray(at)], 'cut'),
      stream([resumed(2), crlf.subarray(0, at), crlf.subarray(at)], 'open'),
    )
    const ends = new AbortController()
    const titles: string[] = []
    for await (const item of clientOf(server).events({ signal: ends.signal })) {
      if (item.type === 'task_created') titles.push(item.data.task.title)
      if (titles.length === 2) break
    }
    expect(titles).toEqual(['дело 😀', '任務'])
    await server[Symbol.asyncDispose]()
  }
})

test('what is cut off unfinished is not handed over, and comes whole the next time', async () => {
  const text = event(2, 'whole')
  for (const end of [text.length - 1, text.length - 2, 20, 3]) {
    const server = await serverOf(
      stream([event(1), text.slice(0, end)], 'cut'),
      stream([resumed(1), text], 'open'),
    )
    const reader = startReader(clientOf(server))
    await vi.waitFor(() => expect(reader.ids()).toEqual(['1', '2']), soon)
    expect(server.asked[1]!.url).toBe('/events?after=1')
    reader.stop()
  }
})

test('every byte in a piece of its own, with every kind of line end and comments between', async () => {
  const text = `:\n\n${event(1, 'дело')}:\r\r${event(2, '😀').replaceAll('\n', '\r')}${event(3, '任務').replaceAll('\n', '\r\n')}`
  const pieces = [...bytes(text)].map((byte) => Uint8Array.of(byte))
  const server = await serverOf(stream(pieces, 'open'))
  // A network may join them again; this one never does.
  const answer = () =>
    new Response(ReadableStream.from(pieces), { headers: { 'content-type': 'text/event-stream' } })
  const local = createClient({ url: 'http://localhost', fetch: async () => answer() })
  for (const client of [clientOf(server), local]) {
    const reader = startReader(client)
    // A last CR may be half of a line end; what it ends is complete all the same.
    await vi.waitFor(() => expect(reader.items.length).toBeGreaterThanOrEqual(3), soon)
    const titles = reader.items.map((item) => item.type === 'task_created' && item.data.task.title)
    expect(titles.slice(0, 3)).toEqual(['дело', '😀', '任務'])
    reader.stop()
  }
})

test('garbage ends the connection, and what came before it is kept', async () => {
  const bad = [
    'data: not json\n\n',
    'data: 7\n\n',
    'data: null\n\n',
    'data: {"no":"type"}\n\n',
    'data: {"id":"1e3","type":"task_created"}\n\n',
    `data: {"id":"${'9'.repeat(17)}","type":"task_created"}\n\n`,
    'data\n\n',
  ]
  const server = await serverOf(
    ...bad.map((text, index) => stream([...(index > 0 ? [resumed(index)] : []), event(index + 1), text])),
    stream([resumed(bad.length), event(100)], 'open'),
  )
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.ids().at(-1)).toBe('100'), soon)
  expect(reader.ids()).toEqual(['1', '2', '3', '4', '5', '6', '7', '100'])
  const reasons = reader.states.flatMap((state) => (state.state === 'waiting' ? state.reason.message : []))
  expect(reasons).toHaveLength(bad.length)
  expect(reasons[0]).toBe('The server told what is no event: not json')
})

test('notices of a later version, and events of unknown types, do no harm', async () => {
  const server = await serverOf(
    stream(
      ['data: {"type":"weather"}\n\n', 'id: 4\ndata: {"id":"4","type":"new_kind","data":{}}\n\n', event(5)],
      'open',
    ),
  )
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.ids()).toEqual(['4', '5']), soon)
})

test('a huge event comes through; one that never ends does not', async () => {
  const title = 'x'.repeat(3 * 1024 * 1024)
  const endless: Reply = async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    const write = () => {
      while (!response.destroyed && response.write('data: '.padEnd(65_536, 'y'))) {}
    }
    response.on('drain', write)
    write()
  }
  const server = await serverOf(stream([event(1, title)]), endless, stream([resumed(1), event(2)], 'open'))
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1', '2']), { timeout: 20_000, interval: 20 })
  expect(reader.states).toContainEqual(
    expect.objectContaining({
      reason: expect.objectContaining({ message: expect.stringMatching(/longer than/) }),
    }),
  )
})

test('silence is the end of a connection, before and after its answer; a heartbeat is none', async () => {
  const beats: Reply = async (response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write(event(1))
    for (let i = 0; i < 14; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50))
      response.write(':\n\n')
    }
    response.write(event(2))
  }
  const server = await serverOf(silence, beats, stream([resumed(2), event(3)], 'open'))
  const client = createClient({ url: server.url, timeoutMs: 300 })
  const reader = startReader(client, { silenceMs: 500 })
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1', '2', '3']), soon)
  const reasons = reader.states.flatMap((state) => (state.state === 'waiting' ? state.reason.message : []))
  expect(reasons).toEqual(['No answer within 0.3 s', 'The server is silent for 0.5 s'])
  expect(server.asked.map(({ url }) => url)).toEqual(['/events?', '/events?', '/events?after=2'])
})

test('what is no longer kept is a reset, and the place goes on from there', async () => {
  const server = await serverOf(
    // Ids are smaller than before, as after a restore from a backup.
    stream([resumed(900, false), event(7)]),
    stream([resumed(7), event(8)], 'open'),
  )
  const reader = startReader(clientOf(server), { after: 900 })
  await vi.waitFor(() => expect(reader.ids()).toEqual(['reset', '7', '8']), soon)
  expect(reader.items[0]).toEqual({ type: 'reset', after: '900' })
})

test('a connection that is lost before its first event goes on from the place it was told', async () => {
  const server = await serverOf(stream(['id: 41\n\n']), stream([resumed(41), event(42)], 'open'))
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.ids()).toEqual(['42']), soon)
  expect(server.asked.map(({ url }) => url)).toEqual(['/events?', '/events?after=41'])
})

test('where no place was told, what may be missing is said', async () => {
  const server = await serverOf(cut, stream([':\n\n']), problem(503, 'x'), stream([event(9)], 'open'))
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.ids()).toEqual(['reset', '9']), soon)
  expect(reader.items[0]).toEqual({ type: 'reset', after: undefined })
})

test('a place is told after a reset too', async () => {
  const server = await serverOf(
    stream([resumed(5, false), 'id: 70\n\n']),
    stream([resumed(70), event(71)], 'open'),
  )
  const reader = startReader(clientOf(server), { after: 5 })
  await vi.waitFor(() => expect(reader.ids()).toEqual(['reset', '71']), soon)
})

test.each([401, 403, 422])('%i ends it, at first and later', async (status) => {
  const refused = problem(status, 'No.', { 'x-request-id': 'r-1' })
  for (const replies of [[refused], [stream([event(1)]), cut, refused]]) {
    const server = await serverOf(...replies)
    const reader = startReader(clientOf(server))
    const error = await reader.done
    expect(error).toBeInstanceOf(TaskwireError)
    expect(error).toMatchObject({ status, message: 'No.', requestId: 'r-1' })
    expect(server.asked.length).toBe(replies.length)
  }
})

test('an address that was never right ends it', async () => {
  const page: Reply = (response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<h1>')
  for (const [reply, status, message] of [
    [problem(404, 'Route not found'), 404, 'Route not found'],
    [page, 200, 'No stream of events is here, but text/html'],
    [json(200, {}), 200, /application\/json/],
  ] as const) {
    const server = await serverOf(reply)
    expect(await startReader(clientOf(server)).done).toMatchObject({
      status,
      message: typeof message === 'string' ? message : expect.stringMatching(message),
    })
  }
})

test('Retry-After is waited for', async () => {
  const server = await serverOf(problem(503, 'x', { 'retry-after': '1' }), stream([event(1)], 'open'))
  const began = performance.now()
  const reader = startReader(clientOf(server))
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1']), soon)
  expect(performance.now() - began).toBeGreaterThan(990)
  expect(reader.states[1]).toMatchObject({ state: 'waiting', delayMs: expect.closeTo(1005, -2) })
})

test('pauses grow while nothing works, stay bounded, and are small again after an event', async () => {
  const random = vi.spyOn(Math, 'random').mockReturnValue(1)
  onTestFinished(() => random.mockRestore())
  const nothing = Array.from({ length: 5 }, () => stream([], 'end'))
  const server = await serverOf(
    ...Array(2).fill(cut),
    ...nothing,
    stream([event(1)]),
    stream([resumed(1)], 'open'),
  )
  const reader = startReader(clientOf(server), { backoff: { minMs: 2, maxMs: 32 } })
  await vi.waitFor(() => expect(server.asked.length).toBe(9), soon)
  const pauses = reader.states.flatMap((state) => (state.state === 'waiting' ? state.delayMs : []))
  expect(pauses).toEqual([2, 4, 8, 16, 32, 32, 32, 2])
})

test('a token that is not taken is asked for once more, for each connection', async () => {
  const server = await serverOf(
    problem(401, 'expired'),
    stream([event(1)]),
    problem(401, 'expired'),
    stream([resumed(1), event(2)], 'open'),
  )
  let count = 0
  const client = createClient({ url: server.url, token: async () => `t${++count}` })
  const reader = startReader(client)
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1', '2']), soon)
  expect(server.asked.map(({ headers }) => headers.authorization)).toEqual(
    ['t1', 't2', 't3', 't4'].map((token) => `Bearer ${token}`),
  )
})

test('a token function that fails for once does not end the stream', async () => {
  const server = await serverOf(stream([event(1)], 'open'))
  let count = 0
  const client = createClient({
    url: server.url,
    token: () => {
      if (++count < 3) throw new Error('the vault is sealed')
      return 'x'
    },
  })
  const reader = startReader(client)
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1']), soon)
  expect(reader.states[1]).toMatchObject({ state: 'waiting', reason: { message: 'the vault is sealed' } })
})
