import { randomBytes } from 'node:crypto'
import { createClient } from 'redis'
import { expect, onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { connect, emptyDatabase } from './empty-database.ts'
import { redisUrl } from './redis.ts'
import type { Server } from './server.ts'

/** Every secret there was, by what it is. */
const secrets = new Map<string, string>()

/** Notes a secret, by default a new one. */
export function secret(what: string, value = `canary-${randomBytes(12).toString('hex')}`): string {
  secrets.set(what, value)
  return value
}

/** Which of the secrets are in a text. */
export function found(text: string): string[] {
  return [...secrets].filter(([, value]) => text.includes(value)).map(([what]) => what)
}

/** An empty database, by a URL with a password in it. */
export async function databaseWithPassword() {
  const url = new URL(await emptyDatabase())
  // Where every password will do, one of ours.
  if (!url.password) url.password = `canary-${randomBytes(6).toString('hex')}`
  secret('the password of the database', decodeURIComponent(url.password))
  const client = await connect(url.href)
  return { url: url.href, rows: (statement: string) => client.query(statement) }
}

/** A user of Redis with a password. */
export async function redisUser(url: string): Promise<string> {
  const password = secret('the password of Redis')
  const user = `taskwire_test_${randomBytes(6).toString('hex')}`
  const client = createClient({ url: redisUrl! })
  await client.connect()
  await client.sendCommand(['ACL', 'SETUSER', user, 'on', `>${password}`, '~*', '&*', '+@all'])
  onTestFinished(async () => {
    await client.sendCommand(['ACL', 'DELUSER', user])
    await client.close()
  })
  const own = new URL(url)
  own.username = user
  own.password = password
  return own.href
}

/** Every row of every table. */
export async function databaseText(url: string): Promise<string> {
  const client = await connect(url)
  const tables = await client.query<{ name: string }>(
    "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')",
  )
  const texts: string[] = []
  for (const { name } of tables.rows) {
    const { rows } = await client.query<{ text: string }>(`SELECT t::text AS text FROM ${name} t`)
    texts.push(...rows.map(({ text }) => `${name} ${text}`))
  }
  return texts.join('\n')
}

/** Every key and what is in it. */
export async function redisText(url: string): Promise<string> {
  const client = createClient({ url })
  await client.connect()
  const read = async (key: string) => {
    const type = await client.type(key)
    if (type === 'hash') return client.hGetAll(key)
    return type === 'zset' ? client.zRange(key, 0, -1) : client.get(key)
  }
  const keys = await client.keys('*')
  const values = await Promise.all(keys.map(read))
  await client.close()
  return JSON.stringify([keys, values])
}

/** Asks, and looks whether a refusal tells a secret. */
export async function ask(
  server: Server,
  method: string,
  path: string,
  options: { token?: string; body?: unknown } = {},
) {
  const { token, body } = options
  const isText = typeof body === 'string'
  const headers: Record<string, string> = {}
  if (token !== undefined) headers.authorization = token.includes(' ') ? token : `Bearer ${token}`
  if (body !== undefined) {
    headers['content-type'] =
      isText && body.includes('=') ? 'application/x-www-form-urlencoded' : 'application/json'
  }
  const init = { method, headers, ...(body !== undefined && { body: isText ? body : JSON.stringify(body) }) }
  const response = await fetch(server.url + path, init)
  const text = await response.text()
  const told = `${text} ${JSON.stringify([...response.headers])}`
  if (response.status >= 400)
    expect([method, path.split('?')[0], found(told)]).toEqual([method, path.split('?')[0], []])
  return {
    status: response.status,
    body: response.headers.get('content-type')?.includes('json') ? JSON.parse(text) : text,
  }
}

/** A socket: whether it was told something, and the close code or status with which it ends. */
export function openSocket(server: Server, path: string, first?: object) {
  const socket = new WebSocket(server.ws + path)
  onTestFinished(() => socket.terminate())
  const { promise: ended, resolve } = Promise.withResolvers<number>()
  const opened = { ended, wasTold: false }
  socket.on('error', () => {}) // 'close' or 'unexpected-response' tells more.
  socket.on('unexpected-response', (_, { statusCode }) => resolve(statusCode!))
  socket.on('close', resolve)
  socket.on('message', () => {
    opened.wasTold = true
  })
  socket.on('open', () => first && socket.send(JSON.stringify(first)))
  return opened
}

export type Pair = { access_token: string; refresh_token: string }
/** Notes the tokens of a login. */
export function keep(what: string, pair: Pair): Pair {
  secret(`the access token of ${what}`, pair.access_token)
  secret(`the refresh token of ${what}`, pair.refresh_token)
  return pair
}
