import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import type { TestProject } from 'vitest/node'
import { startEmbeddedPostgres } from '../../src/platform/database/embedded.ts'
import { migrate } from '../../src/platform/database/migrate.ts'
import { withDatabase } from './database-url.ts'
import { dropDatabase } from './drop-database.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** The server's maintenance database. */
    adminUrl: string
    /** A migrated database to clone. */
    template: string
  }
}

const say = (message: string) => void process.stderr.write(`${message}\n`)
const quiet = { info() {}, warn: say, error: say }

/** Makes the migrated template database that each test file clones, on the project's server. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const external = project.config.env?.TEST_DATABASE_URL
  const server = external ? { url: String(external) } : await embedded()
  const template = `taskwire_template_${process.pid}`
  await run(server.url, `DROP DATABASE IF EXISTS ${template}`, `CREATE DATABASE ${template}`)
  await migrate({ connectionString: withDatabase(server.url, template) })
  project.provide('adminUrl', server.url)
  project.provide('template', template)
  return async () => {
    await dropDatabase((statement) => run(server.url, statement), template)
    if ('stop' in server) await server.stop()
  }
}

async function embedded(): Promise<{ url: string; stop: () => Promise<void> }> {
  const dataDir = await mkdtemp(join(tmpdir(), 'taskwire-test-'))
  // Servers of several processes are started on it, by two test files at a time.
  const postgres = await startEmbeddedPostgres({ dataDir, log: quiet, connections: 300 })
  const { host, port, user, password, database } = postgres.connection
  const url = `postgresql://${user}:${encodeURIComponent(password)}@localhost/${database}?host=${encodeURIComponent(host)}&port=${port}`
  const stop = async () => {
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
  return { url, stop }
}

async function run(url: string, ...statements: string[]): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (const statement of statements) await client.query(statement)
  await client.end()
}
