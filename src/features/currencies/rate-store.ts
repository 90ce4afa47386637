import type { Queryable } from '../../platform/database/database.ts'
import type { Period } from '../../platform/http/period.ts'
import type { RateSource } from './currency.ts'

export interface RatePoint {
  timestamp: string
  /** The text of a `numeric`. */
  rate: string
  source: RateSource
}

export interface RateSeries {
  step: string
  dates: string[]
  rates: string[]
}

const IN_PERIOD = `r.currency_id = $1 AND r.at >= coalesce($2::timestamptz, '-infinity')
  AND r.at <= coalesce($3::timestamptz, 'infinity')`

/** Every rate of the period, the oldest first, and how many there are in all. */
export async function listRates(
  db: Queryable,
  currencyId: string,
  { from, to }: Period,
  { skip, limit }: { skip: number; limit: number },
): Promise<{ points: RatePoint[]; total: number }> {
  const [page, counted] = await Promise.all([
    db.query<RatePoint & object>({
      text: `SELECT r.at AS timestamp, r.rate, r.source FROM currency_rates r WHERE ${IN_PERIOD}
        ORDER BY r.at, r.source LIMIT $4 OFFSET $5`,
      values: [currencyId, from, to, limit, skip],
    }),
    db.query<{ total: number }>({
      text: `SELECT count(*) AS total FROM currency_rates r WHERE ${IN_PERIOD}`,
      values: [currencyId, from, to],
    }),
  ])
  return { points: page.rows, total: counted.rows[0]!.total }
}

/** The last rate of each day; where that is more than `points`, of each week, month or year. */
export async function rateSeries(
  db: Queryable,
  currencyId: string,
  { from, to }: Period,
  points: number,
): Promise<RateSeries> {
  const { rows } = await db.query<{ step: string; date: string; rate: string }>({
    text: `
      WITH r AS (
        SELECT r.at, r.rate FROM currency_rates r WHERE ${IN_PERIOD}
      ), width AS (
        SELECT CASE
          WHEN count(DISTINCT date_trunc('day', at)) <= $4 THEN 'day'
          WHEN count(DISTINCT date_trunc('week', at)) <= $4 THEN 'week'
          WHEN count(DISTINCT date_trunc('month', at)) <= $4 THEN 'month'
          ELSE 'year' END AS step
        FROM r
      )
      SELECT DISTINCT ON (date_trunc(step, at)) step, to_char(at, 'YYYY-MM-DD') AS date, rate
      FROM r, width ORDER BY date_trunc(step, at), at DESC`,
    values: [currencyId, from, to, points],
  })
  return {
    step: rows[0]?.step ?? 'day',
    dates: rows.map(({ date }) => date),
    rates: rows.map(({ rate }) => rate),
  }
}
