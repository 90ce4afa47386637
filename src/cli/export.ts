import { createWriteStream } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { errorText, StartupError } from '../core/errors.ts'
import type { FileFormat } from '../features/tasks/index.ts'
import { noServer, type ProgramContext, TOKEN_ADVICE } from './context.ts'
import { printable } from './table.ts'

export interface ExportOptions {
  url: string
  token: string | undefined
  format: FileFormat
  /** Which tasks: a query as `GET /tasks` takes it. */
  filter: string
}

const ACCEPT = 'application/x-ndjson, text/csv, application/problem+json'

/**
 * `taskwire export FILE`: writes all tasks that one may see to a file, or to standard output for `-`. A file is
 * there when it is whole.
 */
export async function exportCommand(
  file: string,
  options: ExportOptions,
  { console, output, signal }: ProgramContext,
): Promise<void> {
  const response = await ask(options, signal)
  let bytes = 0
  const counted = async function* (chunks: AsyncIterable<Uint8Array>) {
    for await (const chunk of chunks) {
      bytes += chunk.length
      console.progress(`${sizeOf(bytes)} …`)
      yield chunk
    }
  }
  const body = Readable.fromWeb(response.body as Parameters<typeof Readable.fromWeb>[0])
  const part = `${file}.part`
  try {
    if (file === '-') {
      await pipeline(body, counted, output, { end: false, signal })
      return
    }
    await pipeline(body, counted, createWriteStream(part), { signal })
    await rename(part, file)
  } catch (error) {
    if (file !== '-') await rm(part, { force: true })
    throw new StartupError(`The export is not complete: ${errorText(error)}`)
  }
  console.err(`${file}: ${sizeOf(bytes)}`)
}

async function ask({ url, token, format, filter }: ExportOptions, signal: AbortSignal): Promise<Response> {
  const query = new URLSearchParams(filter)
  query.set('format', format)
  const headers = { accept: ACCEPT, ...(token !== undefined && { authorization: `Bearer ${token}` }) }
  let response: Response
  try {
    response = await fetch(`${url.replace(/\/+$/, '')}/tasks/export?${query}`, { headers, signal })
  } catch (error) {
    throw signal.aborted ? error : noServer(url, error as Error)
  }
  if (response.ok && response.body) return response
  const detail = await response.json().then(
    (problem) => String((problem as { detail?: unknown }).detail),
    () => `The server answered ${response.status}`,
  )
  const advice = response.status === 401 ? ` For this command, ${TOKEN_ADVICE}` : ''
  throw new StartupError(printable(detail) + advice)
}

function sizeOf(bytes: number): string {
  return bytes < 100_000 ? `${bytes} bytes` : `${(bytes / 1e6).toFixed(1)} MB`
}
