import type { FastifyPluginCallbackJsonSchemaToTs } from '@fastify/type-provider-json-schema-to-ts'
import type { Database } from '../../platform/database/database.ts'
import { createWriter } from '../../platform/http/idempotent-writer.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { currencyRoutes } from './currency-routes.ts'
import { createCurrencyService } from './currency-service.ts'
import { rateRoutes } from './rate-routes.ts'
import { testMessageRoutes } from './test-message-routes.ts'

/** All routes of currencies; `publish` tells other services something, and is undefined where there are none. */
export function currencyApi(deps: {
  db: Database
  onChange: () => void
  publish: ((payload: string) => Promise<void>) | undefined
  log: Logger
}): FastifyPluginCallbackJsonSchemaToTs {
  const { db, onChange, publish, log } = deps
  const currencies = createCurrencyService(db, onChange)
  const write = createWriter({
    db,
    direct: currencies,
    on: (transaction) => createCurrencyService(transaction),
    onCommit: onChange,
    actions: ['currency.change'],
  })
  return (app, _options, done) => {
    app.register(currencyRoutes({ currencies, write, log }))
    app.register(rateRoutes({ currencies }))
    app.register(testMessageRoutes({ publish, log }))
    done()
  }
}
