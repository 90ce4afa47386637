import { expect, test } from 'vitest'
import { bearer, type Grant, PASSWORD } from '../support/accounts.ts'
import { createTestDatabase, type TestDatabase } from '../support/database.ts'
import { eventually } from '../support/eventually.ts'
import { type Listener, listen } from '../support/listener.ts'
import { redisUrl } from '../support/redis.ts'
import { claimRedisDatabase } from '../support/redis-database.ts'
import { type Server, startServer, stop } from '../support/server.ts'

const WITHIN_MS = 2000
const NEW_PASSWORD = 'staple battery horse'

async function call(server: Server, method: string, path: string, body?: object, token?: string) {
  const response = await fetch(server.url + path, {
    method,
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token !== undefined && bearer(token)),
    },
    ...(body && { body: JSON.stringify(body) }),
  })
  const text = await response.text()
  return { status: response.status, body: text ? JSON.parse(text) : undefined }
}
type Called = Awaited<ReturnType<typeof call>>

function granted<T>({ status, body }: Called): T {
  expect([status, body]).toEqual([expect.toSatisfy((code: number) => code < 300), expect.anything()])
  return body
}
const login = async (server: Server, username: string, password = PASSWORD): Promise<Grant> =>
  granted(await call(server, 'POST', '/auth/login', { username, password }))

interface ApiToken {
  id: number
  token: string
}

/** What a user has who is logged in twice and has made two API tokens. */
interface Person {
  server: Server
  username: string
  id: number
  one: Grant
  other: Grant
  token: ApiToken
  otherToken: ApiToken
}
type Credential = 'one' | 'other' | 'token' | 'otherToken'
const all: Credential[] = ['one', 'other', 'token', 'otherToken']
const secretOf = (person: Person, name: Credential): string =>
  name === 'one' || name === 'other' ? person[name].access_token : person[name].token

/** A way to end credentials of a user, and which of theirs it ends. */
interface Ending {
  sockets: Credential[]
  calls: Credential[]
  run(person: Person, admin: Grant, database: TestDatabase): Promise<unknown>
  /** A token that is good afterwards. */
  fresh?(person: Person, admin: Grant): Promise<string>
}

const patch = (changes: object) => async (person: Person, admin: Grant) =>
  granted(await call(person.server, 'PATCH', `/users/${person.id}`, changes, admin.access_token))
const answered204 = ({ status }: Called) => expect(status).toBe(204)
const refreshed = async ({ server, other }: Person): Promise<string> =>
  granted<Grant>(await call(server, 'POST', '/auth/refresh', { refresh_token: other.refresh_token }))
    .access_token
const sessionOf = ({ access_token: token }: Grant): string =>
  JSON.parse(Buffer.from(token.split('.')[1]!, 'base64url').toString()).sid
const sessions: Credential[] = ['one', 'other']

const endings: Record<string, Ending> = {
  logout: {
    sockets: ['one'],
    calls: ['one'],
    run: async ({ server, one }) =>
      answered204(await call(server, 'POST', '/auth/logout', undefined, one.access_token)),
  },
  'the end of a session by another of the user': {
    sockets: ['one'],
    calls: ['one'],
    run: async ({ server, one, other }) =>
      answered204(
        await call(server, 'DELETE', `/auth/sessions/${sessionOf(one)}`, undefined, other.access_token),
      ),
  },
  'a refresh token that is used again': {
    sockets: ['one'],
    calls: ['one'],
    async run({ server, one: { refresh_token: first } }) {
      const refresh = (token: string) => call(server, 'POST', '/auth/refresh', { refresh_token: token })
      const second = granted<Grant>(await refresh(first)).refresh_token
      granted(await refresh(second))
      expect((await refresh(first)).status).toBe(401)
    },
  },
  // API tokens are good for calls afterwards: it is who listens that has to prove it again.
  'a change of the password': {
    sockets: all,
    calls: sessions,
    run: async ({ server, one }) =>
      granted(
        await call(
          server,
          'POST',
          '/auth/password',
          { current_password: PASSWORD, new_password: NEW_PASSWORD },
          one.access_token,
        ),
      ),
    fresh: async ({ server, username }) => (await login(server, username, NEW_PASSWORD)).access_token,
  },
  'a change of the role': { sockets: all, calls: sessions, run: patch({ role: 'admin' }), fresh: refreshed },
  disabling: {
    sockets: all,
    calls: all,
    run: patch({ disabled: true }),
    async fresh(person, admin) {
      await patch({ disabled: false })(person, admin)
      return (await login(person.server, person.username)).access_token
    },
  },
  'the deletion of an API token': {
    sockets: ['token'],
    calls: ['token'],
    run: async ({ server, one, token }) =>
      answered204(await call(server, 'DELETE', `/auth/tokens/${token.id}`, undefined, one.access_token)),
  },
  'the expiry of an API token': {
    sockets: ['token'],
    calls: ['token'],
    run: ({ token }, _admin, database) =>
      database.rows('UPDATE api_tokens SET expires_at = clock_timestamp() WHERE id = $1', [token.id]),
  },
}

async function newPerson(server: Server, username: string): Promise<Person> {
  const one = granted<Grant>(await call(server, 'POST', '/auth/register', { username, password: PASSWORD }))
  const other = await login(server, username)
  const apiToken = async () =>
    granted<ApiToken>(
      await call(server, 'POST', '/auth/tokens', { name: 'script', scopes: ['read'] }, one.access_token),
    )
  const [token, otherToken] = [await apiToken(), await apiToken()]
  return { server, username, id: one.user.id, one, other, token, otherToken }
}

/** Opens a socket by a ticket, which closes as its credential does. */
async function listenAs(server: Server, token: string): Promise<Listener> {
  const { ticket } = granted<{ ticket: string }>(await call(server, 'POST', '/auth/ticket', undefined, token))
  return listen(`${server.ws}/ws?ticket=${ticket}`)
}

/** Ends a session of the admin's and waits until both servers know: what they look for by then, they found. */
async function bothHaveLooked(servers: readonly Server[], admin: Grant): Promise<void> {
  const grant = await login(servers[0]!, admin.user.username)
  const listeners = await Promise.all(servers.map((server) => listenAs(server, grant.access_token)))
  answered204(await call(servers[0]!, 'POST', '/auth/logout', undefined, grant.access_token))
  for (const { closed } of listeners) expect(await closed).toBe(4401)
}

const stores = redisUrl ? ['the database', 'Redis'] : ['the database']

test.each(stores)(
  'what ends on one of two servers, with sessions in %s, ends on both, and nothing else does',
  async (store) => {
    await using database = await createTestDatabase()
    await using redis = store === 'Redis' ? await claimRedisDatabase() : undefined
    const settings = {
      DATABASE_URL: database.url,
      AUTH_MODE: 'required',
      RATE_LIMIT_PER_MINUTE: '0',
      SECRET_KEY: 'one-key-of-both-servers-with-enough-bytes',
      ADMIN_USERNAME: 'root',
      ADMIN_PASSWORD: PASSWORD,
      ...(redis && { REDIS_URL: redis.url }),
    }
    // One after the other, since the first makes the admin.
    const servers = [await startServer(settings), await startServer(settings)] as const
    const admin = await login(servers[1], 'root')
    const bystander = await newPerson(servers[0], 'bystander')
    const unconcerned = await Promise.all(
      servers.flatMap((server) => [
        listenAs(server, bystander.one.access_token),
        listenAs(server, admin.access_token),
      ]),
    )
    const slowest: Record<string, number> = {}

    for (const [index, [what, ending]] of Object.entries(endings).entries()) {
      // Each server is the one where it happens, in turn.
      const person = await newPerson(servers[index % 2]!, `user${index}`)
      const mine = await Promise.all(
        servers.flatMap((server) =>
          all.map(async (name) => ({
            server,
            name,
            listener: await listenAs(server, secretOf(person, name)),
          })),
        ),
      )
      const may = async (server: Server, name: Credential) =>
        (await call(server, 'GET', '/tasks', undefined, secretOf(person, name))).status
      // From now on both servers know the tokens without asking the database.
      for (const { server, name } of mine)
        expect([what, name, await may(server, name)]).toEqual([what, name, 200])

      const began = performance.now()
      await ending.run(person, admin, database)
      await Promise.all(
        mine.map(async ({ server, name, listener }) => {
          if (ending.sockets.includes(name)) {
            await eventually(() => !listener.isOpen, `${what}: the socket of ${name} is closed`, WITHIN_MS)
            expect([what, name, await listener.closed]).toEqual([what, name, 4401])
          }
          if (ending.calls.includes(name))
            await eventually(
              async () => (await may(server, name)) === 401,
              `${what}: ${name} is void`,
              WITHIN_MS,
            )
        }),
      )
      slowest[what] = performance.now() - began

      const token = (await ending.fresh?.(person, admin)) ?? secretOf(person, 'otherToken')
      const fresh = await Promise.all(servers.map((server) => listenAs(server, token)))
      await bothHaveLooked(servers, admin)
      for (const { server, name, listener } of mine) {
        const isOpen = !ending.sockets.includes(name)
        expect([what, name, listener.isOpen]).toEqual([what, name, isOpen])
        // Who was disabled may call again with their API tokens.
        if (what !== 'disabling')
          expect([what, name, await may(server, name)]).toEqual([
            what,
            name,
            ending.calls.includes(name) ? 401 : 200,
          ])
      }
      for (const listener of fresh) expect([what, listener.isOpen]).toEqual([what, true])
      const writer = ending.fresh ? token : person.other.access_token
      const made = granted<{ id: number }>(
        await call(person.server, 'POST', '/tasks', { title: what }, writer),
      )
      for (const { events } of fresh)
        await eventually(() => events.some(({ data }) => data.task?.id === made.id), `${what}: they hear`)
    }

    for (const [what, took] of Object.entries(slowest)) expect(took, what).toBeLessThan(WITHIN_MS)
    for (const listener of unconcerned) expect(listener.isOpen).toBe(true)
    for (const server of servers) {
      expect(await stop(server)).toMatchObject({ code: 0 })
      expect(server.logged().filter(({ level }) => /error|fatal/.test(level))).toEqual([])
    }
  },
  300_000,
)
