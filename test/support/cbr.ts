import { readFileSync } from 'node:fs'
import type { RequestListener } from 'node:http'
import { fileURLToPath } from 'node:url'

/** A short file in the shape of the Bank of Russia's, in windows-1251, of 13 December 2025. */
export const cbrFixture = readFileSync(
  fileURLToPath(new URL('../fixtures/cbr-2025-12-13.xml', import.meta.url)),
)

export interface Quote {
  code: string
  value: string
  nominal?: number
  name?: string
}

/** A file of that shape, of the day `date` such as `13.12.2025`. */
export function cbrXml(date: string, quotes: Quote[], encoding = 'windows-1251'): Buffer {
  const valutes = quotes.map(
    ({ code, value, nominal = 1, name = `Валюта ${code}` }) =>
      `<Valute ID="R"><NumCode>1</NumCode><CharCode>${code}</CharCode><Nominal>${nominal}</Nominal><Name>${name}</Name><Value>${value}</Value></Valute>`,
  )
  const text = `<?xml version="1.0" encoding="${encoding}"?><ValCurs Date="${date}" name="Foreign Currency Market">${valutes.join('')}</ValCurs>`
  return encoding === 'windows-1251' ? windows1251(text) : Buffer.from(text)
}

/** As many currencies as the bank has, with nominals of all its sizes. */
export function fullFile(date: string, shift = 0): Buffer {
  const quotes = Array.from({ length: 34 }, (_, i) => ({
    code: `A${String.fromCharCode(65 + Math.floor(i / 26), 65 + (i % 26))}`,
    value: `${10 + i + shift},${String(1000 + i * 37).padStart(4, '0')}`,
    nominal: [1, 10, 100, 1000, 10_000][i % 5]!,
  }))
  return cbrXml(date, quotes)
}

/** Answers with these bytes, or with what they are for the `date_req` of the request. */
export function sendXml(bytes: Buffer | ((day: string | null) => Buffer)): RequestListener {
  return (request, response) => {
    const day = new URL(request.url!, 'http://localhost').searchParams.get('date_req')
    const body = typeof bytes === 'function' ? bytes(day) : bytes
    response.writeHead(200, { 'content-type': 'application/xml; charset=windows-1251' }).end(body)
  }
}

/** ASCII, the Russian alphabet, and nothing else. */
function windows1251(text: string): Buffer {
  return Buffer.from(
    Array.from(text, (character) => {
      const code = character.charCodeAt(0)
      if (code < 0x80) return code
      if (code >= 0x410 && code <= 0x44f) return code - 0x350
      throw new Error(`${character} is not in this part of windows-1251`)
    }),
  )
}
