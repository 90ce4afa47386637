import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { type App, startApp } from '../../src/app/app.ts'
import { type Config, loadConfig } from '../../src/platform/config/config.ts'
import { createTestDatabase, type TestDatabase } from './database.ts'

/** An answer with its body read: JSON as a value, anything else as text. */
export interface Answer {
  status: number
  headers: Headers
  // biome-ignore lint/suspicious/noExplicitAny: tests look into bodies of many shapes
  body: any
}

export interface TestApp extends App {
  database: TestDatabase
  /** Removed after the test, unless the settings name another. */
  dataDir: string
  /** The lines it logged, parsed. */
  logged: Record<string, unknown>[]
  fetch(path: string, init?: RequestInit): Promise<Answer>
  /** Sends `body` as JSON. */
  send(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>
}

/** Of test servers, so that none is made in a folder. */
const SECRET_KEY = 'a-secret-key-of-the-test-suite-with-enough-bytes'

/** So that no test asks the bank: nobody listens there. */
const NOBODY_ELSE = { CBR_URL: 'http://127.0.0.1:9/', CURRENCY_BACKFILL_DAYS: '0' }

/** The settings of a test server: a free port, no schedules, no limit of requests, no log file. */
function testConfig(settings: Record<string, string>): Config {
  const values = {
    PORT: '0',
    RATE_LIMIT_PER_MINUTE: '0',
    SECRET_KEY,
    IMPORTS: 'off',
    ...NOBODY_ELSE,
    // Nobody is there: tests call nothing outside of this machine.
    CBR_URL: 'http://127.0.0.1:1/rates',
    CURRENCY_BACKFILL_DAYS: '0',
    WEATHER: 'off',
    LOG_FILE: 'off',
    LOG_LEVEL: 'debug',
    ...settings,
  }
  return loadConfig({ values, fileNames: [] })
}

/** The whole server on a real port and a database of its own. */
export async function startTestApp(settings: Record<string, string> = {}): Promise<TestApp> {
  const database = await createTestDatabase()
  const dataDir = await mkdtemp(join(tmpdir(), 'taskwire-app-'))
  const logged: Record<string, unknown>[] = []
  const log = pino({ level: 'debug' }, { write: (line: string) => void logged.push(JSON.parse(line)) })
  const app = await startApp(testConfig({ DATABASE_URL: database.url, DATA_DIR: dataDir, ...settings }), log)
  const request = async (path: string, init?: RequestInit): Promise<Answer> => {
    const response = await fetch(`${app.url}${path}`, { redirect: 'manual', ...init })
    const text = await response.text()
    const isJson = /\bjson\b/.test(response.headers.get('content-type') ?? '')
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }
  return {
    url: app.url,
    setupLink: app.setupLink,
    routes: app.routes,
    metrics: app.metrics,
    database,
    dataDir,
    logged,
    fetch: request,
    send: (method, path, body, headers = {}) =>
      request(path, {
        method,
        headers: { 'content-type': 'application/json', ...headers },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    async [Symbol.asyncDispose]() {
      await app[Symbol.asyncDispose]()
      await database[Symbol.asyncDispose]()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}
