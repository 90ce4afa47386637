import { type Actor, type Caller, caller } from '../../core/actor.ts'
import { authorize } from '../../core/authorization.ts'
import { DomainError, validationError } from '../../core/errors.ts'
import type { Database, Transaction } from '../../platform/database/database.ts'
import type { Period } from '../../platform/http/period.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { type Conversion, convert } from './conversion.ts'
import { BASE, type CurrencyRow, currencyKey } from './currency.ts'
import type { RemoteRate } from './currency-message.ts'
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
import { insertRemoteRate } from './remote-rate.ts'

interface Page {
  skip: number
  limit: number
}

/** `key` is a code or an id. `versions` are those that If-Match names; undefined means no precondition. */
export interface CurrencyService {
  list(actor: Actor, page: Page): Promise<{ rows: CurrencyRow[]; total: number }>
  get(actor: Actor, key: string): Promise<CurrencyRow>
  create(by: Caller, input: CreateCurrency): Promise<CurrencyRow>
  patch(by: Caller, key: string, input: PatchCurrency, versions?: number[]): Promise<CurrencyOutcome>
  remove(by: Caller, key: string, versions?: number[]): Promise<CurrencyRow>
  /**
   * Takes a rate that another service published, in one statement with its event and history. Returns false for a
   * message whose `key` was taken before. Publishing to the subject is all the permission that it needs.
   */
  takeRemote(rate: RemoteRate, key: string | undefined): Promise<boolean>
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

/** The effects that run after the commit of a change to currencies; an absent one is skipped. */
export interface CurrencyEffects {
  /** Wakes the relay. */
  changed?: () => void
  log?: Logger
}

/** The rules of currencies, on a database or on a transaction of it. Effects follow the commit of either. */
export function createCurrencyService(
  db: Database | Transaction,
  { changed, log }: CurrencyEffects = {},
): CurrencyService {
  function published(message: string, fields: object): void {
    if (changed) db.afterCommit(() => changed())
    if (log) db.afterCommit(() => log.info(fields, message))
  }

  async function find(key: string): Promise<CurrencyRow> {
    return found(key, await findCurrency(db, currencyKey(key)))
  }

  async function found<T>(key: string, row: T | undefined): Promise<T> {
    if (row === undefined) throw await missing(`Currency ${key} does not exist.`)
    return row
  }

  /** Returns a 404. Its text names the reason if no rates were imported at all. */
  async function missing(detail: string): Promise<DomainError> {
    const none = 'There are no rates yet. Import them first; GET /importers shows when that happens.'
    return new DomainError('not-found', (await hasCurrencies(db)) ? detail : none)
  }

  /** Returns the currency as the change left it; throws if it is at none of the versions. */
  async function outcome(
    key: string,
    row: CurrencyOutcome | undefined,
    versions: number[] | undefined,
  ): Promise<CurrencyOutcome> {
    const after = await found(key, row)
    if (!after.changed && versions && !versions.includes(after.version)) throw stale(after)
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
    async create(by, input) {
      authorize(by.actor, 'currency.change')
      const { currency: code, rate, nominal = 1, name = null } = input
      if (code === BASE) {
        const message = `must not be ${BASE}, because rates are given in it`
        throw validationError([{ path: 'body.currency', message }])
      }
      const row = await insertCurrency(db, { code, rate: String(rate), nominal, name })
      if (!row) throw new DomainError('conflict', `Currency ${code} exists already; change it with PATCH.`)
      published('currency created', { ...caller(by), currency: code })
      return row
    },
    async patch(by, key, input, versions) {
      authorize(by.actor, 'currency.change')
      const { rate, nominal, name } = input
      const changes = { rate: rate === undefined ? undefined : String(rate), nominal, name }
      const row = await outcome(key, await updateCurrency(db, currencyKey(key), changes, versions), versions)
      if (row.changed) {
        published('currency updated', { ...caller(by), currency: row.code, fields: Object.keys(input) })
      }
      return row
    },
    async remove(by, key, versions) {
      authorize(by.actor, 'currency.change')
      const row = await outcome(key, await deleteCurrency(db, currencyKey(key), versions), versions)
      published('currency deleted', { ...caller(by), currency: row.code })
      return row
    },
    async takeRemote(rate, key) {
      const isNew = await insertRemoteRate(db, rate, key)
      if (isNew) published('currency rate received', { currency: rate.code, message: key })
      return isNew
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
  return new DomainError(
    'precondition-failed',
    `Currency ${code} is at version ${version} now; read it again.`,
  )
}
