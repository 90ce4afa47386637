import { lstatSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { errorText } from '../../core/errors.ts'
import { withoutCredentials } from '../../core/redacted-url.ts'
import type { Config } from '../../platform/config/config.ts'
import { startEmbeddedPostgres } from '../../platform/database/embedded.ts'
import { embeddedPackage } from '../../platform/database/embedded-binaries.ts'
import { connectEmbedded } from '../../platform/database/embedded-running.ts'
import { migrationNames } from '../../platform/database/migrate.ts'
import { probeDatabase, type Vitals } from '../../platform/database/probe.ts'
import { checkClock } from './clock.ts'
import { adviceFor, type Finding, failure, ok, PATIENCE_MS, warning } from './finding.ts'
import { silent } from './silent.ts'

const OLDEST_MAJOR = 15

/** The database, its schema and its clock. */
export function checkDatabase(config: Config, now: () => number): Promise<Finding[]> {
  return config.DATABASE_URL ? checkServer(config.DATABASE_URL, now) : checkEmbedded(config.DATA_DIR, now)
}

async function checkServer(connectionString: string, now: () => number): Promise<Finding[]> {
  const name = withoutCredentials(connectionString)
  try {
    const vitals = await probeDatabase({ connectionString }, PATIENCE_MS, now)
    return [
      checkVitals(vitals, `PostgreSQL ${shownVersion(vitals.version)} answers at ${name}`),
      checkMigrations(vitals),
      checkClock(now(), vitals.clockAheadMs),
    ]
  } catch (error) {
    const message = `the database at ${name} cannot be used: ${errorText(error)}`
    return [failure('database', message, databaseAdvice(error)), checkClock(now())]
  }
}

/**
 * Checks the embedded database. If a server runs, its PostgreSQL is asked. Otherwise PostgreSQL is started for the
 * check, because the reason why it cannot start is what the operator needs. A cluster that does not exist is not created.
 */
async function checkEmbedded(dataDir: string, now: () => number): Promise<Finding[]> {
  try {
    if (!isMade(dataDir)) {
      embeddedPackage()
      return [
        ok('database', `there is none in DATA_DIR ${dataDir} yet; the first start makes it`),
        checkClock(now()),
      ]
    }
    const options = { dataDir, log: silent }
    const running = await connectEmbedded(options)
    await using started = running ? undefined : await startEmbeddedPostgres(options)
    const vitals = await probeDatabase(running ?? started!.connection, PATIENCE_MS, now)
    const state = running
      ? 'a server of ours runs'
      : 'no server is running; PostgreSQL was started for this check and stopped again'
    return [
      checkVitals(vitals, `embedded PostgreSQL ${shownVersion(vitals.version)} in ${dataDir}: ${state}`),
      checkMigrations(vitals),
      checkClock(now()),
    ]
  } catch (error) {
    // The message is one of a failing start: it says what to do.
    const advice = `see also ${join(dataDir, 'postgres.log')}`
    return [failure('database', errorText(error), advice), checkClock(now())]
  }
}

function isMade(dataDir: string): boolean {
  const cluster = join(dataDir, 'postgres')
  if (!lstatSync(cluster, { throwIfNoEntry: false })) return false
  try {
    return readdirSync(cluster).length > 0
  } catch {
    return true // A start says what is wrong with it.
  }
}

/** Whether what has answered is a PostgreSQL that we can work with. */
export function checkVitals({ version, readOnly }: Vitals, message: string): Finding {
  if (version < OLDEST_MAJOR * 10_000) {
    return failure(
      'database',
      `the database is PostgreSQL ${shownVersion(version)}, which is too old`,
      `upgrade it to ${OLDEST_MAJOR} or newer`,
    )
  }
  if (readOnly) {
    return failure(
      'database',
      'the database takes no writes: it is a standby, or default_transaction_read_only is on',
      'name the primary in DATABASE_URL',
    )
  }
  return ok('database', message)
}

function checkMigrations({ applied, mayCreate }: Vitals): Finding {
  const known = migrationNames()
  const unknown = applied.filter((name) => !known.includes(name))
  const pending = known.filter((name) => !applied.includes(name))
  if (unknown.length > 0) {
    return failure(
      'migrations',
      `the database was migrated by a newer release of Taskwire: ${unknown.join(', ')}`,
      'run that version; a database does not go back',
    )
  }
  if (pending.length === 0) return ok('migrations', `the schema is up to date (${known.at(-1)})`)
  if (!mayCreate) {
    return failure(
      'migrations',
      `${pending.length} migrations are due, and the user in DATABASE_URL may not make tables`,
      'run GRANT CREATE, USAGE ON SCHEMA public TO that user, or make it the owner of the database',
    )
  }
  return warning(
    'migrations',
    `${pending.length} of ${known.length} migrations are due`,
    'they are applied by the next start, or now by taskwire migrate',
  )
}

function shownVersion(version: number): string {
  return `${Math.floor(version / 10_000)}.${version % 10_000}`
}

const advices: Record<string, string> = {
  '28P01': 'correct the password in DATABASE_URL',
  '28000': 'correct the user in DATABASE_URL, or let it in by pg_hba.conf',
  '3D000': 'create that database, or correct its name in DATABASE_URL',
  '53300': 'raise max_connections of PostgreSQL, or run fewer processes',
  '42501': 'let the user in DATABASE_URL read the schema, or make it the owner of the database',
}

function databaseAdvice(error: unknown): string {
  const { code = '' } = error as { code?: string }
  return advices[code] ?? adviceFor(error, 'PostgreSQL', 'DATABASE_URL')
}
