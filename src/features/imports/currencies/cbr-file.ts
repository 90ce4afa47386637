/** The official rates of one day. */
export interface CbrFile {
  /** The day of the rates, such as `2025-12-15`. */
  date: string
  rates: CbrRate[]
}

export interface CbrRate {
  code: string
  name: string
  /** Number of units that `value` is the price of. */
  nominal: number
  /** Roubles for `nominal` units, a decimal number as text. */
  value: string
}

const MAX_NESTING = 8
/** Rates are published for the next day, or before long holidays for the first day after them. */
const MAX_DAYS_AHEAD = 31
const DAY_MS = 86_400_000

/**
 * Parses a file in the format of XML_daily.asp of the Bank of Russia. Any invalid part makes the whole file fail with
 * an Error that names it, so that a file is never imported partially.
 */
export async function parseCbrFile(bytes: Buffer, now = new Date()): Promise<CbrFile> {
  const root = await parseXml(decode(bytes))
  const date = isoDate(root['@Date'])
  if (date === undefined) throw new Error('ValCurs has no valid Date')
  if (Date.parse(date) > now.getTime() + MAX_DAYS_AHEAD * DAY_MS)
    throw new Error(`ValCurs is of ${date}, which is too far ahead`)
  const items = root.Valute as unknown[] | undefined
  if (!items) throw new Error('ValCurs has no Valute')
  const rates = items.map(toRate)
  const codes = new Set<string>()
  for (const { code } of rates) {
    if (codes.has(code)) throw new Error(`${code} appears twice in the response`)
    codes.add(code)
  }
  return { date, rates }
}

const DECLARED = /^(?:\xef\xbb\xbf)?<\?xml\s[^>]*?\bencoding\s*=\s*["']([\w.:-]{1,40})["']/

/** Decodes with the encoding that the file declares (XML 1.0, section 4.3.3), by default UTF-8. */
function decode(bytes: Buffer): string {
  if (bytes.length === 0) throw new Error('the response is empty')
  const encoding = DECLARED.exec(bytes.toString('latin1', 0, 200))?.[1] ?? 'utf-8'
  let decoder: TextDecoder
  try {
    decoder = new TextDecoder(encoding, { fatal: true })
  } catch {
    throw new Error(`the response is in an unknown encoding, "${encoding}"`)
  }
  try {
    return decoder.decode(bytes)
  } catch {
    throw new Error(`the response is not valid ${encoding}, the encoding it declares`)
  }
}

type Element = Record<string, unknown>

async function parseXml(text: string): Promise<Element> {
  // A document type can define entities that expand without limit. A file of rates needs none.
  if (/<!(DOCTYPE|ENTITY)/i.test(text)) throw new Error('the response has a document type definition')
  // Imported here so that a server that imports no rates does not spend the memory.
  const { XMLParser, XMLValidator } = await import('fast-xml-parser')
  const parser = new XMLParser({
    parseTagValue: false,
    processEntities: false,
    ignoreAttributes: false,
    attributeNamePrefix: '@',
    ignoreDeclaration: true,
    maxNestedTags: MAX_NESTING,
    isArray: (name) => name === 'Valute',
  })
  let document: Element
  try {
    // The parser alone accepts truncated documents and trailing text.
    const valid = XMLValidator.validate(text)
    if (valid !== true) throw new Error(`line ${valid.err.line}: ${valid.err.msg}`)
    document = parser.parse(text)
  } catch (error) {
    const reason = (error as Error).message.replaceAll(/\s+/g, ' ').slice(0, 150)
    throw new Error(`the response cannot be read as XML: ${reason}`)
  }
  const { ValCurs: root, ...rest } = document
  if (!isElement(root) || Object.keys(rest).length > 0)
    throw new Error('the response has no root element ValCurs')
  return root
}

/** Converts `15.12.2025` to `2025-12-15`; undefined if it is not a valid date. */
function isoDate(text: unknown): string | undefined {
  const [, day, month, year] = /^(\d\d)[./](\d\d)[./](\d{4})$/.exec(String(text)) ?? []
  const date = `${year}-${month}-${day}`
  const time = Date.parse(date)
  return new Date(Number.isNaN(time) ? 0 : time).toISOString().startsWith(date) ? date : undefined
}

function toRate(item: unknown, index: number): CbrRate {
  const { CharCode, Name, Nominal, Value } = isElement(item) ? item : {}
  const code = String(CharCode)
  if (!/^[A-Z]{3}$/.test(code) || code === 'RUB') throw new Error(`Valute ${index + 1} has no valid CharCode`)
  const wrong = (what: string) => new Error(`${code} has no valid ${what}`)
  const nominal = Number(Nominal)
  if (!/^\d{1,5}$/.test(String(Nominal)) || nominal < 1 || nominal > 10_000) throw wrong('Nominal')
  const value = String(Value).replace(',', '.')
  // The limits keep the rate of one unit between 1e-12 and 1e12 for every nominal.
  if (!/^\d{1,12}(\.\d{1,8})?$/.test(value) || Number(value) === 0) throw wrong('Value')
  const name = typeof Name === 'string' ? unescaped(Name)?.trim() : undefined
  if (!name || [...name].length > 100 || /\p{Cc}/u.test(name)) throw wrong('Name')
  return { code, name, nominal, value }
}

const predefined: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

/** Resolves the predefined entities of XML; undefined if the text contains another entity. */
function unescaped(text: string): string | undefined {
  if (/&(?!(amp|lt|gt|quot|apos);)/.test(text)) return undefined
  return text.replaceAll(/&(\w+);/g, (_, entity: string) => predefined[entity]!)
}

function isElement(value: unknown): value is Element {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
