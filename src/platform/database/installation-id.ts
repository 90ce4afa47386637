import type { Database } from './database.ts'

/** The name of what all processes on this database are together; made when it is first asked for. */
export async function installationId(db: Database): Promise<string> {
  await db.query({ text: 'INSERT INTO installation DEFAULT VALUES ON CONFLICT DO NOTHING' })
  const { rows } = await db.query<{ id: string }>({ text: 'SELECT id FROM installation' })
  return rows[0]!.id
}
