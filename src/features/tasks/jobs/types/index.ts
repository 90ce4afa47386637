import type { JobType } from '../job-type.ts'
import { httpJob } from './http.ts'
import { noopJob } from './noop.ts'

/** The custom formats that the input schemas use. */
export { httpFormats as jobFormats } from './http-input.ts'

/** The job types that need no other feature. `allowedHosts`: hosts that `http` may call though they are not public. */
export function basicJobTypes(allowedHosts: readonly string[]): readonly JobType[] {
  return [noopJob, httpJob(allowedHosts)]
}
