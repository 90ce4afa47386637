import { fastify } from 'fastify'
import { expect, onTestFinished, test } from 'vitest'
import { registerDocs, registerOpenApi } from './openapi.ts'

async function openDocument() {
  const app = fastify()
  onTestFinished(() => app.close())
  await registerOpenApi(app)
  app.get('/things', { schema: { tags: ['users'] } }, async () => [])
  app.get('/open', { config: { access: 'public' }, schema: { tags: ['users'] } }, async () => [])
  await registerDocs(app, (_request, reply) => reply.code(404).send())
  await app.ready()
  return { app, document: (await app.inject('/openapi.json')).json() }
}

test('the document offers a bearer token and a login by password, and no security for public routes', async () => {
  const { document } = await openDocument()
  const { bearer, password } = document.components.securitySchemes
  expect(bearer).toEqual({ type: 'http', scheme: 'bearer' })
  expect(password).toEqual({
    type: 'oauth2',
    flows: { password: { tokenUrl: '/auth/login', scopes: {} } },
  })
  expect(document.security).toEqual([{ bearer: [] }, { password: [] }, {}])
  expect(document.paths['/open'].get.security).toEqual([])
  expect(document.paths['/things'].get.security).toBe(undefined)
})

test('every tag is described once, and every page serves the same document', async () => {
  const { app, document } = await openDocument()
  const names = document.tags.map(({ name }: { name: string }) => name)
  expect(names).toEqual(expect.arrayContaining(['auth', 'tasks', 'users']))
  expect(new Set(names).size).toBe(names.length)
  expect(document.tags.every(({ description }: { description: string }) => description.length > 5)).toBe(true)
  expect(JSON.stringify(document)).not.toContain('Default Response')
  for (const path of ['/docs/json', '/swagger/json'])
    expect((await app.inject(path)).json()).toEqual(document)
})
