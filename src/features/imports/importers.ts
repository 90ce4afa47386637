import type { Config } from '../../platform/config/config.ts'
import { currencyImporter } from './currencies/index.ts'
import type { Importer } from './importer.ts'
import { todoImporter } from './todos/index.ts'

/** Returns all importers, configured by the settings. */
export function importersOf(config: Config): Importer[] {
  return [
    todoImporter({ url: config.TODO_SOURCE_URL, intervalSeconds: config.BACKGROUND_TASK_INTERVAL }),
    currencyImporter({ url: config.CBR_URL, intervalSeconds: config.CURRENCY_INTERVAL }),
  ]
}
