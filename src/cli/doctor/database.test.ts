import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { expect, inject, onTestFinished, test } from 'vitest'
import { createTestDatabase } from '../../../test/support/database.ts'
import { dataFolder, start } from '../../../test/support/embedded-harness.ts'
import { freePort } from '../../../test/support/free-port.ts'
import { hangingPort } from '../../../test/support/hanging-port.ts'
import { loadConfig } from '../../platform/config/config.ts'
import { migrate } from '../../platform/database/migrate.ts'
import { checkClock } from './clock.ts'
import { checkDatabase, checkVitals } from './database.ts'

/** Returns the findings about a database, by check. */
async function examine(settings: Record<string, string>, now: () => number = Date.now) {
  const findings = await checkDatabase(loadConfig({ values: settings, fileNames: [] }), now)
  expect(JSON.stringify(findings)).not.toContain('geheim')
  return Object.fromEntries(findings.map((finding) => [finding.check, finding]))
}

/** The URL of the test's database, changed. */
function changed(url: string, change: (url: URL) => void): string {
  const parsed = new URL(url)
  change(parsed)
  return parsed.href
}

test('one that is well', async () => {
  await using database = await createTestDatabase()
  const found = await examine({ DATABASE_URL: database.url })
  expect(Object.values(found).map(({ check, status }) => `${check} ${status}`)).toEqual([
    'database ok',
    'migrations ok',
    'clock ok',
  ])
  expect(found.database!.message).toMatch(/^PostgreSQL \d+\.\d+ answers at postgresql:\/\/localhost\//)
})

test.for([
  ['refuses', freePort, /ECONNREFUSED/, 'see that PostgreSQL runs there, or correct DATABASE_URL'],
  ['hangs', hangingPort, /timeout/i, /^see whether PostgreSQL itself listens there/],
] as const)('a port that %s', async ([_, port, message, advice]) => {
  const { database } = await examine({ DATABASE_URL: `postgresql://me:geheim@127.0.0.1:${await port()}/x` })
  expect(database).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(message),
    advice: expect.stringMatching(advice),
  })
})

test('a wrong password, a wrong user, and a database that is not there', async () => {
  await using database = await createTestDatabase()
  const refused = (url: string) => examine({ DATABASE_URL: url }).then((found) => found.database)
  expect(
    await refused(
      changed(database.url, (url) => {
        url.password = 'geheim'
      }),
    ),
  ).toMatchObject({ status: 'failure', advice: 'correct the password in DATABASE_URL' })
  expect(
    await refused(
      changed(database.url, (url) => {
        url.username = 'nobody_at_all'
      }),
    ),
  ).toMatchObject({ status: 'failure', advice: expect.stringMatching(/^correct the (user|password) in/) })
  expect(
    await refused(
      changed(database.url, (url) => {
        url.pathname = '/not_there'
      }),
    ),
  ).toMatchObject({ status: 'failure', advice: 'create that database, or correct its name in DATABASE_URL' })
})

test('one that takes no writes', async () => {
  await using database = await createTestDatabase()
  const name = new URL(database.url).pathname.slice(1)
  await database.rows(`ALTER DATABASE ${name} SET default_transaction_read_only = on`)
  expect((await examine({ DATABASE_URL: database.url })).database).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/^the database takes no writes/),
  })
})

test('one that is too old', () => {
  const vitals = { version: 140_012, applied: [], mayCreate: true, readOnly: false, clockAheadMs: 0 }
  expect(checkVitals(vitals, '')).toMatchObject({
    message: 'the database is PostgreSQL 14.12, which is too old',
  })
  expect(checkVitals({ ...vitals, version: 150_000 }, 'fine')).toMatchObject({
    status: 'ok',
    message: 'fine',
  })
})

test('migrations that are due, that may not be applied, and that are of a newer version', async () => {
  await using database = await createTestDatabase()
  await database.rows(`INSERT INTO schema_migrations (name) VALUES ('9999-from-the-future')`)
  expect((await examine({ DATABASE_URL: database.url })).migrations).toMatchObject({
    status: 'failure',
    message: 'the database was migrated by a newer release of Taskwire: 9999-from-the-future',
  })
  await database.rows(`DROP SCHEMA public CASCADE`)
  expect((await examine({ DATABASE_URL: database.url })).migrations).toMatchObject({
    status: 'failure',
    advice: expect.stringMatching(/^run GRANT CREATE/),
  })
  await database.rows(`CREATE SCHEMA public`)
  expect((await examine({ DATABASE_URL: database.url })).migrations).toMatchObject({ status: 'warning' })
})

test('a role that may use what is there, but make nothing', async () => {
  await using database = await createTestDatabase()
  // The superuser of the embedded PostgreSQL has the password of the owner.
  const superuser = changed(inject('adminUrl'), (url) => {
    url.username = 'postgres'
  })
  const admin = new pg.Client({ connectionString: superuser })
  await admin.connect()
  const role = `taskwire_guest_${process.pid}`
  await admin.query(`CREATE ROLE ${role} LOGIN PASSWORD 'geheim'`)
  onTestFinished(async () => {
    await admin.query(`DROP ROLE ${role}`)
    await admin.end()
  })
  await database.rows(`DELETE FROM schema_migrations WHERE name LIKE '0002-%'`)
  const url = changed(database.url, (url) => {
    url.username = role
    url.password = 'geheim'
  })
  // It may not even see which are applied.
  expect((await examine({ DATABASE_URL: url })).database).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/permission denied for table schema_migrations/),
  })
  await database.rows(`GRANT SELECT ON schema_migrations TO ${role}`)
  expect((await examine({ DATABASE_URL: url })).migrations).toMatchObject({
    status: 'failure',
    message: '1 migrations are due, and the user in DATABASE_URL may not make tables',
  })
})

test('clocks that are apart, and one that cannot be right', async () => {
  await using database = await createTestDatabase()
  const settings = { DATABASE_URL: database.url }
  const apart = async (milliseconds: number) =>
    (await examine(settings, () => Date.now() - milliseconds)).clock!
  expect(await apart(10_000)).toMatchObject({
    status: 'warning',
    message: "the clock of the database is 10 s ahead of this machine's",
  })
  expect(await apart(-120_000)).toMatchObject({
    status: 'failure',
    message: "the clock of the database is 120 s behind this machine's",
  })
  expect(checkClock(0)).toMatchObject({
    status: 'failure',
    message: 'the clock of this machine stands at 1970-01-01T00:00:00.000Z',
  })
})

test('the embedded one: not made, of a server that runs, of none that runs, and one that does not start', async () => {
  const dataDir = dataFolder()
  const settings = { DATA_DIR: dataDir }
  expect((await examine(settings)).database).toMatchObject({
    status: 'ok',
    message: `there is none in DATA_DIR ${dataDir} yet; the first start makes it`,
  })
  const { postgres } = await start(dataDir)
  const { pid } = postgres
  const running = await examine(settings)
  expect(running.database).toMatchObject({
    status: 'ok',
    message: expect.stringMatching(/: a server of ours runs$/),
  })
  expect(running.migrations).toMatchObject({ status: 'warning' })
  await migrate(postgres.connection)
  expect((await examine(settings)).migrations).toMatchObject({ status: 'ok' })
  expect(postgres.pid).toBe(pid)
  await postgres.stop()
  const stopped = await examine(settings)
  expect(stopped.database).toMatchObject({
    status: 'ok',
    message: expect.stringMatching(/and stopped again$/),
  })
  expect(stopped.migrations).toMatchObject({ status: 'ok' })
  appendFileSync(join(dataDir, 'postgres/postgresql.conf'), 'nonsense = 1\n')
  expect((await examine(settings)).database).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/unrecognized configuration parameter "nonsense"/),
  })
})

test('a link to a cluster that is gone, and a folder that is none', async () => {
  const dataDir = dataFolder()
  mkdirSync(dataDir)
  symlinkSync('/nonexistent/postgres', join(dataDir, 'postgres'))
  expect((await examine({ DATA_DIR: dataDir })).database).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/links to a folder that is missing; bring that folder back/),
  })
  rmSync(join(dataDir, 'postgres'))
  mkdirSync(join(dataDir, 'postgres'))
  writeFileSync(join(dataDir, 'postgres/diary.txt'), 'mine')
  expect((await examine({ DATA_DIR: dataDir })).database).toMatchObject({
    status: 'failure',
    message: expect.stringMatching(/is not empty and not a PostgreSQL cluster; move it away/),
  })
})
