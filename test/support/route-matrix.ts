import { createAccessTokens } from '../../src/features/auth/access-token.ts'
import { createSetupTokens } from '../../src/features/auth/setup-token.ts'
import { startTestApp, type TestApp } from './app.ts'
import { makeThing, mark, openSession, type User } from './owned-things.ts'

export const PASSWORD = 'a password of the matrix'
const SECRET_KEY = 'the-key-of-the-route-matrix-which-is-long-enough'

/** Somebody who calls, with the name of their column in the table of expectations. */
export interface Caller {
  column: string
  name: string
  /** Whose things are the caller's own; undefined for who is no user. */
  user: User | undefined
  /** A token that works once at least: of a session that was made for it, where it is one of a session. */
  token(): Promise<string | undefined>
}

/** A server with users, credentials of many kinds, and things that belong to this one and that. */
export interface World extends AsyncDisposable {
  app: TestApp
  callers: Caller[]
  users: { anna: User; boris: User; root: User }
  /** Of a link for the first admin; there is an admin, so it is void. */
  setupToken: string
  request(
    method: string,
    path: string,
    options?: { token?: string | undefined; body?: unknown },
  ): Promise<Reply>
  /** Makes a thing that the route is about, for `owner`; returns what stands for it in the path. */
  make(route: string, owner: User | null): Promise<string>
}

/** Whether everybody's tasks are open to them. */
export const seesAll = ({ column }: Caller) => ['operator', 'admin', 'admin key'].includes(column)

export interface Reply {
  status: number
  headers: Headers
  text: string
}

/** `mode` is the access mode; without a token one is anonymous while it is `required`, else the operator. */
export async function startWorld(mode: 'required' | 'open', todoSource: string): Promise<World> {
  const app = await startTestApp({
    AUTH_MODE: mode,
    SECRET_KEY,
    TODO_SOURCE_URL: todoSource,
    // What is asked changes nothing behind the back of who looks at it.
    WORKER_CONCURRENCY: '0',
    // Every request comes from an address of its own: guesses are limited by address.
    TRUST_PROXY: '127.0.0.1',
  })
  let count = 0
  const request: World['request'] = async (method, path, { token, body } = {}) => {
    const address = `10.0.${(++count >> 8) & 255}.${count & 255}`
    const response = await fetch(`${app.url}${path}`, {
      method,
      redirect: 'manual',
      headers: {
        'x-forwarded-for': address,
        // Of what can be had as a stream, a page is enough.
        accept: 'application/json',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && !(body instanceof FormData) && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: body instanceof FormData ? body : JSON.stringify(body) }),
    })
    return { status: response.status, headers: response.headers, text: await response.text() }
  }
  const sent = async (...call: Parameters<typeof request>) => {
    const { status, text } = await request(...call)
    if (status >= 300) throw new Error(`${call[0]} ${call[1]} is ${status}: ${text}`)
    return text && JSON.parse(text)
  }
  const join = (username: string) =>
    sent('POST', '/auth/register', { body: { username, password: PASSWORD } })

  const { user: anna, refresh_token: refreshToken } = await join('anna')
  const { user: boris } = await join('boris')
  const { user: root } = await join('root')
  const carl = await join('carl')
  const dora = await join('dora')
  await app.database.rows("UPDATE users SET role = 'admin' WHERE id = $1", [root.id])

  const ours = createAccessTokens({ keys: [SECRET_KEY], lifetimeSeconds: 600 })
  const session = (user: User, tokens = ours) => openSession(app, user, tokens)
  const apiToken = async (user: User, scopes: string[]) => {
    const body = { name: mark(user), scopes }
    return await sent('POST', '/auth/tokens', { token: await session(user), body })
  }

  const left = await session(anna)
  await sent('POST', '/auth/logout', { token: left })
  const deleted = await apiToken(anna, ['read', 'write'])
  await sent('GET', '/auth/me', { token: deleted.token })
  await sent('DELETE', `/auth/tokens/${deleted.id}`, { token: await session(anna) })
  const outlived = await apiToken(anna, ['read', 'write'])
  await app.database.rows('UPDATE api_tokens SET expires_at = now() WHERE id = $1', [outlived.id])
  const disabled = await apiToken(carl.user, ['read', 'write'])
  // What is used before it ends is remembered.
  for (const token of [carl.access_token, disabled.token, dora.access_token])
    await sent('GET', '/auth/me', { token })
  const passwords = { current_password: PASSWORD, new_password: `${PASSWORD}!` }
  await sent('POST', '/auth/password', { token: dora.access_token, body: passwords })
  await sent('PATCH', `/users/${carl.user.id}`, { token: await session(root), body: { disabled: true } })
  const bad = {
    garbage: 'x',
    unsigned: [{ alg: 'none', typ: 'at+jwt' }, { sub: String(anna.id) }, ''].map(encoded).join('.'),
    'signed with another key': await session(
      anna,
      createAccessTokens({ keys: [`${SECRET_KEY}!`], lifetimeSeconds: 600 }),
    ),
    expired: await session(anna, createAccessTokens({ keys: [SECRET_KEY], lifetimeSeconds: -1 })),
    'of a disabled user': carl.access_token,
    'of before a change of password': dora.access_token,
    'of a session that ended': left,
    'API token of a disabled user': disabled.token,
    'deleted API token': deleted.token,
    'expired API token': outlived.token,
    'refresh token': refreshToken,
    ticket: (await sent('POST', '/auth/ticket', { token: await session(anna) })).ticket,
  }
  const reader = await apiToken(anna, ['read'])
  const writer = await apiToken(anna, ['write'])
  const adminKey = await apiToken(root, ['read', 'write'])

  const callers: Caller[] = [
    {
      column: mode === 'open' ? 'operator' : 'anonymous',
      name: 'no token',
      user: undefined,
      token: async () => undefined,
    },
    { column: 'user', name: 'anna', user: anna, token: () => session(anna) },
    { column: 'user', name: 'boris', user: boris, token: () => session(boris) },
    { column: 'admin', name: 'root', user: root, token: () => session(root) },
    { column: 'reader', name: 'API token of anna', user: anna, token: async () => reader.token },
    { column: 'writer', name: 'API token of anna', user: anna, token: async () => writer.token },
    { column: 'admin key', name: 'API token of root', user: root, token: async () => adminKey.token },
    ...Object.entries(bad).map(([name, token]) => ({
      column: 'bad',
      name,
      user: undefined,
      token: async () => token,
    })),
  ]
  return {
    app,
    callers,
    users: { anna, boris, root },
    setupToken: await createSetupTokens({ keys: [SECRET_KEY] }).issue(),
    request,
    make: (route, owner) => makeThing(app, route, owner),
    [Symbol.asyncDispose]: () => app[Symbol.asyncDispose](),
  }
}

function encoded(part: object | string): string {
  return typeof part === 'string' ? part : Buffer.from(JSON.stringify(part)).toString('base64url')
}
