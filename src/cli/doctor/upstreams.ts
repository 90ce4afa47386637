import { errorText } from '../../core/errors.ts'
import { type Importer, importersOf } from '../../features/imports/index.ts'
import type { Config } from '../../platform/config/config.ts'
import { adviceFor, type Finding, inTime, ok, warning } from './finding.ts'

/** Whether what is imported by the clock can be had, and is what it should be. Without it everything else works. */
export function checkUpstreams(config: Config): Promise<Finding>[] {
  return config.IMPORTS === 'on' ? importersOf(config).map(checkUpstream) : []
}

async function checkUpstream({ name, source, fetch }: Importer): Promise<Finding> {
  try {
    await inTime(fetch)
    return ok(name, `the importer ${name} can read ${source}`)
  } catch (error) {
    const advice = adviceFor(error, 'the source', settings[name] ?? 'its address')
    return warning(name, `${source} cannot be imported: ${errorText(error)}`, `${advice}, or set IMPORTS=off`)
  }
}

const settings: Record<string, string> = { todos: 'TODO_SOURCE_URL', currencies: 'CBR_URL' }
