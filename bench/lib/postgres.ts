import pg from 'pg'
import { startEmbeddedPostgres } from '../../src/platform/database/embedded.ts'
import { migrate } from '../../src/platform/database/migrate.ts'
import type { Options } from './options.ts'
import { temporaryFolder } from './temporary-folder.ts'

const DEFAULT_URL = 'postgresql://postgres@127.0.0.1:5432/postgres'

/** A PostgreSQL server on which a bench has databases of its own, dropped in the end. */
export interface Postgres extends AsyncDisposable {
  version: string
  /** Makes a database and returns its URL; a template must have no connection. */
  create(name: string, template?: string): Promise<string>
  /** Makes a migrated database. */
  createMigrated(name: string): Promise<string>
  drop(name: string): Promise<void>
}

/** Runs statements on a connection of their own; the rows of the last one are returned. */
export async function run<T extends object>(url: string, ...statements: string[]): Promise<T[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    let rows: T[] = []
    for (const statement of statements) rows = (await client.query<T>(statement)).rows
    return rows
  } finally {
    await client.end()
  }
}

export async function openPostgres({ embedded }: Pick<Options, 'embedded'>): Promise<Postgres> {
  const server = embedded ? await startOwn() : { url: process.env.DATABASE_URL || DEFAULT_URL }
  const full = (name: string) => `taskwire_bench_${process.pid}_${name}`
  const made = new Set<string>()
  const drop = async (name: string) => {
    await run(server.url, `DROP DATABASE IF EXISTS ${full(name)} WITH (FORCE)`)
    made.delete(name)
  }
  const create = async (name: string, template?: string) => {
    made.add(name)
    await run(server.url, `CREATE DATABASE ${full(name)} ${template ? `TEMPLATE ${full(template)}` : ''}`)
    return withDatabase(server.url, full(name))
  }
  const [version] = await run<{ server_version: string }>(server.url, 'SHOW server_version')
  return {
    version: `${version!.server_version}${embedded ? ', embedded' : ''}`,
    create,
    drop,
    async createMigrated(name) {
      const url = await create(name)
      await migrate({ connectionString: url })
      return url
    },
    async [Symbol.asyncDispose]() {
      for (const name of made) await drop(name)
      await server.stop?.()
    },
  }
}

interface Started {
  url: string
  stop?: () => Promise<void>
}

async function startOwn(): Promise<Started> {
  const folder = await temporaryFolder()
  const complain = (message: string) => void process.stderr.write(`${message}\n`)
  const postgres = await startEmbeddedPostgres({
    dataDir: folder.path,
    log: { info() {}, warn: complain, error: complain },
  })
  const { host, port, user, password, database } = postgres.connection
  return {
    url: `postgresql://${user}:${encodeURIComponent(password)}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`,
    async stop() {
      await postgres.stop()
      await folder[Symbol.asyncDispose]()
    },
  }
}

function withDatabase(url: string, database: string): string {
  return url.replace(/^(\w+:\/\/[^/]*\/)[^?]*/, `$1${database}`)
}
