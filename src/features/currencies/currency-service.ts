import type { Actor } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Queryable } from '../../platform/database/database.ts'
import type { Period } from '../../platform/http/period.ts'
import { type Conversion, convert } from './conversion.ts'
import { BASE, type CurrencyRow, currencyKey } from './currency.ts'
import type { CreateCurrency, PatchCurrency } from './currency-schemas.ts'
import {
  type CurrencyOutcome,
  deleteCurrency,
  findCurrency,
  hasCurrencies,
  insertCurrency,
  listCurrencies,
  updateCurrency,
} from './currency-store.ts'
import { listRates, type RatePoint, type RateSeries, rateSeries } from './rate-store.ts'

interface Page {
  skip: number
  limit: number
}

/** `key` is a code or an id; `versions` is what If-Match names, undefined when there is no precondition. */
export interface CurrencyService {
  list(actor: Actor, page: Page): Promise<{ rows: CurrencyRow[]; total: number }>
  get(actor: Actor, key: string): Promise<CurrencyRow>
  create(actor: Actor, input: CreateCurrency): Promise<CurrencyRow>
  patch(actor: Actor, key: string, input: PatchCurrency, versions?: number[]): Promise<CurrencyOutcome>
  remove(actor: Actor, key: string, versions?: number[]): Promise<CurrencyRow>
  history(
    actor: Actor,
    key: string,
    period: Period,
    page: Page,
  ): Promise<{ points: RatePoint[]; total: number }>
  series(
    actor: Actor,
    key: string,
    period: Period,
    points: number,
  ): Promise<RateSeries & { currency: string }>
  convert(actor: Actor, query: { from: string; to: string; amount: string }): Promise<Conversion>
}

/**
 * The rules of currencies, on a database or on a transaction of it. `onChange` is called after each
 * write; on a transaction, leave it out and wake the stream after the commit.
 */
export function createCurrencyService(db: Queryable, onChange: () => void = () => {}): CurrencyService {
  async function find(key: string): Promise<CurrencyRow> {
    return found(key, await findCurrency(db, currencyKey(key)))
  }

  async function found<T>(key: string, row: T | undefined): Promise<T> {
    if (row === undefined) throw await missing(`There is no currency ${key}.`)
    return row
  }

  /** A 404; where there are no rates at all, the reason is not what was asked for. */
  async function missing(detail: string): Promise<DomainError> {
    const none = 'There are no rates yet: they come with the import of rates, of which GET /importers tells.'
    return new DomainError('not-found', (await hasCurrencies(db)) ? detail : none)
  }

  /** What a change made of a currency; throws when it is not of one of the versions. */
  async function outcome(
    key: string,
    row: CurrencyOutcome | undefined,
    versions: number[] | undefined,
  ): Promise<CurrencyOutcome> {
    const after = await found(key, row)
    if (after.changed) onChange()
    else if (versions && !versions.includes(after.version)) throw stale(after)
    return after
  }

  return {
    async list(actor, page) {
      authorize(actor, 'currency.read')
      return listCurrencies(db, page)
    },
    async get(actor, key) {
      authorize(actor, 'currency.read')
      return find(key)
    },
    async create(actor, { currency: code, rate, nominal = 1, name = null }) {
      authorize(actor, 'currency.change')
      if (code === BASE) {
        const message = `is what rates are given in, so ${BASE} has none`
        throw validationError([{ path: 'body.currency', message }])
      }
      const row = await insertCurrency(db, { code, rate: String(rate), nominal, name })
      if (!row)
        throw new DomainError('conflict', `There is a currency ${code} already; change it with PATCH.`)
      onChange()
      return row
    },
    async patch(actor, key, { rate, nominal, name }, versions) {
      authorize(actor, 'currency.change')
      const changes = { rate: rate === undefined ? undefined : String(rate), nominal, name }
      return outcome(key, await updateCurrency(db, currencyKey(key), changes, versions), versions)
    },
    async remove(actor, key, versions) {
      authorize(actor, 'currency.change')
      return outcome(key, await deleteCurrency(db, currencyKey(key), versions), versions)
    },
    async history(actor, key, period, page) {
      authorize(actor, 'currency.read')
      const { id } = await find(key)
      return listRates(db, id, period, page)
    },
    async series(actor, key, period, points) {
      authorize(actor, 'currency.read')
      const { id, code } = await find(key)
      return { currency: code, ...(await rateSeries(db, id, period, points)) }
    },
    async convert(actor, query) {
      authorize(actor, 'currency.read')
      const conversion = await convert(db, query)
      if (conversion) return conversion
      throw await missing(`There are no rates for both ${query.from} and ${query.to}.`)
    },
  }
}

function stale({ code, version }: CurrencyRow): DomainError {
  return new DomainError('precondition-failed', `${code} is at version ${version} by now; read it again.`)
}
