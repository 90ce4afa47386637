import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type pg from 'pg'
import { migrationNames } from '../../src/platform/database/migrate.ts'
import { connect, emptyDatabase } from './empty-database.ts'

const folder = join(import.meta.dirname, '../../src/platform/database/migrations')

/** A connection to a database as it was before a migration, and what applies that and all later ones. */
export async function databaseBefore(
  migration: string,
): Promise<{ client: pg.Client; upgrade: () => Promise<void> }> {
  const client = await connect(await emptyDatabase())
  const apply = async (names: string[]) => {
    for (const name of names) await client.query(readFileSync(join(folder, `${name}.sql`), 'utf8'))
  }
  const names = migrationNames()
  const place = names.indexOf(migration)
  await apply(names.slice(0, place))
  return { client, upgrade: () => apply(names.slice(place)) }
}
