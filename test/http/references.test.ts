import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { loadConfig, printConfig } from '../../src/platform/config/config.ts'
import { environmentExample, settingsReference } from '../../src/platform/config/reference.ts'
import { startTestApp } from '../support/app.ts'
import { dumpSchema } from '../support/schema-dump.ts'

// What is generated is committed; drift fails, `npm test -- -u` mends it.

test('docs/configuration.md is what the settings say, in both languages', async () => {
  await expect(settingsReference('en')).toMatchFileSnapshot('../../docs/configuration.md')
  await expect(settingsReference('ru')).toMatchFileSnapshot('../../docs/configuration.ru.md')
})

test('.env.example is what the settings say, and sets what is in force without it', async () => {
  const example = environmentExample()
  await expect(example).toMatchFileSnapshot('../../.env.example')
  const values = parseEnv(example.replace(/^#(?=\w+=)/gm, ''))
  const print = (given: typeof values) =>
    printConfig(loadConfig({ values: given, fileNames: Object.keys(given) }))
  expect(Object.keys(values)).toHaveLength(print({}).length)
  expect(print(values)).toEqual(print({}))
})

test('docs/openapi.json, docs/asyncapi.json and src/platform/database/schema.sql are what the code and the migrations make', async () => {
  await using app = await startTestApp()
  const { body } = await app.fetch('/openapi.json')
  await expect(`${JSON.stringify(body, null, 2)}\n`).toMatchFileSnapshot('../../docs/openapi.json')
  const events = await app.fetch('/asyncapi.json')
  await expect(`${JSON.stringify(events.body, null, 2)}\n`).toMatchFileSnapshot('../../docs/asyncapi.json')
  await expect(await dumpSchema(app.database)).toMatchFileSnapshot('../../src/platform/database/schema.sql')
})
