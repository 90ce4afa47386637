import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { apiTypes } from '../scripts/generate-api-types.ts'

const read = (name: string) =>
  JSON.parse(readFileSync(join(import.meta.dirname, '../../../docs', name), 'utf8'))

test('the types are those of docs/openapi.json and docs/asyncapi.json', async () => {
  const text = apiTypes(read('openapi.json'), read('asyncapi.json'))
  await expect(text).toMatchFileSnapshot('../src/api-types.ts')
})
