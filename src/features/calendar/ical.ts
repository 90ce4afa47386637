/** A property of iCalendar (RFC 5545): its name with parameters, and its encoded value. */
export type IcalProperty = readonly [name: string, value: string]

/** Maximum octets of a line without its break (section 3.1). */
const LINE_OCTETS = 75

/** Returns a component with these properties, without those that have no value. Every line ends with CRLF. */
export function icalComponent(name: string, properties: readonly (IcalProperty | undefined)[]): string {
  const lines = properties.flatMap((property) => (property ? contentLine(property) : []))
  return `BEGIN:${name}\r\n${lines.join('')}END:${name}\r\n`
}

export function contentLine([name, value]: IcalProperty): string {
  return `${folded(`${name}:${value}`)}\r\n`
}

/** Encodes TEXT (section 3.3.11). Control characters cannot be encoded and are removed. */
export function icalText(value: string): string {
  return value
    .replace(/[\\;,]/g, (char) => `\\${char}`)
    .replace(/\r\n?|\n/g, '\\n')
    .replace(/(?!\t)\p{Cc}/gu, '')
}

/** Converts ISO 8601 with `Z` to DATE-TIME in UTC, to the second. */
export function icalUtc(time: string): string {
  return `${time.slice(0, 19).replace(/[-:]/g, '')}Z`
}

/** Folds a line after 75 octets, never within a character. Continuation lines begin with a space. */
function folded(line: string): string {
  if (Buffer.byteLength(line) <= LINE_OCTETS) return line
  let text = ''
  let start = 0
  let octets = 0
  for (let i = 0; i < line.length; ) {
    const code = line.codePointAt(i)!
    const size = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4
    if (octets + size > LINE_OCTETS) {
      text += `${line.slice(start, i)}\r\n `
      start = i
      octets = 1
    }
    octets += size
    i += code < 0x10000 ? 1 : 2
  }
  return text + line.slice(start)
}
