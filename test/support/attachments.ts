import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readdir } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { type Attachments, createAttachments } from '../../src/features/attachments/index.ts'
import { loadConfig } from '../../src/platform/config/config.ts'
import type { Answer, TestApp } from './app.ts'
import { eventually } from './eventually.ts'
import { logTo } from './log.ts'

export interface Attachment {
  id: number
  task_id: number
  name: string
  content_type: string
  size: number
  sha256: string
  created_at: string
}

export const BOUNDARY = 'a-boundary-of-tests'
export const MULTIPART = { 'content-type': `multipart/form-data; boundary=${BOUNDARY}` }

/** A form as a program sends it that says where everything is. */
export function form(...parts: [headers: string, content: string | Buffer][]): Buffer {
  return Buffer.concat([
    ...parts.flatMap(([headers, content]) => [
      Buffer.from(`--${BOUNDARY}\r\n${headers}\r\n\r\n`),
      Buffer.from(content as string),
      Buffer.from('\r\n'),
    ]),
    Buffer.from(`--${BOUNDARY}--\r\n`),
  ])
}

export const filePart = (name: string, field = 'file') =>
  `Content-Disposition: form-data; name="${field}"; filename="${name}"\r\nContent-Type: text/html`

/** Sends a file as browsers do. */
export function upload(
  app: TestApp,
  taskId: number,
  content: Buffer | string,
  name = 'file.bin',
  headers: Record<string, string> = {},
): Promise<Answer> {
  const body = new FormData()
  body.append('file', new Blob([Buffer.from(content)]), name)
  return app.fetch(`/tasks/${taskId}/attachments`, { method: 'POST', body, headers })
}

/** Sends a body that is a form, or should be one. */
export function sendForm(app: TestApp, taskId: number, body: Buffer, headers: Record<string, string> = {}) {
  return app.fetch(`/tasks/${taskId}/attachments`, {
    method: 'POST',
    headers: { ...MULTIPART, ...headers },
    body: new Uint8Array(body),
  })
}

export async function download(app: TestApp, attachment: Attachment, headers: Record<string, string> = {}) {
  const path = `/tasks/${attachment.task_id}/attachments/${attachment.id}`
  const response = await fetch(app.url + path, { headers })
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  }
}

export async function newTask(app: TestApp, headers: Record<string, string> = {}): Promise<number> {
  const { body } = await app.send('POST', '/tasks', { title: 'With attachments' }, headers)
  return body.id
}

/** Every file below the folder of attachments, of uploads too that are on their way. */
export async function filesOf(dataDir: string): Promise<string[]> {
  const root = join(dataDir, 'attachments')
  const entries = await readdir(root, { recursive: true, withFileTypes: true }).catch(() => [])
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

export const someBytes = (size: number) => randomBytes(size)

/** The attachments of a server as its housekeeping has them. */
export function attachmentsOf(app: TestApp, settings: Record<string, string> = {}): Attachments {
  const config = loadConfig({ values: { DATA_DIR: app.dataDir, ...settings }, fileNames: [] })
  return createAttachments({ db: app.database.db, config, log: logTo([]) })
}

export interface SlowUpload {
  /** Sends more of the file. */
  send(bytes: Buffer): Promise<void>
  /** Sends the end of the form; resolves to the status and the body of the answer. */
  finish(): Promise<{ status: number; body: string }>
  /** Goes away. */
  cut(): void
}

/** Begins an upload; when it resolves, some of the file is on the disk of the server. */
export async function beginUpload(
  { url, dataDir }: Pick<TestApp, 'url' | 'dataDir'>,
  taskId: number,
  token?: string,
): Promise<SlowUpload> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  socket.on('error', () => {})
  await once(socket, 'connect')
  const answer = text(socket)
  answer.catch(() => {}) // Who cuts it off awaits none.
  const head = [
    `POST /tasks/${taskId}/attachments HTTP/1.1`,
    'Host: localhost',
    'Connection: close',
    `Content-Type: ${MULTIPART['content-type']}`,
    'Transfer-Encoding: chunked',
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
  ]
  const send = async (bytes: Buffer) => {
    socket.write(`${bytes.length.toString(16)}\r\n`)
    socket.write(bytes)
    await new Promise((resolve) => socket.write('\r\n', resolve))
  }
  const before = (await filesOf(dataDir)).length
  socket.write(`${head.join('\r\n')}\r\n\r\n`)
  await send(Buffer.from(`--${BOUNDARY}\r\n${filePart('slow.bin')}\r\n\r\nHello`))
  await eventually(async () => (await filesOf(dataDir)).length > before, 'it comes in')
  return {
    send,
    async finish() {
      await send(Buffer.from(`\r\n--${BOUNDARY}--\r\n`))
      socket.write('0\r\n\r\n')
      const [head, ...body] = (await answer).split('\r\n\r\n')
      return { status: Number(head!.split(' ')[1]), body: body.join('\r\n\r\n') }
    },
    cut: () => socket.destroy(),
  }
}
