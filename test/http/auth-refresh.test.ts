import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { bearer, type Grant, login, refresh, register } from '../support/accounts.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { listen } from '../support/listener.ts'
import { expectProblem } from '../support/problem.ts'
import { redisUrl } from '../support/redis.ts'
import { claimRedisDatabase } from '../support/redis-database.ts'

const stores = redisUrl ? ['database', 'redis'] : ['database']

describe.each(stores)('sessions in the %s', (store) => {
  let app: TestApp
  const stack = new AsyncDisposableStack()
  beforeAll(async () => {
    const redis = store === 'redis' ? stack.use(await claimRedisDatabase()) : undefined
    app = stack.use(await startTestApp({ AUTH_MODE: 'required', ...(redis && { REDIS_URL: redis.url }) }))
  })
  afterAll(() => stack.disposeAsync())

  const me = (token: string) => app.fetch('/auth/me', { headers: bearer(token) })
  const sessionsOf = async (grant: Grant) =>
    (await app.fetch('/auth/sessions', { headers: bearer(grant.access_token) })).body as { id: string }[]
  const expectEnded = async (...grants: Grant[]) => {
    for (const grant of grants) {
      expectProblem(await me(grant.access_token), 401)
      expectProblem(await refresh(app, grant.refresh_token), 401)
    }
  }

  test('of 50 refreshes with one token at once, all get the same successor: never two families', async () => {
    const first = await register(app, 'parallel')
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(app, first.refresh_token)))
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200))
    expect(new Set(answers.map(({ body }) => body.refresh_token)).size).toBe(1)
    const grant = answers[0]!.body as Grant
    expect(grant.refresh_token).not.toBe(first.refresh_token)
    expect(await sessionsOf(grant)).toHaveLength(1)
    // Each of the 50 has a token for the same session, and the chain goes on from the one successor.
    for (const { body } of answers.slice(0, 5)) expect((await me(body.access_token)).status).toBe(200)
    expect((await refresh(app, grant.refresh_token)).status).toBe(200)
  })

  test('two tabs that race go on; a token older than the one before ends the session for everybody', async () => {
    const first = await register(app, 'thief')
    const elsewhere = await login(app, 'thief')
    const second = (await refresh(app, first.refresh_token)).body as Grant
    const raced = await refresh(app, first.refresh_token)
    expect([raced.status, raced.body.refresh_token]).toEqual([200, second.refresh_token])
    const third = (await refresh(app, second.refresh_token)).body as Grant
    const socket = await listen(`${app.url.replace('http', 'ws')}/ws?ticket=${await ticket(third)}`)

    expectProblem(await refresh(app, first.refresh_token), 401)
    await expectEnded(first, second, third)
    expect(await socket.closed).toBe(4401)
    expect((await me(elsewhere.access_token)).status).toBe(200)
    expect(await sessionsOf(elsewhere)).toHaveLength(1)
    const told = app.logged.filter(({ userId }) => userId === first.user.id)
    expect(told).toEqual([expect.objectContaining({ level: 40, address: '127.0.0.1' })])
  })

  test('of 50 uses of a spent token at once, none succeeds, and the session ends', async () => {
    const first = await register(app, 'replayed')
    const second = (await refresh(app, first.refresh_token)).body as Grant
    const third = (await refresh(app, second.refresh_token)).body as Grant
    const answers = await Promise.all(Array.from({ length: 50 }, () => refresh(app, first.refresh_token)))
    expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(401))
    await expectEnded(third)
  })

  test('a change of the password ends every session but the new one', async () => {
    const one = await register(app, 'changer')
    const two = await login(app, 'changer')
    const change = { current_password: 'correct horse battery', new_password: 'staple battery horse' }
    const { status, body } = await app.send('POST', '/auth/password', change, bearer(one.access_token))
    expect(status).toBe(200)
    await expectEnded(one, two)
    expect(await sessionsOf(body)).toHaveLength(1)
    expect((await refresh(app, body.refresh_token)).status).toBe(200)
  })

  test('who is disabled has no session any more, also after they are enabled again', async () => {
    const grant = await register(app, 'suspended')
    await app.database.rows("UPDATE users SET role = 'admin' WHERE username = 'changer'")
    const { body: boss } = await app.send('POST', '/auth/login', {
      username: 'changer',
      password: 'staple battery horse',
    })
    const set = (disabled: boolean) =>
      app.send('PATCH', `/users/${grant.user.id}`, { disabled }, bearer(boss.access_token))
    expect((await set(true)).status).toBe(200)
    expectProblem(await me(grant.access_token), 401)
    expect((await set(false)).status).toBe(200)
    await expectEnded(grant)
    expect((await login(app, 'suspended')).user.disabled).toBe(false)
  })

  async function ticket(grant: Grant): Promise<string> {
    const headers = bearer(grant.access_token)
    return (await app.fetch('/auth/ticket', { method: 'POST', headers })).body.ticket
  }
})
