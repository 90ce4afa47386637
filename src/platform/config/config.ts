import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { distance } from 'fastest-levenshtein'
import { errorText, StartupError } from '../../core/errors.ts'
import type { Environment } from './env.ts'
import type { Setting } from './setting.ts'
import { type Settings, settings } from './settings.ts'

export type { ProcessRole } from './settings.ts'

/** The validated settings, and values derived from several of them. */
export interface Config extends Settings {
  /** `AUTH_MODE`, with `auto` resolved by HOST. */
  access: 'required' | 'open'
  /** URL of NATS, from NATS_URL or NATS_HOST; undefined: NATS is not configured. */
  natsUrl: string | undefined
}

type Name = keyof typeof settings

/** True for 127.0.0.0/8, ::1 and localhost (RFC 1122, RFC 4291, RFC 6761). */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase()
  return name === 'localhost' || name === '::1' || (isIP(name) === 4 && name.startsWith('127.'))
}

/** Returns the URL of a server that listens on `host`, for clients on the same machine. */
export function localUrl(host: string, port: number): string {
  const name = isLoopback(host) || host === '0.0.0.0' || host === '::' ? 'localhost' : host
  return `http://${name.includes(':') ? `[${name}]` : name}:${port}`
}

/**
 * Validates every setting. Throws StartupError with all errors, one line each.
 * An empty value counts as unset, so that `DATABASE_URL=` in a compose file means "none".
 */
export function loadConfig(environment: Environment): Config {
  const errors: string[] = []
  const values: Record<string, unknown> = {}
  for (const name of Object.keys(settings) as Name[]) {
    try {
      const given = readValue(environment.values, name)
      values[name] = given === undefined ? settings[name].fallback : settings[name].parse(given)
    } catch (error) {
      errors.push(`${name} ${errorText(error)}`)
    }
  }
  errors.push(...environment.fileNames.flatMap(misspelling))
  if (!values.ADMIN_USERNAME !== !values.ADMIN_PASSWORD) {
    errors.push('ADMIN_USERNAME and ADMIN_PASSWORD belong together; set both or none')
  }
  if (values.NATS_URL && values.NATS_HOST) {
    errors.push('NATS_URL and NATS_HOST both set the NATS server; set only one of them')
  }
  if (values.RABBITMQ_QUEUE === values.RABBITMQ_DURABLE_QUEUE) {
    errors.push('RABBITMQ_QUEUE and RABBITMQ_DURABLE_QUEUE are the same; one queue cannot be both')
  }
  if (!values.S3_ACCESS_KEY_ID !== !values.S3_SECRET_ACCESS_KEY) {
    errors.push('S3_ACCESS_KEY_ID and S3_SECRET_ACCESS_KEY belong together; set both or none')
  }
  if (!values.S3_BUCKET && (values.S3_ENDPOINT || values.S3_ACCESS_KEY_ID)) {
    errors.push('S3_BUCKET is missing; the other settings of S3 have no effect without it')
  }
  if (errors.length > 0) throw new StartupError(errors.join('\n'))
  const checked = values as unknown as Settings
  const access =
    checked.AUTH_MODE === 'auto' ? (isLoopback(checked.HOST) ? 'open' : 'required') : checked.AUTH_MODE
  return { ...checked, access, natsUrl: checked.NATS_URL ?? natsUrlOf(checked) }
}

function natsUrlOf({ NATS_HOST: host, NATS_PORT: port }: Settings): string | undefined {
  return host && `nats://${isIP(host) === 6 ? `[${host}]` : host}:${port}`
}

/** Returns the settings as `NAME=value` lines, with secrets hidden. */
export function printConfig(config: Config): string[] {
  return (Object.keys(settings) as Name[]).map((name) => {
    const value = config[name]
    const { show } = settings[name] as Setting<unknown>
    return `${name}=${value === undefined || String(value) === '' ? '' : show(value)}`
  })
}

function readValue(values: Environment['values'], name: Name): string | undefined {
  const file = values[`${name}_FILE`]
  const direct = values[name]?.trim()
  if (!file) return direct || undefined
  if (direct) throw new Error(`and ${name}_FILE are both set; keep one of them`)
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch (error) {
    throw new Error(`cannot be read from the file in ${name}_FILE: ${errorText(error)}`)
  }
}

// Other programs may share the .env file, so only a name close to one of our settings is an error.
function misspelling(name: string): string[] {
  const known = Object.keys(settings).flatMap((setting) => [setting, `${setting}_FILE`])
  if (known.includes(name)) return []
  const near = known.find((candidate) => candidate.length > 4 && distance(candidate, name) <= 2)
  return near ? [`${name} in .env is not a setting; did you mean ${near}?`] : []
}
