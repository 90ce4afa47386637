import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv } from 'ajv'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { channels } from '../../src/events/event-types.ts'
import { startTestApp, type TestApp } from '../support/app.ts'
import { eventually } from '../support/eventually.ts'

interface Message {
  payload: object
  examples: { payload: { type: string } }[]
}

let app: TestApp
// biome-ignore lint/suspicious/noExplicitAny: the document is looked into at many places
let document: any
const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false })
beforeAll(async () => {
  app = await startTestApp()
  document = (await app.fetch('/asyncapi.json')).body
})
afterAll(() => app[Symbol.asyncDispose]())

const messages = () => Object.entries(document.components.messages as Record<string, Message>)

test('it is a valid AsyncAPI 3 document', () => {
  const schemas = fileURLToPath(import.meta.resolve('@asyncapi/specs/schemas/3.0.0.json'))
  // It brings the meta schema along.
  const bare = new Ajv({ strict: false, meta: false, validateSchema: false, validateFormats: false })
  const validate = bare.compile(JSON.parse(readFileSync(schemas, 'utf8')))
  validate(document)
  expect(validate.errors ?? []).toEqual([])
})

test('every type of event is a message, and every reference leads somewhere', () => {
  expect(messages().map(([name]) => name)).toEqual(
    expect.arrayContaining([...Object.values(channels).flat(), 'resumed', 'auth']),
  )
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map(([, path]) => path!)
  expect(references.length).toBeGreaterThan(10)
  for (const path of references) {
    const found = path.split('/').reduce((at, step) => at?.[step], document)
    expect([path, found !== undefined]).toEqual([path, true])
  }
})

test('every message has an example that its schema takes', () => {
  for (const [name, { payload, examples }] of messages()) {
    const validate = ajv.compile(payload)
    expect([name, examples.length > 0]).toEqual([name, true])
    for (const example of examples) {
      validate(example.payload)
      expect([name, validate.errors ?? []]).toEqual([name, []])
      expect(example.payload.type).toBe(name)
    }
  }
})

test('what is really told is what the document says', async () => {
  const told: { type?: string }[] = []
  const socket = new WebSocket(`${app.url.replace('http', 'ws')}/ws?after=0`)
  socket.on('message', (data) => told.push(JSON.parse(String(data))))
  const { body } = await app.send('POST', '/tasks', { title: 'told', city: 'Moscow' })
  await app.send('PATCH', `/tasks/${body.id}`, { completed: true })
  await app.fetch(`/tasks/${body.id}`, { method: 'DELETE' })
  await eventually(() => told.length === 4, 'the notice and three events')
  for (const message of told) {
    const validate = ajv.compile(document.components.messages[message.type!].payload)
    validate(message)
    expect([message.type, validate.errors ?? []]).toEqual([message.type, []])
  }
  socket.terminate()
})
