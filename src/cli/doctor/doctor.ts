import { StartupError } from '../../core/errors.ts'
import { type Config, isLoopback, loadConfig } from '../../platform/config/config.ts'
import type { Environment } from '../../platform/config/env.ts'
import type { Console } from '../console.ts'
import { table } from '../table.ts'
import { checkDataDir, checkSecretKey } from './data-dir.ts'
import { checkDatabase } from './database.ts'
import { type Finding, failure, ok, warning } from './finding.ts'
import { checkPort } from './port.ts'
import { checkServices } from './services.ts'
import { checkUpstreams } from './upstreams.ts'
import { checkWeather } from './weather.ts'

/**
 * `taskwire doctor`: looks at everything that Taskwire needs, prints what it finds, and fails if a check does.
 * It changes nothing, and may be run beside a server.
 */
export async function doctorCommand(
  { json }: { json: boolean },
  environment: Environment,
  console: Console,
): Promise<void> {
  const findings = await examine(environment)
  const count = (status: Finding['status']) => findings.filter((finding) => finding.status === status).length
  if (json) console.out(JSON.stringify({ healthy: count('failure') === 0, findings }, null, 2))
  else for (const line of table(findings.flatMap(rows))) console.out(line)
  if (count('failure') > 0) throw new StartupError(`${count('failure')} of ${findings.length} checks failed`)
}

/** With settings that are wrong there is nothing else to look at. */
async function examine(environment: Environment): Promise<Finding[]> {
  let config: Config
  try {
    config = loadConfig(environment)
  } catch (error) {
    if (!(error instanceof StartupError)) throw error
    return error.message
      .split('\n')
      .map((line) =>
        failure('settings', line, 'correct it in the environment or in .env; see docs/configuration.md'),
      )
  }
  const found = await Promise.all([
    checkAccess(config),
    checkDataDir(config),
    checkSecretKey(config),
    checkPort(config),
    checkDatabase(config, Date.now),
    ...checkServices(config),
    ...checkUpstreams(config),
    checkWeather(config),
  ])
  return found.flat()
}

function checkAccess({ AUTH_MODE, HOST, access }: Config): Finding {
  const isReached = access === 'open' && AUTH_MODE === 'open'
  return isReached && !isLoopback(HOST)
    ? warning(
        'settings',
        `whoever reaches ${HOST} may do everything: AUTH_MODE is open`,
        'set AUTH_MODE=required',
      )
    : ok('settings', `they are valid; access is ${access}`)
}

function rows({ check, status, message, advice }: Finding): string[][] {
  const advised = advice === undefined ? [] : [['', '', `-> ${advice}`]]
  return [[status === 'failure' ? 'FAILURE' : status, check, message], ...advised]
}
