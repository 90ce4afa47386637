import { PUBLIC_AUDIENCE } from '../../../events/audience.ts'
import type { Queryable } from '../../../platform/database/database.ts'
import type { ImportCounts } from '../importer.ts'
import type { CbrFile } from './cbr-file.ts'

/** `currencies.source` of an official rate. */
const SOURCE = 'cbr'

/**
 * Brings the currencies up to what the bank says, with their history and events, in one statement.
 *
 * What the bank said last of each is remembered, and only what it has not said before is taken: a rate
 * of a later day, or another one for the same day. So a file that has not changed writes no row, a rate
 * that was set by hand holds until there is a new official one, a name that was changed by hand stays,
 * and a currency that was deleted does not come back. A file of an earlier day changes nothing.
 */
export async function saveRates(db: Queryable, file: CbrFile): Promise<ImportCounts> {
  const { rows } = await db.query<{ created: number; updated: number }>({
    text: SAVE,
    values: valuesOf(file),
  })
  const { created, updated } = rows[0]!
  return { created, updated, skipped: file.rates.length - created - updated }
}

/** Adds the rates of a day to the history of the currencies that there are, and notes that the day was asked for. */
export async function saveDay(db: Queryable, file: CbrFile, day: string): Promise<number> {
  const { rowCount } = await db.query({
    text: `
      WITH ${INCOMING}, asked AS (
        INSERT INTO currency_days (day) VALUES ($6::date) ON CONFLICT DO NOTHING
      )
      INSERT INTO currency_rates (currency_id, at, source, rate)
      SELECT c.id, i.at, '${SOURCE}', i.rate FROM incoming i JOIN currencies c USING (code)
      ON CONFLICT DO NOTHING`,
    values: [...valuesOf(file), day],
  })
  return rowCount ?? 0
}

/** The latest of the `days` days before today that were not asked for yet; undefined when there is none. */
export async function nextMissingDay(db: Queryable, days: number): Promise<string | undefined> {
  const { rows } = await db.query<{ day: string }>({
    text: `
      SELECT to_char(d, 'YYYY-MM-DD') AS day
      FROM generate_series(current_date - $1::integer, current_date - 1, interval '1 day') d
      WHERE NOT EXISTS (SELECT FROM currency_days WHERE day = d) ORDER BY d DESC LIMIT 1`,
    values: [days],
  })
  return rows[0]?.day
}

/** Whether any rates were imported yet. */
export async function hasRates(db: Queryable): Promise<boolean> {
  const { rows } = await db.query({ text: 'SELECT FROM imported_currencies LIMIT 1' })
  return rows.length > 0
}

function valuesOf({ date, rates }: CbrFile): unknown[] {
  return [
    date,
    rates.map(({ code }) => code),
    rates.map(({ name }) => name),
    rates.map(({ nominal }) => nominal),
    rates.map(({ value }) => value),
  ]
}

// A quotient has at least the scale of its operands: with 20 decimals every value of the bank is exact
// for every nominal of which 10000 is a multiple, and rounded for others.
const INCOMING = `
incoming AS (
  SELECT code, name, nominal, $1::date AS date, $1::timestamp AT TIME ZONE 'UTC' AS at,
    trim_scale(round(round(value, 20) / nominal, 20)) AS rate
  FROM unnest($2::text[], $3::text[], $4::integer[], $5::numeric[]) AS i (code, name, nominal, value)
)`

const SAVE = `
WITH ${INCOMING}, news AS (
  SELECT i.*, k.code AS known_code, k.name AS known_name,
    k.code IS NULL OR i.date > k.date OR (i.rate, i.nominal) IS DISTINCT FROM (k.rate, k.nominal) AS is_rate_new
  FROM incoming i LEFT JOIN imported_currencies k USING (code)
  WHERE k.code IS NULL OR i.date > k.date
    OR (i.date = k.date AND (i.rate, i.nominal, i.name) IS DISTINCT FROM (k.rate, k.nominal, k.name))
), present AS (
  SELECT c.* FROM currencies c JOIN news n USING (code) ORDER BY c.code FOR UPDATE OF c
), taken AS (
  -- What the bank said before its rates were imported for the first time is nothing new.
  SELECT p.id, n.is_rate_new AND (n.known_code IS NOT NULL OR p.rated_at <= n.at) AS is_taken
  FROM present p JOIN news n USING (code)
), merged AS (
  SELECT p.id,
    CASE WHEN is_taken THEN n.rate ELSE p.rate END AS rate,
    CASE WHEN is_taken THEN n.nominal ELSE p.nominal END AS nominal,
    CASE WHEN is_taken THEN n.at ELSE p.rated_at END AS rated_at,
    CASE WHEN is_taken THEN '${SOURCE}' ELSE p.source END AS source,
    -- A name is a person's when it is not what the bank said last.
    CASE WHEN p.name IS NULL OR p.name = n.known_name THEN n.name ELSE p.name END AS name
  FROM present p JOIN taken USING (id) JOIN news n USING (code)
), updated AS (
  UPDATE currencies c SET rate = m.rate, nominal = m.nominal, rated_at = m.rated_at, source = m.source,
    name = m.name, version = p.version + 1
  FROM merged m JOIN present p USING (id)
  WHERE c.id = m.id AND (m.rate, m.nominal, m.rated_at, m.source, m.name)
    IS DISTINCT FROM (p.rate, p.nominal, p.rated_at, p.source, p.name)
  RETURNING c.*
), created AS (
  INSERT INTO currencies (code, rate, nominal, name, source, rated_at)
  SELECT n.code, n.rate, n.nominal, n.name, '${SOURCE}', n.at FROM news n
  WHERE NOT EXISTS (SELECT FROM imported_currencies k WHERE k.code = n.code)
    AND NOT EXISTS (SELECT FROM present p WHERE p.code = n.code)
  ON CONFLICT (code) DO NOTHING RETURNING *
), noted AS (
  INSERT INTO currency_rates (currency_id, at, source, rate)
  SELECT id, at, '${SOURCE}', n.rate
  FROM (SELECT id, code FROM created UNION ALL SELECT id, code FROM present) c JOIN news n USING (code)
  WHERE is_rate_new
  ON CONFLICT (currency_id, at, source) DO UPDATE SET rate = excluded.rate
), remembered AS (
  INSERT INTO imported_currencies (code, date, rate, nominal, name)
  SELECT code, date, rate, nominal, name FROM news
  ON CONFLICT (code) DO UPDATE
  SET date = excluded.date, rate = excluded.rate, nominal = excluded.nominal, name = excluded.name
), asked AS (
  INSERT INTO currency_days (day) VALUES ($1::date) ON CONFLICT DO NOTHING
), told AS (
  INSERT INTO events (type, audience, data)
  SELECT type, ${PUBLIC_AUDIENCE}, json_build_object('row', row, 'rate', rate) FROM (
    SELECT 'currency_created' AS type, code, row_to_json(c) AS row, rate::text FROM created c
    UNION ALL
    SELECT 'currency_updated', code, row_to_json(u), rate::text FROM updated u
  ) e ORDER BY code
)
SELECT (SELECT count(*) FROM created) AS created, (SELECT count(*) FROM updated) AS updated`
