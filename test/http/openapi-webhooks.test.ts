import { Ajv2020 } from 'ajv/dist/2020.js'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type Answer, startTestApp, type TestApp } from '../support/app.ts'

interface Content {
  'application/json': { schema: object; example?: object; examples?: Record<string, { value: object }> }
}
interface Operation {
  parameters?: { name: string; in: string }[]
  requestBody?: { content: Content }
  responses: Record<string, { content?: Content }>
}

let app: TestApp
let document: {
  paths: Record<string, Record<string, Operation>>
  webhooks: Record<string, { post: Operation }>
  components: object
}
beforeAll(async () => {
  app = await startTestApp()
  document = (await app.fetch('/openapi.json')).body
})
afterAll(() => app[Symbol.asyncDispose]())

function mistakes(schema: object, value: unknown): unknown {
  const validate = new Ajv2020({ strict: false, validateFormats: false }).compile({
    ...schema,
    components: document.components,
  })
  return validate(value) ? null : validate.errors
}

/** Fails unless the response matches the document. */
function expectDescribed(method: 'get' | 'post' | 'patch', path: string, { status, body }: Answer): void {
  const { schema } = document.paths[path]![method]!.responses[status]!.content!['application/json']
  expect([method, path, mistakes(schema, body)]).toEqual([method, path, null])
}

test('every published event matches its description, which has an example', async () => {
  const { body: asyncApi } = await app.fetch('/asyncapi.json')
  const published = Object.keys(asyncApi.channels.all.messages).filter(
    (name) => !['resumed', 'auth'].includes(name),
  )
  expect(Object.keys(document.webhooks).sort()).toEqual(published.sort())
  for (const [type, { post }] of Object.entries(document.webhooks)) {
    const { schema, example } = post.requestBody!.content['application/json']
    expect(example).toMatchObject({ id: expect.any(String), type, data: expect.any(Object) })
    expect([type, mistakes(schema, example)]).toEqual([type, null])
    expect([type, mistakes(schema, { ...example, type: 'other' })]).not.toEqual([type, null])
    expect(post.parameters!.map(({ name }) => name)).toEqual([
      'webhook-id',
      'webhook-timestamp',
      'webhook-signature',
    ])
  }
})

test('the examples of requests work, and the responses match their descriptions', async () => {
  const example = (method: string, path: string) => {
    const media = document.paths[path]![method]!.requestBody!.content['application/json']
    return media.example ?? Object.values(media.examples!)[0]!.value
  }
  const created = await app.send('POST', '/webhooks', example('post', '/webhooks'))
  expectDescribed('post', '/webhooks', created)
  const path = `/webhooks/${created.body.id}`
  expectDescribed('post', '/webhooks/{id}/test', await app.send('POST', `${path}/test`))
  expectDescribed('post', '/webhooks/{id}/secret', await app.send('POST', `${path}/secret`))
  expectDescribed('get', '/webhooks', await app.fetch('/webhooks'))
  expectDescribed('get', '/webhooks/{id}', await app.fetch(path))
  const log = await app.fetch(`${path}/deliveries`)
  expectDescribed('get', '/webhooks/{id}/deliveries', log)
  const delivery = `${path}/deliveries/${log.body[0].id}`
  expectDescribed('get', '/webhooks/{id}/deliveries/{delivery}', await app.fetch(delivery))
  const again = await app.send('POST', `${delivery}/redeliver`)
  expectDescribed('post', '/webhooks/{id}/deliveries/{delivery}/redeliver', again)
  const patched = await app.send('PATCH', path, example('patch', '/webhooks/{id}'))
  expectDescribed('patch', '/webhooks/{id}', patched)
})
