import type { Importer, ImportRunner } from '../../importers/index.ts'
import type { JobType } from '../job-type.ts'
import { httpJob } from './http.ts'
import { importJob } from './import.ts'
import { noopJob } from './noop.ts'

/** What the schemas of inputs name beyond JSON Schema. */
export { httpFormats as jobFormats } from './http-input.ts'

/** Every kind of job there is. */
export function jobTypes(deps: {
  importers: readonly Importer[]
  runner: ImportRunner
  /** Hosts that `http` may call though they are not public. */
  allowedHosts: readonly string[]
}): readonly JobType[] {
  return [noopJob, httpJob(deps.allowedHosts), importJob(deps)]
}
