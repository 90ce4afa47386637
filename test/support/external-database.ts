import pg from 'pg'

const DEFAULT_URL = 'postgresql://postgres@127.0.0.1:5432/postgres'

/**
 * The PostgreSQL server that the suite runs on besides the embedded one: `TEST_DATABASE_URL`, or one
 * that listens on this machine. Without any, the suite says what it does not cover; with
 * `REQUIRE_SERVICES=1` that is an error.
 */
export async function externalDatabase(): Promise<{ url: string | undefined }> {
  const url = process.env.TEST_DATABASE_URL || DEFAULT_URL
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 })
  client.on('error', () => {})
  try {
    await client.connect()
    await client.query('SELECT 1')
    return { url }
  } catch (error) {
    const reason = `NOT COVERED: an external PostgreSQL (${error instanceof Error ? error.message : error}); TEST_DATABASE_URL can name one`
    if (process.env.REQUIRE_SERVICES === '1') throw new Error(reason)
    process.stderr.write(`${reason}\n`)
    return { url: undefined }
  } finally {
    await client.end().catch(() => {})
  }
}
