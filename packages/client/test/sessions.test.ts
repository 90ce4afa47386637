import { expect, onTestFinished, test, vi } from 'vitest'
import { createClient, type TokenStore, type Tokens } from '../src/index.ts'
import { startReader } from './support/reader.ts'
import {
  type Asked,
  cut,
  event,
  json,
  problem,
  type Reply,
  scriptedServer,
  stream,
} from './support/scripted-server.ts'

const pair = (number: number): Tokens => ({ access_token: `a${number}`, refresh_token: `r${number}` })

/** A store as the tabs of a browser share it; `saved` is what was written. */
function storeOf(tokens: Tokens | undefined): TokenStore & { tokens: Tokens | undefined; saved: unknown[] } {
  return {
    tokens,
    saved: [],
    async load() {
      return this.tokens
    },
    async save(next) {
      this.tokens = next
      this.saved.push(next)
    },
  }
}

/** A server on which the access tokens up to `expired` have expired, and each refresh token gives the next pair. */
async function sessionServer(options: { expired: number; refresh?: Reply; stream?: Reply }) {
  const used: string[] = []
  const refresh: Reply = (response, asked) => {
    const token = JSON.parse(asked.body).refresh_token as string
    used.push(token)
    return json(200, pair(Number(token.slice(1)) + 1))(response, asked)
  }
  const server = await scriptedServer((response, asked) => {
    if (asked.url === '/auth/refresh') return (options.refresh ?? refresh)(response, asked)
    const token = /^Bearer a(\d+)$/.exec(asked.headers.authorization ?? '')?.[1]
    if (token === undefined || Number(token) <= options.expired) {
      return problem(401, 'The token is invalid, expired or revoked.')(response, asked)
    }
    return (options.stream ?? json(200, []))(response, asked)
  })
  onTestFinished(() => server[Symbol.asyncDispose]())
  const refreshes = () => server.asked.filter(({ url }) => url === '/auth/refresh')
  return { server, used, refreshes }
}

const tokensOf = (asked: Asked[]) => asked.map(({ headers }) => headers.authorization)

test('many requests at once refresh once, and go on with the new token', async () => {
  const { server, used } = await sessionServer({ expired: 1 })
  const session = storeOf(pair(1))
  const { tasks } = createClient({ url: server.url, session })
  const answers = await Promise.all(Array.from({ length: 20 }, () => tasks.list()))
  expect(answers).toEqual(Array(20).fill([]))
  expect(used).toEqual(['r1'])
  expect(session.saved).toEqual([pair(2)])
  await tasks.list()
  expect(tokensOf(server.asked.slice(-1))).toEqual(['Bearer a2'])
  expect(server.asked.find(({ url }) => url === '/auth/refresh')!.headers).not.toHaveProperty('authorization')
})

test('two clients with one store: the second takes the tokens that the first has saved', async () => {
  const { server, used } = await sessionServer({ expired: 1 })
  const session = storeOf(pair(1))
  const [first, second] = [1, 2].map(() => createClient({ url: server.url, session }))
  await first!.tasks.list()
  session.load = vi.fn(session.load).mockResolvedValueOnce(pair(1)) // Read before the first had saved.
  await second!.tasks.list()
  expect(used).toEqual(['r1'])
})

test('a refresh without an answer is repeated; while it stays away, tokens are kept', async () => {
  let times = 0
  const flaky: Reply = (response, asked) => (++times === 1 ? cut : json(200, pair(2)))(response, asked)
  const lost = await sessionServer({ expired: 1, refresh: flaky })
  const session = storeOf(pair(1))
  await createClient({ url: lost.server.url, session }).tasks.list()
  expect(lost.refreshes().map(({ body }) => body)).toEqual(Array(2).fill('{"refresh_token":"r1"}'))
  expect(session.tokens).toEqual(pair(2))

  const away = await sessionServer({ expired: 1, refresh: problem(503, 'Sessions cannot be reached.') })
  const kept = storeOf(pair(1))
  await expect(
    createClient({ url: away.server.url, session: kept, retries: 1 }).tasks.list(),
  ).rejects.toMatchObject({
    status: 503,
    message: 'Sessions cannot be reached.',
  })
  expect(kept.saved).toEqual([])
})

test('a session that is over is taken out of the store, once, and the request fails with 401', async () => {
  const { server, refreshes } = await sessionServer({
    expired: 9,
    refresh: problem(401, 'The session has ended.'),
  })
  const session = storeOf(pair(1))
  const { tasks } = createClient({ url: server.url, session })
  const results = await Promise.allSettled([tasks.list(), tasks.list(), tasks.list()])
  for (const result of results) expect(result).toMatchObject({ status: 'rejected', reason: { status: 401 } })
  expect([refreshes().length, session.saved]).toEqual([1, [undefined]])
  await expect(tasks.list()).rejects.toMatchObject({ status: 401 })
  expect(refreshes().length).toBe(1)
  expect(tokensOf(server.asked.slice(-1))).toEqual([undefined])
})

test('tokens that another tab got meanwhile are not thrown away with ours', async () => {
  const session = storeOf(pair(1))
  const refresh: Reply = (response, asked) => {
    session.tokens = pair(5)
    return problem(401, 'This refresh token was used before.')(response, asked)
  }
  const { server } = await sessionServer({ expired: 1, refresh })
  expect(await createClient({ url: server.url, session }).tasks.list()).toEqual([])
  expect(session.saved).toEqual([])
})

test('an answer without tokens does not replace those there are', async () => {
  const { server } = await sessionServer({ expired: 1, refresh: json(200, { hello: 'world' }) })
  const session = storeOf(pair(1))
  await expect(createClient({ url: server.url, session }).tasks.list()).rejects.toThrow(/told no tokens/)
  expect(session.saved).toEqual([])
})

test('a wrong password is not answered by a refresh', async () => {
  const server = await scriptedServer(problem(401, 'The user name or the password is wrong.'))
  onTestFinished(() => server[Symbol.asyncDispose]())
  const { request } = createClient({ url: server.url, session: storeOf(pair(1)) })
  const login = request('POST /auth/login', { body: { username: 'anna', password: 'wrong' } })
  await expect(login).rejects.toMatchObject({ status: 401 })
  expect(server.asked.map(({ url, headers }) => [url, headers.authorization])).toEqual([
    ['/auth/login', undefined],
  ])
})

test('a stream refreshes too, whenever it connects again', async () => {
  const { server, used } = await sessionServer({ expired: 1, stream: stream([event(1)], 'open') })
  const reader = startReader(createClient({ url: server.url, session: storeOf(pair(1)) }))
  await vi.waitFor(() => expect(reader.ids()).toEqual(['1']), { timeout: 5_000, interval: 5 })
  expect(used).toEqual(['r1'])
})

test('a stream waits for a refresh that cannot be had yet, and ends with a session that is over', async () => {
  let times = 0
  const refresh: Reply = (response, asked) =>
    (++times === 1 ? problem(503, 'Redis is away') : problem(401, 'over'))(response, asked)
  const { server } = await sessionServer({ expired: 1, refresh })
  const session = storeOf(pair(1))
  const reader = startReader(createClient({ url: server.url, session, retries: 0 }))
  expect(await reader.done).toMatchObject({ status: 401 })
  expect(reader.states.map(({ state }) => state)).toEqual(['connecting', 'waiting', 'connecting'])
  expect(session.saved).toEqual([undefined])
})

test('a token function is asked again when its token is not taken, but for no third time', async () => {
  const server = await scriptedServer(problem(401, 'no'), json(200, []), problem(401, 'no'))
  onTestFinished(() => server[Symbol.asyncDispose]())
  const token = vi.fn().mockReturnValueOnce('old').mockReturnValueOnce('new').mockReturnValue('x')
  const { tasks } = createClient({ url: server.url, token })
  await tasks.list()
  expect(tokensOf(server.asked)).toEqual(['Bearer old', 'Bearer new'])
  // The same again is no other.
  await expect(tasks.list()).rejects.toMatchObject({ status: 401 })
  expect([server.asked.length, token.mock.calls.length]).toEqual([3, 4])
})
