import { hideSecretParameters } from '../../core/redacted-url.ts'

/** A setting that is read from text. `parse` throws an Error whose message follows the name, as in "NAME must …". */
export interface Setting<T> {
  readonly fallback: T
  readonly help: string
  parse(text: string): T
  /** Returns the value without its secrets. */
  show(value: T): string
}

interface Described<T> {
  default: T
  help: string
  secret?: boolean
}

function setting<T>(
  described: Described<T>,
  parse: (text: string) => T,
  hide: (text: string) => string = () => '***',
): Setting<T> {
  const show = described.secret ? (value: T) => hide(String(value)) : String
  return { fallback: described.default, help: described.help, parse, show }
}

/** An integer within `min..max`. */
export function integer(described: Described<number> & { min: number; max: number }): Setting<number> {
  return setting(described, (text) => {
    const value = Number(text)
    if (!/^\d{1,15}$/.test(text) || value < described.min || value > described.max) {
      throw new Error(`must be a whole number from ${described.min} to ${described.max}, got "${text}"`)
    }
    return value
  })
}

/** A setting with one of a few words, in any letter case. */
export function choice<const T extends string>(
  described: Described<NoInfer<T>> & { of: readonly T[] },
): Setting<T> {
  return setting<T>(described, (text) => {
    const value = described.of.find((word) => word === text.toLowerCase())
    if (value === undefined) throw new Error(`must be one of ${described.of.join(', ')}, got "${text}"`)
    return value
  })
}

/** A setting with at least one of a few words, comma separated, in any letter case. */
export function words<const T extends string>(
  described: Described<readonly T[]> & { of: readonly T[] },
): Setting<readonly T[]> {
  return setting<readonly T[]>(described, (text) => {
    const given = text.split(',').map((word) => word.trim().toLowerCase())
    const unknown = given.find((word) => !described.of.includes(word as T))
    if (unknown !== undefined) {
      throw new Error(`must list some of ${described.of.join(', ')}, got "${unknown}"`)
    }
    return described.of.filter((word) => given.includes(word))
  })
}

/** A setting with free text, never empty. `parse` throws an Error whose message follows the name. */
export function text<T extends string | undefined>(
  described: Described<T>,
  parse: (given: string) => string = (given) => given,
): Setting<T | string> {
  return setting<T | string>(described, parse)
}

/** A setting with free text that is never shown. */
export function secret<T extends string | undefined>(described: Described<T>): Setting<T | string> {
  return text({ ...described, secret: true })
}

/** A setting with an absolute URL of one of the `protocols`; the text is kept as given. */
export function url<T extends string | undefined>(
  described: Described<T> & { protocols: string[]; rewrite?: (text: string) => string },
): Setting<T | string> {
  const parse = (given: string) => {
    const value = described.rewrite?.(given) ?? given
    const parsed = URL.canParse(value) ? new URL(value) : undefined
    if (!parsed || !described.protocols.includes(parsed.protocol)) {
      // The value is not repeated: it may hold a password.
      throw new Error(
        `must be a URL that begins with ${described.protocols.map((p) => `${p}//`).join(' or ')}`,
      )
    }
    return value
  }
  return setting<T | string>(described, parse, hidePassword)
}

function hidePassword(text: string): string {
  const parsed = new URL(text)
  if (parsed.password) parsed.password = '***'
  // In a NATS URL, a user name without a password is a token.
  else if (parsed.username && /^(nats|tls):$/.test(parsed.protocol)) parsed.username = '***'
  hideSecretParameters(parsed)
  return parsed.href
}

/** A setting with comma-separated items. `parseItem` throws an Error whose message follows the name. */
export function list(
  described: Described<string[]>,
  parseItem: (item: string) => string = (item) => item,
): Setting<string[]> {
  return setting(described, (value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== '')
      .map(parseItem),
  )
}
