import { run } from './postgres.ts'

/** Words that many tasks have, from the commonest on; the others are made up, and ever rarer. */
export const COMMON = [
  'отчёт',
  'report',
  'клиент',
  'budget',
  'договор',
  'server',
  'склад',
  'invoice',
  'встреча',
  'review',
]
const WORDS = 20_000
const USERS = 1000

/**
 * Fills `tasks` with `count` tasks of 1,000 users over two years, the same each time: some 5 words of
 * title and, of most, 12 of description, frequent ones and rare ones as in real text; one of
 * 97 is in the trash, of every user some.
 */
export async function fillTasks(url: string, count: number): Promise<void> {
  const indexes = await run<{ name: string; definition: string }>(
    url,
    `SELECT indexrelid::regclass::text AS name, pg_get_indexdef(indexrelid) AS definition
     FROM pg_index WHERE indrelid = 'tasks'::regclass AND NOT indisprimary`,
  )
  await run(
    url,
    // Made at the end they take a fraction of the time.
    ...indexes.map(({ name }) => `DROP INDEX ${name}`),
    'SET synchronous_commit = off',
    'SELECT setseed(0.5)',
    `CREATE TEMP TABLE words AS SELECT n, coalesce((ARRAY['${COMMON.join("','")}'])[n],
       translate(to_hex(n * 7919), '0123456789', 'ghijklmnop') || (ARRAY['ation', 'ment', 'er', 'ость', 'ение'])[1 + n % 5]) AS word
     FROM generate_series(1, ${WORDS}) n`,
    'CREATE UNIQUE INDEX ON words (n)',
    'ANALYZE words',
    // Frequencies as by Zipf's law, about: the logarithm of the place is even.
    `CREATE TEMP TABLE texts AS SELECT i, (
       SELECT string_agg(word, ' ') FROM (SELECT floor(exp(random() * ln(${WORDS})))::integer AS n FROM generate_series(1, 17) WHERE i > 0) d JOIN words USING (n)
     ) AS text FROM generate_series(1, 20000) i`,
    'CREATE UNIQUE INDEX ON texts (i)',
    'ANALYZE texts',
    `INSERT INTO tasks (title, description, status, city, user_id, priority, due_at, labels, created_at, updated_at, deleted_at)
     SELECT split_part(title, ' ', 1) || ' ' || split_part(title, ' ', 2) || ' ' || split_part(title, ' ', 3) || ' ' || i,
       CASE WHEN i % 10 < 7 THEN description END,
       CASE WHEN a < 0.45 THEN 'todo' WHEN a < 0.55 THEN 'in_progress' WHEN a < 0.995 THEN 'done' ELSE 'failed' END,
       CASE WHEN b < 0.3 THEN 'City ' || i * 7 % 20 END, 1 + i * 7919::bigint % ${USERS},
       (ARRAY['none', 'none', 'none', 'low', 'medium', 'medium', 'high', 'urgent'])[1 + i % 8]::task_priority,
       CASE WHEN c < 0.4 THEN timestamptz '2024-01-01Z' + b * interval '700 days' END,
       CASE WHEN c > 0.7 THEN ARRAY['label ' || floor(50 * a * b)] ELSE '{}' END,
       timestamptz '2024-01-01Z' + i * (interval '700 days' / ${count}) + a * interval '1 hour',
       CASE WHEN b < 0.6 THEN timestamptz '2024-01-01Z' + c * interval '700 days' END,
       CASE WHEN i % 97 = 0 THEN now() END
     FROM (SELECT n AS i, random() AS a, random() AS b, random() AS c FROM generate_series(1, ${count}) n) d
       JOIN (SELECT i - 1 AS t, text AS title FROM texts) t ON t = d.i % 20000
       JOIN (SELECT i - 1 AS s, text AS description FROM texts) s ON s = d.i * 31 % 19997
     ORDER BY i`,
    ...indexes.map(({ definition }) => definition),
    'VACUUM ANALYZE tasks, task_labels',
  )
}
