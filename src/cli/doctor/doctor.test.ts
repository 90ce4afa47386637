import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, onTestFinished, test } from 'vitest'
import { startTestApp } from '../../../test/support/app.ts'
import { createTestDatabase } from '../../../test/support/database.ts'
import { hangingPort } from '../../../test/support/hanging-port.ts'
import { finished } from '../../../test/support/program.ts'
import { mountSmallDisk } from '../../../test/support/small-disk.ts'
import { startUpstream } from '../../../test/support/upstream.ts'
import { startWeatherUpstream } from '../../../test/support/weather.ts'
import { ownerCan } from '../../platform/database/embedded-owner.ts'
import type { Finding } from './finding.ts'

const SECRET_KEY = 'geheim'.repeat(6)

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'taskwire-doctor-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Returns the findings with these settings, by check, and the exit code. */
async function examine(settings: Record<string, string>) {
  const defaults = { PORT: '0', IMPORTS: 'off', WEATHER: 'off', SECRET_KEY, DATA_DIR: temporaryFolder() }
  const { error, out, err } = await finished(['doctor', '--json'], { ...defaults, ...settings })
  expect([...out, ...err, error].join('\n')).not.toContain('geheim')
  const { healthy, findings } = JSON.parse(out.join('\n')) as { healthy: boolean; findings: Finding[] }
  const failed = findings.filter(({ status }) => status === 'failure').length
  expect(healthy).toBe(failed === 0)
  expect(error).toBe(failed === 0 ? '' : `${failed} of ${findings.length} checks failed`)
  for (const { status, advice } of findings) expect(advice === undefined).toBe(status === 'ok')
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]))
}

/** The port of a web server that answers everything so. */
async function answering(status: number, body: object): Promise<string> {
  const server = createServer((_, response) => void response.writeHead(status).end(JSON.stringify(body)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  return String((server.address() as AddressInfo).port)
}

test('of a server that runs well everything is ok, in lines that people read', async () => {
  await using app = await startTestApp()
  const settings = {
    DATABASE_URL: app.database.url,
    DATA_DIR: app.dataDir,
    PORT: new URL(app.url).port,
    IMPORTS: 'off',
    WEATHER: 'off',
    SECRET_KEY,
  }
  const found = await examine(settings)
  expect(Object.entries(found).map(([check, { status }]) => [check, status])).toEqual(
    ['settings', 'data-dir', 'secret-key', 'port', 'database', 'migrations', 'clock'].map((check) => [
      check,
      'ok',
    ]),
  )
  expect(found.port!.message).toBe(
    `a Taskwire server answers at http://localhost:${settings.PORT}/health/ready, and is ready`,
  )
  const { error, out, err } = await finished(['doctor'], settings)
  expect({ error, err }).toEqual({ error: '', err: [] })
  expect(out[0]).toBe('ok  settings    they are valid; access is open')
})

test('settings that are wrong: a finding for each, and nothing else is looked at', async () => {
  const { error, out } = await finished(['doctor'], { PORT: 'x', DATABASE_URL: 'mysql://root:geheim@db/x' })
  expect(out).toEqual([
    'FAILURE  settings  PORT must be a whole number from 0 to 65535, got "x"',
    '                   -> correct it in the environment or in .env; see docs/configuration.md',
    'FAILURE  settings  DATABASE_URL must be a URL that begins with postgresql:// or postgres://',
    '                   -> correct it in the environment or in .env; see docs/configuration.md',
  ])
  expect(error).toBe('2 of 2 checks failed')
})

test('access that is open to whoever reaches the server', async () => {
  const { settings } = await examine({ AUTH_MODE: 'open', HOST: '0.0.0.0' })
  expect(settings).toMatchObject({ status: 'warning', advice: 'set AUTH_MODE=required' })
})

test('a DATA_DIR that is a file, or below one', async () => {
  const file = join(temporaryFolder(), 'diary.txt')
  writeFileSync(file, 'mine')
  expect((await examine({ DATA_DIR: file }))['data-dir']).toMatchObject({
    status: 'failure',
    message: `DATA_DIR ${file} cannot be written: it is not a folder`,
  })
  expect((await examine({ DATA_DIR: join(file, 'data') }))['data-dir']!.status).toBe('failure')
})

const nobody = { uid: 65_534, gid: 65_534 }
const program = fileURLToPath(new URL('../taskwire.ts', import.meta.url))
const canBeNobody =
  process.getuid?.() === 0 && [program, process.execPath].every((path) => ownerCan(nobody, '-r', path))

test("a DATA_DIR of somebody else's", ({ skip }) => {
  if (!canBeNobody) return skip('to act as another user takes root, and a checkout that user can read')
  const DATA_DIR = temporaryFolder()
  const env = { DATA_DIR, PORT: '0', IMPORTS: 'off', WEATHER: 'off', SECRET_KEY }
  const { status, stdout } = spawnSync(process.execPath, [program, 'doctor', '--json'], {
    ...nobody,
    env,
    cwd: '/',
    encoding: 'utf8',
  })
  const { findings } = JSON.parse(stdout) as { findings: Finding[] }
  expect({ status, found: findings.find(({ check }) => check === 'data-dir') }).toMatchObject({
    status: 1,
    found: {
      status: 'failure',
      message: expect.stringMatching(/cannot be written: EACCES/),
      advice: 'give the folder to the user that Taskwire runs as, or set another DATA_DIR',
    },
  })
})

test.for([
  [
    'read-only',
    { bytes: 2e9, readOnly: true },
    'failure',
    /cannot be written: EROFS/,
    /mount that disk so that/,
  ],
  ['full', { bytes: 32 * 1024, readOnly: false }, 'failure', /cannot be written: ENOSPC/, /^make room/],
  ['nearly full', { bytes: 64e6, readOnly: false }, 'failure', /^only 6\d MB are free/, /^make room/],
  ['rather small', { bytes: 512e6, readOnly: false }, 'warning', /^only 51\d MB are free/, /soon$/],
] as const)('a disk that is %s', async ([_, { bytes, readOnly }, status, message, advice], { skip }) => {
  const folder = temporaryFolder()
  using disk = mountSmallDisk(folder, bytes, { readOnly })
  if (!disk) return skip('a disk of its own takes root and mount(8)')
  // A folder that is not there yet is as good as the one that it will be made in.
  for (const DATA_DIR of [folder, join(folder, 'deep/data')]) {
    expect((await examine({ DATA_DIR }))['data-dir']).toEqual({
      check: 'data-dir',
      status,
      message: expect.stringMatching(message),
      advice: expect.stringMatching(advice),
    })
  }
})

test('a key that others can read, and one for several machines', async () => {
  const DATA_DIR = temporaryFolder()
  const file = join(DATA_DIR, 'secret-key')
  writeFileSync(file, 'k'.repeat(43))
  chmodSync(file, 0o644)
  await using database = await createTestDatabase()
  const settings = { DATA_DIR, SECRET_KEY: '', DATABASE_URL: database.url }
  expect((await examine(settings))['secret-key']).toMatchObject({
    status: 'failure',
    message: `${file} can be read or changed by others, who could make tokens with it`,
    advice: expect.stringMatching(/^run chmod 600 on it/),
  })
  chmodSync(file, 0o600)
  expect((await examine(settings))['secret-key']!.status).toBe('warning')
  expect((await examine({ ...settings, DATABASE_URL: '' }))['secret-key']!.status).toBe('ok')
})

test('a port in use: by a program that says nothing, and by one that is not Taskwire', async () => {
  const silent = (await examine({ PORT: String(await hangingPort()) })).port!
  expect(silent).toMatchObject({ status: 'failure', advice: expect.stringMatching(/^stop the program/) })
  expect(silent.message).toMatch(/is in use, and no Taskwire server answers there: no answer in 5 s$/)
  const PORT = await answering(200, { hello: 'world' })
  expect((await examine({ PORT })).port!.message).toMatch(/: it is another program$/)
})

test('an address to listen on that this machine does not have', async () => {
  const { port } = await examine({ HOST: '192.0.2.1', PORT: '8000' })
  expect(port).toMatchObject({ status: 'failure', advice: expect.stringMatching(/^set HOST to an address/) })
})

test('a server that runs but is not ready', async () => {
  const PORT = await answering(503, { detail: 'Down: database.', checks: {} })
  const { port } = await examine({ PORT })
  expect(port).toMatchObject({ status: 'failure', advice: 'see its log' })
  expect(port!.message).toMatch(/is not ready: Down: database\.$/)
})

test('sources of imports: each is read as the importer reads it', async () => {
  await using upstream = await startUpstream()
  const settings = { IMPORTS: 'on', TODO_SOURCE_URL: upstream.url, CBR_URL: `http://127.0.0.1:1/?key=geheim` }
  const { todos, currencies } = await examine(settings)
  expect(todos).toMatchObject({ status: 'ok' })
  expect(currencies).toMatchObject({
    status: 'warning',
    advice: 'see that the source runs there, or correct CBR_URL, or set IMPORTS=off',
  })
  upstream.answer([{ id: 'no number' }])
  expect((await examine(settings)).todos).toMatchObject({
    status: 'warning',
    message: `${upstream.url} cannot be imported: item 0 of the response has no valid "id"`,
  })
  upstream.answer(() => {})
  expect((await examine(settings)).todos!.message).toMatch(/: no answer in 5 s$/)
})

test('the weather: it is asked for as tasks ask for it', async () => {
  await using upstream = await startWeatherUpstream()
  for (const settings of [upstream.openWeather, upstream.openMeteo])
    expect((await examine(settings)).weather).toMatchObject({ status: 'ok' })
  upstream.answer((response) => void response.writeHead(401).end('{}'))
  expect((await examine(upstream.openWeather)).weather).toEqual({
    check: 'weather',
    status: 'warning',
    message: 'OpenWeather does not tell the weather: status 401 instead of 200 or 404',
    advice: 'correct OPENWEATHER_URL and OPENWEATHER_API_KEY, or set WEATHER=off',
  })
  upstream.answer(() => {})
  expect((await examine(upstream.openMeteo)).weather!.message).toMatch(/: no answer in 5 s$/)
  const nobody = { WEATHER: 'on', OPEN_METEO_GEOCODING_URL: 'http://127.0.0.1:1/?key=geheim' }
  expect((await examine(nobody)).weather!.message).toMatch(
    /^Open-Meteo does not tell the weather: .*ECONNREFUSED/,
  )
})

test('it leaves no trace', async () => {
  const parent = temporaryFolder()
  mkdirSync(join(parent, 'empty'))
  await examine({ DATA_DIR: join(parent, 'empty') })
  await examine({ DATA_DIR: join(parent, 'none') })
  expect(readdirSync(parent)).toEqual(['empty'])
  expect(readdirSync(join(parent, 'empty'))).toEqual([])
})
