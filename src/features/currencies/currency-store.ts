import { PUBLIC_AUDIENCE } from '../../events/audience.ts'
import type { Queryable } from '../../platform/database/database.ts'
import type { CurrencyKey, CurrencyRow } from './currency.ts'
import { SNAPSHOT } from './currency-events.ts'

export interface NewCurrency {
  code: string
  /** A decimal number as text. */
  rate: string
  nominal: number
  name: string | null
}

/** The fields to change: `undefined` leaves a field, `null` clears it. */
export interface CurrencyChanges {
  rate?: string | undefined
  nominal?: number | undefined
  name?: string | null | undefined
}

/** A row as it stands after the statement, and whether the statement changed it. */
export type CurrencyOutcome = CurrencyRow & { changed: boolean }

const COLUMNS = 'c.id, c.code, c.rate, c.nominal, c.name, c.source, c.rated_at, c.version'
// Every statement that changes a currency also inserts its event and its rate, in one round trip.

/** A currency by hand; undefined when the code is taken. */
export async function insertCurrency(
  db: Queryable,
  { code, rate, nominal, name }: NewCurrency,
): Promise<CurrencyRow | undefined> {
  const { rows } = await db.query<CurrencyRow & object>({
    text: `
      WITH c AS (
        INSERT INTO currencies (code, rate, nominal, name, source, rated_at)
        VALUES ($1, trim_scale($2::numeric), $3, $4, 'manual', clock_timestamp())
        ON CONFLICT (code) DO NOTHING RETURNING *
      ), noted AS (
        INSERT INTO currency_rates (currency_id, at, source, rate) SELECT id, rated_at, source, rate FROM c
      ), event AS (
        INSERT INTO events (type, audience, data) SELECT 'currency_created', ${PUBLIC_AUDIENCE}, ${SNAPSHOT} FROM c
      )
      SELECT ${COLUMNS} FROM c`,
    values: [code, rate, nominal, name],
  })
  return rows[0]
}

export async function findCurrency(db: Queryable, key: CurrencyKey): Promise<CurrencyRow | undefined> {
  const { rows } = await db.query<CurrencyRow & object>({
    name: 'currency-find',
    read: 'quick',
    text: `SELECT ${COLUMNS} FROM currencies c WHERE c.code = $1 OR c.id = $2`,
    values: [key.code, key.id],
  })
  return rows[0]
}

/** Whether there is any currency. */
export async function hasCurrencies(db: Queryable): Promise<boolean> {
  const { rows } = await db.query<{ found: boolean }>({
    name: 'currency-any',
    read: 'quick',
    text: 'SELECT EXISTS (SELECT FROM currencies) AS found',
  })
  return rows[0]!.found
}

/** A page in the order of codes, and how many there are in all. */
export async function listCurrencies(
  db: Queryable,
  { skip, limit }: { skip: number; limit: number },
): Promise<{ rows: CurrencyRow[]; total: number }> {
  const [page, counted] = await Promise.all([
    db.query<CurrencyRow & object>({
      name: 'currency-list',
      text: `SELECT ${COLUMNS} FROM currencies c ORDER BY c.code LIMIT $1 OFFSET $2`,
      values: [limit, skip],
    }),
    db.query<{ total: number }>({ name: 'currency-count', text: 'SELECT count(*) AS total FROM currencies' }),
  ])
  return { rows: page.rows, total: counted.rows[0]!.total }
}

/**
 * Changes a currency by hand, if it differs and is of one of these versions. A rate that changes is
 * a person's from now on; a change without effect writes no row and no event.
 */
export function updateCurrency(
  db: Queryable,
  key: CurrencyKey,
  { rate, nominal, name }: CurrencyChanges,
  versions: number[] | undefined,
): Promise<CurrencyOutcome | undefined> {
  const statement = `
    after AS (
      SELECT id,
        coalesce(trim_scale($4::numeric), rate) AS rate,
        coalesce($5, nominal) AS nominal,
        CASE WHEN $6 THEN $7 ELSE name END AS name
      FROM before WHERE $3::integer[] IS NULL OR version = ANY ($3)
    ), c AS (
      UPDATE currencies SET rate = after.rate, nominal = after.nominal, name = after.name,
        source = CASE WHEN after.rate <> before.rate THEN 'manual' ELSE before.source END,
        rated_at = CASE WHEN after.rate <> before.rate THEN clock_timestamp() ELSE before.rated_at END,
        version = before.version + 1
      FROM after JOIN before USING (id)
      WHERE currencies.id = after.id
        AND (after.rate, after.nominal, after.name) IS DISTINCT FROM (before.rate, before.nominal, before.name)
      RETURNING currencies.*
    ), noted AS (
      INSERT INTO currency_rates (currency_id, at, source, rate)
      SELECT c.id, c.rated_at, c.source, c.rate FROM c JOIN before USING (id) WHERE c.rate <> before.rate
      ON CONFLICT (currency_id, at, source) DO UPDATE SET rate = excluded.rate
    ), event AS (
      INSERT INTO events (type, audience, data) SELECT 'currency_updated', ${PUBLIC_AUDIENCE}, ${SNAPSHOT} FROM c
    )`
  const values = [rate ?? null, nominal ?? null, name !== undefined, name ?? null]
  return change(db, key, versions, statement, values)
}

/** Removes a currency with its history, if it is of one of these versions. */
export function deleteCurrency(
  db: Queryable,
  key: CurrencyKey,
  versions: number[] | undefined,
): Promise<CurrencyOutcome | undefined> {
  const statement = `
    c AS (
      DELETE FROM currencies USING before
      WHERE currencies.id = before.id AND ($3::integer[] IS NULL OR before.version = ANY ($3))
      RETURNING currencies.*
    ), event AS (
      INSERT INTO events (type, audience, data) SELECT 'currency_deleted', ${PUBLIC_AUDIENCE}, ${SNAPSHOT} FROM c
    )`
  return change(db, key, versions, statement)
}

/**
 * Runs a statement of CTEs of which `c` is the changed row. As with tasks, `before` takes the lock and
 * the latest version, from which everything is to be derived; $3 is the versions, `values` are $4 and on.
 */
async function change(
  db: Queryable,
  { code, id }: CurrencyKey,
  versions: number[] | undefined,
  statement: string,
  values: unknown[] = [],
): Promise<CurrencyOutcome | undefined> {
  const { rows } = await db.query<CurrencyOutcome & object>({
    text: `
      WITH before AS (
        SELECT * FROM currencies WHERE code = $1 OR id = $2 FOR UPDATE
      ), ${statement}
      SELECT ${COLUMNS}, true AS changed FROM c
      UNION ALL
      SELECT ${COLUMNS}, false FROM before c WHERE NOT EXISTS (SELECT FROM c)`,
    values: [code, id, versions ?? null, ...values],
  })
  return rows[0]
}
