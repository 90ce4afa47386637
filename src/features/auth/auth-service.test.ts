import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createTestDatabase, type TestDatabase } from '../../../test/support/database.ts'
import { logTo } from '../../../test/support/log.ts'
import type { Actor, UserActor } from '../../core/actor.ts'
import { anonymous, operator } from '../../core/actor.ts'
import { DomainError } from '../../core/errors.ts'
import { createRateLimiter } from '../../platform/rate-limit/index.ts'
import { findUserByName, updateUser } from '../users/index.ts'
import { createAccessTokens } from './access-token.ts'
import { type AuthService, createAuthService, type Grant } from './auth-service.ts'
import { createGuesses } from './guesses.ts'
import { createPasswords, type Passwords } from './password.ts'
import { createPostgresSessionStore } from './postgres-session-store.ts'
import { createRefreshTokens } from './refresh-token.ts'
import { type Revocations, watchRevocations } from './revocations.ts'
import type { SessionStore } from './session-store.ts'

const KEYS = ['a-secret-key-of-this-test-file-with-enough-bytes']
const PASSWORD = 'correct horse battery'
const NEXT = 'staple battery horse'
const LIFETIME = 3600
const client = { reqId: 'r1', address: '192.0.2.1', userAgent: 'a test' }

let database: TestDatabase
let revocations: Revocations
const logged: Record<string, unknown>[] = []
const log = logTo(logged)
const accessTokens = createAccessTokens({ keys: KEYS, lifetimeSeconds: LIFETIME })
/** Passwords that were hashed or compared since it was cleared. */
const hashes: string[] = []
/** Replaces the next call of the session store. */
let storeFails: Partial<Record<keyof SessionStore, Error>> = {}
/** Runs after the next call of the session store, before it returns. */
const meanwhile: Partial<Record<keyof SessionStore | 'verify', () => Promise<unknown>>> = {}
let auth: AuthService

async function then<T>(name: keyof typeof meanwhile, result: T): Promise<T> {
  const happens = meanwhile[name]
  delete meanwhile[name]
  await happens?.()
  return result
}

beforeAll(async () => {
  database = await createTestDatabase()
  const { db } = database
  revocations = await watchRevocations(db, log, () => {})
  const limiter = (name: string) => createRateLimiter({ name, points: 1000, seconds: 60, log })
  auth = createAuthService({
    ...{ db, log, revocations, accessTokens },
    passwords: counted(createPasswords()),
    sessions: breakable(createPostgresSessionStore(db)),
    refreshTokens: createRefreshTokens(KEYS),
    guesses: createGuesses({ perUser: limiter('user'), perAddress: limiter('address') }),
    refreshLifetimeSeconds: LIFETIME,
  })
})
afterAll(async () => {
  await revocations[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

function counted(passwords: Passwords): Passwords {
  return {
    hash: (password) => {
      hashes.push('hash')
      return passwords.hash(password)
    },
    verify: async (password, hash) => {
      hashes.push('verify')
      return then('verify', await passwords.verify(password, hash))
    },
  }
}

function breakable(store: SessionStore): SessionStore {
  const call =
    (name: keyof SessionStore) =>
    async (...values: never[]) => {
      if (storeFails[name]) throw storeFails[name]
      return then(name, await (store[name] as (...values: never[]) => unknown)(...values))
    }
  return Object.fromEntries(
    Object.keys(store).map((name) => [name, call(name as keyof SessionStore)]),
  ) as never
}

const newName = () => `user-${randomUUID()}`
async function registered(username = newName()): Promise<Grant> {
  return auth.register({ username, password: PASSWORD }, client)
}

/** Returns the actor of an access token. */
async function actorOf({ access_token, user }: Grant): Promise<UserActor> {
  const claims = (await accessTokens.verify(access_token))!
  const { sessionId, epoch } = claims
  const { id, username, role } = user
  return { kind: 'user', id, username, role, epoch, sessionId, scopes: ['read', 'write'] }
}

const isRevoked = async ({ sessionId }: UserActor) =>
  (await database.rows('SELECT FROM revocations WHERE session_id = $1', [sessionId])).length > 0

test('every failed login costs one comparison of a hash, whoever it is for', async () => {
  const { user } = await registered()
  const disabled = await registered()
  await updateUser(database.db, disabled.user.id, { disabled: true })
  for (const username of [
    user.username,
    disabled.user.username,
    'nobody-there',
    'no name at all',
    '\u0301',
  ]) {
    hashes.length = 0
    await expect(auth.login({ username, password: 'wrong horse' }, client)).rejects.toMatchObject({
      code: 'unauthenticated',
      message: 'The user name or the password is wrong.',
    })
    expect([username, hashes]).toEqual([username, ['verify']])
  }
  // With the right password too.
  hashes.length = 0
  await expect(
    auth.login({ username: disabled.user.username, password: PASSWORD }, client),
  ).rejects.toMatchObject({ code: 'unauthenticated' })
  expect(hashes).toEqual(['verify'])
})

test('each login is a session of its own, with where it came from', async () => {
  const first = await registered()
  const { username } = first.user
  const second = await auth.login({ username, password: PASSWORD }, { ...client, userAgent: 'x'.repeat(500) })
  const actor = await actorOf(second)
  const sessions = await auth.sessions(actor)
  expect(sessions.map(({ current, userAgent }) => [current, userAgent])).toEqual([
    [true, 'x'.repeat(300)],
    [false, 'a test'],
  ])
  await auth.endSession(actor, sessions[1]!.id)
  expect(await auth.sessions(actor)).toHaveLength(1)
  expect(await isRevoked(await actorOf(first))).toBe(true)
  await expect(auth.refresh(first.refresh_token, client)).rejects.toMatchObject({ code: 'unauthenticated' })
  await expect(auth.endSession(actor, sessions[1]!.id)).rejects.toMatchObject({ code: 'not-found' })
})

test('nobody ends a session of somebody else', async () => {
  const [anna, bert] = [await registered(), await registered()]
  const { sessionId } = await actorOf(anna)
  await expect(auth.endSession(await actorOf(bert), sessionId!)).rejects.toMatchObject({ code: 'not-found' })
  expect((await auth.refresh(anna.refresh_token, client)).user).toEqual(anna.user)
})

test('a refresh of who was disabled is refused and ends the session', async () => {
  const grant = await registered()
  await updateUser(database.db, grant.user.id, { disabled: true })
  await expect(auth.refresh(grant.refresh_token, client)).rejects.toMatchObject({ code: 'unauthenticated' })
  await updateUser(database.db, grant.user.id, { disabled: false })
  await expect(auth.refresh(grant.refresh_token, client)).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('a refresh has the role and epoch of now', async () => {
  const grant = await registered()
  await updateUser(database.db, grant.user.id, { role: 'admin' })
  const next = await auth.refresh(grant.refresh_token, client)
  expect(next.user.role).toBe('admin')
  expect((await actorOf(next)).epoch).toBe(1)
})

test('a password is changed by who knows the present one, and not to a weak one', async () => {
  const grant = await registered()
  const actor = await actorOf(grant)
  const change = (current: string, next: string) => auth.changePassword(actor, { current, next }, client)
  await expect(change('wrong horse', NEXT)).rejects.toMatchObject({
    errors: [{ path: 'body.current_password', message: 'is wrong' }],
  })
  for (const weak of ['password1', grant.user.username.toUpperCase()]) {
    await expect(change(PASSWORD, weak)).rejects.toMatchObject({ errors: [{ path: 'body.new_password' }] })
  }
  expect((await auth.refresh(grant.refresh_token, client)).user).toEqual(grant.user)
  const next = await change(PASSWORD, NEXT)
  expect((await actorOf(next)).epoch).toBe(1)
  expect(await auth.sessions(await actorOf(next))).toHaveLength(1)
  const { username } = grant.user
  await expect(auth.login({ username, password: PASSWORD }, client)).rejects.toBeInstanceOf(DomainError)
  expect((await auth.login({ username, password: NEXT }, client)).user).toEqual(grant.user)
})

test('a login with a password that is changed while it is compared begins nothing', async () => {
  const grant = await registered()
  const actor = await actorOf(grant)
  let next: Grant | undefined
  meanwhile.verify = async () => {
    next = await auth.changePassword(actor, { current: PASSWORD, next: NEXT }, client)
  }
  const { username } = grant.user
  await expect(auth.login({ username, password: PASSWORD }, client)).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  expect(await auth.sessions(await actorOf(next!))).toHaveLength(1)
})

test('a login of who is disabled while their password is compared begins nothing', async () => {
  const { user } = await registered()
  meanwhile.verify = () => updateUser(database.db, user.id, { disabled: true })
  await expect(auth.login({ username: user.username, password: PASSWORD }, client)).rejects.toMatchObject({
    code: 'unauthenticated',
  })
  expect(await database.rows('SELECT FROM sessions WHERE user_id = $1', [user.id])).toHaveLength(1)
})

test('a login of who gets another role meanwhile has the role and epoch of now', async () => {
  const { user } = await registered()
  meanwhile.verify = () => updateUser(database.db, user.id, { role: 'admin' })
  const grant = await auth.login({ username: user.username, password: PASSWORD }, client)
  expect(grant.user.role).toBe('admin')
  expect((await actorOf(grant)).epoch).toBe(1)
})

test('a refresh into the middle of a change of the password ends with the session', async () => {
  const grant = await registered()
  const actor = await actorOf(grant)
  meanwhile.rotate = () => auth.changePassword(actor, { current: PASSWORD, next: NEXT }, client)
  await expect(auth.refresh(grant.refresh_token, client)).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('of two changes of a password at once only one takes place', async () => {
  const grant = await registered()
  const actor = await actorOf(grant)
  meanwhile.verify = () => auth.changePassword(actor, { current: PASSWORD, next: NEXT }, client)
  await expect(
    auth.changePassword(actor, { current: PASSWORD, next: 'zebra crossing nine' }, client),
  ).rejects.toMatchObject({ code: 'conflict' })
  const { username } = grant.user
  expect((await auth.login({ username, password: NEXT }, client)).user).toEqual(grant.user)
})

test('while sessions cannot be reached nothing is half done: 503, and it can be tried again', async () => {
  const grant = await registered()
  const actor = await actorOf(grant)
  const { username } = grant.user
  const away = new DomainError('unavailable', 'away')
  storeFails = { create: away, rotate: away, end: away, endAll: away, list: away }
  try {
    const calls = [
      () => auth.register({ username: 'somebody.new', password: PASSWORD }, client),
      () => auth.login({ username, password: PASSWORD }, client),
      () => auth.refresh(grant.refresh_token, client),
      () => auth.logout(actor),
      () => auth.changePassword(actor, { current: PASSWORD, next: NEXT }, client),
      () => auth.sessions(actor),
      () => auth.endSession(actor, actor.sessionId!),
    ]
    for (const call of calls) await expect(call()).rejects.toBe(away)
  } finally {
    storeFails = {}
  }
  expect(await isRevoked(actor)).toBe(false)
  expect(await findUserByName(database.db, 'somebody.new')).toBeUndefined()
  expect(await findUserByName(database.db, username)).toMatchObject({ token_epoch: 0 })
  expect((await auth.login({ username, password: PASSWORD }, client)).user).toEqual(grant.user)
  await auth.logout(actor)
  expect(await isRevoked(actor)).toBe(true)
})

test.each<[string, Actor]>([
  ['nobody', anonymous],
  ['the local operator', operator],
])('%s has no account', async (_who, actor) => {
  const calls = [
    () => auth.me(actor),
    () => auth.logout(actor),
    () => auth.sessions(actor),
    () => auth.endSession(actor, randomUUID()),
    () => auth.changePassword(actor, { current: PASSWORD, next: NEXT }, client),
  ]
  for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'unauthenticated' })
})

test('who comes, fails and changes is logged with name and address, and no secret is', () => {
  for (const msg of [
    'user registered',
    'logged in',
    'login failed',
    'password changed',
    'password change failed',
  ]) {
    const lines = logged.filter((line) => line.msg === msg)
    expect([msg, lines.length > 0]).toEqual([msg, true])
    for (const line of lines)
      expect(line).toMatchObject({ user: expect.any(String), address: '192.0.2.1', reqId: 'r1' })
  }
  expect(JSON.stringify(logged)).not.toMatch(/horse|twr_|eyJ|argon2/)
})
