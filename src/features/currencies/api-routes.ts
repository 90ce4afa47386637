import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { Database } from '../../platform/database/database.ts'
import { createWriter } from '../../platform/http/idempotent-writer.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { currencyRoutes } from './currency-routes.ts'
import { createCurrencyService } from './currency-service.ts'
import { rateRoutes } from './rate-routes.ts'
import { testMessageRoutes } from './test-message-routes.ts'

/** All routes of currencies. `publish` sends a message to other services; undefined without NATS. */
export function currencyApi(deps: {
  db: Database
  changed: () => void
  publish: ((payload: string) => Promise<void>) | undefined
  log: Logger
}): FastifyPluginCallbackJsonSchemaToTs {
  const { db, changed, publish, log } = deps
  const effects = { changed, log }
  const currencies = createCurrencyService(db, effects)
  const write = createWriter({
    db,
    direct: currencies,
    on: (transaction) => createCurrencyService(transaction, effects),
    actions: ['currency.change'],
  })
  return (app, _options, done) => {
    app.register(currencyRoutes({ currencies, write }))
    app.register(rateRoutes({ currencies }))
    app.register(testMessageRoutes({ publish, log }))
    done()
  }
}
