import { randomBytes } from 'node:crypto'
import pg from 'pg'
import { inject, onTestFinished } from 'vitest'
import { withDatabase } from './database-url.ts'
import { dropDatabase } from './drop-database.ts'

/** A connection that ends with the test. */
export async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

/** An empty database on the server of this test run; as with a new DATABASE_URL, the first start migrates it. */
export async function emptyDatabase(): Promise<string> {
  const admin = await connect(inject('adminUrl'))
  const name = `taskwire_acceptance_${randomBytes(6).toString('hex')}`
  await admin.query(`CREATE DATABASE ${name}`)
  onTestFinished(() => dropDatabase((statement) => admin.query(statement), name))
  return withDatabase(inject('adminUrl'), name)
}
