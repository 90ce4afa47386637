import { eventually } from './eventually.ts'

const INSUFFICIENT_PRIVILEGE = '42501'

/**
 * Drops a database and ends its connections. An autovacuum worker in it belongs to the superuser, and a test's user may
 * not terminate it; it ends soon, so the drop is retried.
 */
export async function dropDatabase(
  run: (statement: string) => Promise<unknown>,
  name: string,
): Promise<void> {
  await eventually(
    () =>
      run(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`).then(
        () => true,
        (error: { code?: string }) => {
          if (error.code === INSUFFICIENT_PRIVILEGE) return false
          throw error
        },
      ),
    `${name} is dropped`,
  )
}
