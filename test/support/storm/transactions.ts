import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'

/** Beyond this they wait for the slowest reader, so that what is tested is not one long replay. */
const AHEAD = 20_000

/**
 * Writes events by transactions of random size, some of which wait in the middle and some of which end
 * without a commit: ids are taken in one order, become visible in another, and leave gaps.
 */
export async function writeInTransactions(
  databaseUrl: string,
  options: {
    random: () => number
    isOver: () => boolean
    behind: () => number
    committed: (count: number) => void
  },
): Promise<void> {
  const { random, isOver, behind, committed } = options
  const client = new pg.Client({ connectionString: databaseUrl })
  await client.connect()
  while (!isOver()) {
    const parts = 1 + Math.floor(random() * 4)
    let count = 0
    await client.query('BEGIN')
    for (let part = 0; part < parts; part++) {
      const size = 1 + Math.floor(random() ** 3 * 150)
      await client.query(
        `INSERT INTO events (type, data)
         SELECT 'task_deleted', json_build_object('task_id', n) FROM generate_series(1, $1::int) AS n`,
        [size],
      )
      count += size
      if (random() < 0.3) await delay(random() * 20)
    }
    const keep = random() < 0.85
    await client.query(keep ? 'COMMIT' : 'ROLLBACK')
    if (keep) committed(count)
    while (behind() > AHEAD && !isOver()) await delay(10)
  }
  await client.end()
}
