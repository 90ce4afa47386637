import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { StartupError } from '../../core/errors.ts'
import { isLoopback, loadConfig, printConfig } from './config.ts'
import { readEnvironment } from './env.ts'

const load = (values: Record<string, string>, fileNames: string[] = []) => loadConfig({ values, fileNames })

/** The lines that the start stops with. */
function mistakes(values: Record<string, string>, fileNames: string[] = []): string[] {
  try {
    load(values, fileNames)
  } catch (error) {
    expect(error).toBeInstanceOf(StartupError)
    return (error as Error).message.split('\n')
  }
  return []
}

function file(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-config-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'value')
  writeFileSync(path, text)
  return path
}

test('without any setting the defaults of the contract hold', () => {
  expect(load({})).toMatchObject({
    PORT: 8000,
    HOST: '127.0.0.1',
    DATA_DIR: './data',
    DATABASE_URL: undefined,
    AUTH_MODE: 'auto',
    access: 'open',
    STATUS_LABELS: 'snake',
    IMPORTS: 'on',
    TODO_SOURCE_URL: 'https://jsonplaceholder.typicode.com/todos',
    BACKGROUND_TASK_INTERVAL: 300,
    EVENT_RETENTION_DAYS: 7,
    TRASH_DAYS: 30,
    LOG_FILE: 'app.log',
    ALLOWED_HOSTS: [],
    CORS_ORIGINS: [],
  })
})

test('an empty value counts as absent, and blanks around one do not count', () => {
  const config = load({ DATABASE_URL: '', PORT: ' 9000 ', HOST: '  ', CORS_ORIGINS: '' })
  expect(config).toMatchObject({ DATABASE_URL: undefined, PORT: 9000, HOST: '127.0.0.1', CORS_ORIGINS: [] })
})

test.each<[string, string, RegExp]>([
  ['PORT', 'http', /^PORT must be a whole number from 0 to 65535, got "http"$/],
  ['PORT', '65536', /^PORT must be a whole number/],
  ['PORT', '-1', /^PORT must be a whole number/],
  ['PORT', '80.5', /^PORT must be a whole number/],
  ['PORT', '0x50', /^PORT must be a whole number/],
  ['PORT', '1e3', /^PORT must be a whole number/],
  ['BACKGROUND_TASK_INTERVAL', '4', /^BACKGROUND_TASK_INTERVAL must be a whole number from 5 /],
  ['TRASH_DAYS', '0', /^TRASH_DAYS must be a whole number from 1 /],
  ['EVENT_RETENTION_DAYS', 'week', /^EVENT_RETENTION_DAYS must be a whole number/],
  ['AUTH_MODE', 'none', /^AUTH_MODE must be one of auto, required, open, got "none"$/],
  ['STATUS_LABELS', 'camel', /^STATUS_LABELS must be one of snake, title/],
  ['IMPORTS', 'yes', /^IMPORTS must be one of on, off/],
  ['LOG_LEVEL', 'loud', /^LOG_LEVEL must be one of trace, debug, info/],
  ['DATABASE_URL', 'mysql://localhost/x', /^DATABASE_URL must be a URL that begins with postgresql:\/\//],
  ['DATABASE_URL', 'localhost:5432', /^DATABASE_URL must be a URL/],
  [
    'TODO_SOURCE_URL',
    'ftp://example.com',
    /^TODO_SOURCE_URL must be a URL that begins with https:\/\/ or http:/,
  ],
  ['TODO_SOURCE_URL', 'todos', /^TODO_SOURCE_URL must be a URL/],
  ['CORS_ORIGINS', '*', /^CORS_ORIGINS must list origins such as https:\/\/app\.example\.com, got "\*"$/],
  [
    'CORS_ORIGINS',
    'https://a.example,https://b.example/path',
    /^CORS_ORIGINS .* got "https:\/\/b\.example\/path"$/,
  ],
  ['CORS_ORIGINS', 'app.example.com', /^CORS_ORIGINS must list origins/],
  ['ALLOWED_HOSTS', 'tasks.example.com:8000', /^ALLOWED_HOSTS .*"tasks\.example\.com:8000"$/],
  ['CURRENCY_BACKFILL_DAYS', '-1', /^CURRENCY_BACKFILL_DAYS must be a whole number from 0 /],
  ['NATS_URL', 'localhost:4222', /^NATS_URL must be a URL that begins with nats:\/\/ or tls:\/\/$/],
  ['NATS_PORT', '0', /^NATS_PORT must be a whole number from 1 /],
  ['NATS_HOST', 'nats://a', /^NATS_HOST must be a host name or an address, got "nats:\/\/a"$/],
  ['NATS_SUBJECT', 'a b', /^NATS_SUBJECT must be a subject of words and dots/],
  ['NATS_SUBJECT', 'rates.>', /^NATS_SUBJECT must be a subject/],
  ['NATS_SUBJECT', 'taskwire.events.x', /^NATS_SUBJECT must be a subject/],
  ['ALLOWED_HOSTS', 'https://tasks.example.com', /^ALLOWED_HOSTS .*"https:\/\/tasks\.example\.com"$/],
])('%s=%s stops the start with one clear line', (name, value, line) => {
  expect(mistakes({ [name]: value })).toEqual([expect.stringMatching(line)])
})

test('settings of S3 that do not belong together are a mistake', () => {
  const key = { S3_ACCESS_KEY_ID: 'id', S3_SECRET_ACCESS_KEY: 'hunter2' }
  expect(mistakes({ S3_BUCKET: 'files', ...key, S3_ENDPOINT: 'http://127.0.0.1:9000' })).toEqual([])
  expect(mistakes({ S3_BUCKET: 'files' })).toEqual([])
  const together = 'S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together; set both or none'
  expect(mistakes({ S3_BUCKET: 'files', S3_ACCESS_KEY_ID: 'id' })).toEqual([together])
  expect(mistakes({ S3_BUCKET: 'files', S3_SECRET_ACCESS_KEY: 'hunter2' })).toEqual([together])
  const missing = 'S3_BUCKET is missing; the other settings of S3 have no effect without it'
  expect(mistakes(key)).toEqual([missing])
  expect(mistakes({ S3_ENDPOINT: 'https://s3.example.com' })).toEqual([missing])
  expect(printConfig(load({ S3_BUCKET: 'files', ...key })).join('\n')).not.toContain('hunter2')
})

test('all mistakes are told at once, one line each', () => {
  const lines = mistakes({ PORT: 'x', AUTH_MODE: 'y', DATABASE_URL: 'z', IMPORTS: 'on' }, [
    'AUTH_MOD',
    'TRASH_DAY',
  ])
  expect(lines.map((line) => line.split(' ')[0])).toEqual([
    'PORT',
    'DATABASE_URL',
    'AUTH_MODE',
    'AUTH_MOD',
    'TRASH_DAY',
  ])
})

test('hosts of webhooks are names and addresses, in the form that a URL gives them', () => {
  const { WEBHOOK_ALLOW } = load({ WEBHOOK_ALLOW: 'Hooks.internal, 10.0.0.7,::1,[FD00:0::0001]' })
  expect(WEBHOOK_ALLOW).toEqual(['hooks.internal', '10.0.0.7', '::1', 'fd00::1'])
  for (const value of ['http://hooks.internal', 'hooks.internal:80', '10.0.0.0/8', '0x7f.1', 'a b']) {
    expect(mistakes({ WEBHOOK_ALLOW: value })).toEqual([
      expect.stringMatching(/^WEBHOOK_ALLOW must list host names/),
    ])
  }
})

test('words are taken in any letter case', () => {
  const config = load({ AUTH_MODE: 'Required', STATUS_LABELS: 'TITLE', LOG_LEVEL: 'Warn' })
  expect(config).toMatchObject({ AUTH_MODE: 'required', STATUS_LABELS: 'title', LOG_LEVEL: 'warn' })
})

test('X_FILE reads the value of X from a file', () => {
  const url = 'postgresql://app:hunter2@db/tasks'
  expect(load({ DATABASE_URL_FILE: file(`${url}\n`), PORT_FILE: file(' 9000') })).toMatchObject({
    DATABASE_URL: url,
    PORT: 9000,
  })
  expect(load({ LOG_FILE: 'off' }).LOG_FILE).toBe('off')
  expect(load({ LOG_FILE_FILE: file('other.log') }).LOG_FILE).toBe('other.log')
  expect(mistakes({ PORT_FILE: file('http') })).toEqual([
    expect.stringMatching(/^PORT must be a whole number/),
  ])
})

test('X and X_FILE together, and a file that is not there, are mistakes', () => {
  const both = mistakes({ DATABASE_URL: 'postgresql://a:hunter2@b/c', DATABASE_URL_FILE: '/nowhere' })
  expect(both).toEqual(['DATABASE_URL and DATABASE_URL_FILE are both set; keep one of them'])
  const missing = mistakes({ DATABASE_URL_FILE: '/nowhere/at/all' })
  expect(missing).toEqual([expect.stringMatching(/^DATABASE_URL .*DATABASE_URL_FILE.*\/nowhere\/at\/all/)])
})

test('a misspelt name in .env is a mistake; the names of other programs are not', () => {
  expect(mistakes({}, ['DATABASE_URI'])).toEqual([
    'DATABASE_URI in .env is not a setting; did you mean DATABASE_URL?',
  ])
  expect(mistakes({}, ['DATABASE_URL_FIL'])).toEqual([
    'DATABASE_URL_FIL in .env is not a setting; did you mean DATABASE_URL_FILE?',
  ])
  expect(mistakes({}, ['COMPOSE_PROJECT_NAME', 'TZ', 'NODE_ENV', 'POSTGRES_PASSWORD'])).toEqual([])
  expect(mistakes({}, ['DATABASE_URL', 'PORT_FILE', 'LOG_FILE'])).toEqual([])
})

test('the environment wins over .env', () => {
  const path = file('PORT=1\nTASKWIRE_CONFIG_TEST=file # with a comment\n')
  process.env.PORT = '2'
  onTestFinished(() => void delete process.env.PORT)
  const { values, fileNames } = readEnvironment(path)
  expect(values).toMatchObject({ PORT: '2', TASKWIRE_CONFIG_TEST: 'file' })
  expect(fileNames).toEqual(['PORT', 'TASKWIRE_CONFIG_TEST'])
  expect(readEnvironment(`${path}-absent`).fileNames).toEqual([])
})

test.each(['postgresql+asyncpg', 'postgres+psycopg2', 'postgresql', 'postgres'])(
  '%s:// is taken as PostgreSQL',
  (scheme) => {
    const { DATABASE_URL } = load({ DATABASE_URL: `${scheme}://app:pw@db:5432/tasks` })
    expect(DATABASE_URL).toMatch(/^postgres(ql)?:\/\/app:pw@db:5432\/tasks$/)
  },
)

test.each<[string, string, 'open' | 'required']>([
  ['auto', '127.0.0.1', 'open'],
  ['auto', '127.8.8.8', 'open'],
  ['auto', '::1', 'open'],
  ['auto', 'LocalHost', 'open'],
  ['auto', '0.0.0.0', 'required'],
  ['auto', '::', 'required'],
  ['auto', '192.168.1.5', 'required'],
  ['auto', 'localhost.example.com', 'required'],
  ['auto', '127.0.0.1.example.com', 'required'],
  ['open', '0.0.0.0', 'open'],
  ['required', '127.0.0.1', 'required'],
])('AUTH_MODE=%s on %s is %s', (mode, host, access) => {
  expect(load({ AUTH_MODE: mode, HOST: host }).access).toBe(access)
})

test('only loopback names are loopback', () => {
  expect(['127.0.0.1', '[::1]', '::1', 'localhost'].every(isLoopback)).toBe(true)
  const others = [
    '',
    '128.0.0.1',
    '127.1',
    '0.0.0.0',
    '::',
    'localhost.',
    '127.evil.example',
    '::ffff:1.2.3.4',
  ]
  expect(others.filter(isLoopback)).toEqual([])
})

test.each([
  ['DATABASE_URL', 'postgresql://app:hunter2@db/tasks'],
  ['DATABASE_URL', 'postgresql://db/tasks?user=app&password=hunter2'],
  ['TODO_SOURCE_URL', 'https://reader:hunter2@example.com/todos'],
  ['NATS_URL', 'nats://app:hunter2@db/tasks'],
  ['NATS_URL', 'nats://hunter2@db/tasks'],
])('the password in %s=%s is never printed', (name, value) => {
  const lines = printConfig(load({ [name]: value }))
  expect(lines.join('\n')).not.toContain('hunter2')
  const shown = lines.find((line) => line.startsWith(`${name}=`))
  expect(shown).toMatch(/(db\/tasks|example\.com\/todos)/)
  expect(mistakes({ [name]: `wrong${value}` }).join('\n')).not.toContain('hunter2')
})

test('NATS is where its URL says, or its host and port, and not both', () => {
  expect(load({}).natsUrl).toBeUndefined()
  expect(load({ NATS_PORT: '4333' }).natsUrl).toBeUndefined()
  expect(load({ NATS_URL: 'nats://a:1' }).natsUrl).toBe('nats://a:1')
  expect(load({ NATS_HOST: 'nats' }).natsUrl).toBe('nats://nats:4222')
  expect(load({ NATS_HOST: '[::1]', NATS_PORT: '4333' }).natsUrl).toBe('nats://[::1]:4333')
  expect(mistakes({ NATS_URL: 'nats://a', NATS_HOST: 'a' })).toEqual([
    'NATS_URL and NATS_HOST both set the NATS server; set only one of them',
  ])
})

test('the configuration is printed as NAME=value, one line a setting', () => {
  const lines = printConfig(load({ CORS_ORIGINS: 'https://a.example, https://b.example/' }))
  expect(lines).toContain('PORT=8000')
  expect(lines).toContain('DATABASE_URL=')
  expect(lines).toContain('CORS_ORIGINS=https://a.example,https://b.example')
})
