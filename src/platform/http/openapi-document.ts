import { isDeepStrictEqual } from 'node:util'

type Json = Record<string, unknown>

/**
 * Gives the document what its readers expect: schemas with a title stand once, under
 * `components.schemas`, and a parameter with a default is not required.
 */
export function tidyDocument(document: Json): Json {
  const schemas: Record<string, unknown> = {}
  const paths = tidy(document.paths, schemas)
  const webhooks = tidy(document.webhooks, schemas)
  const components = { ...(document.components as Json | undefined), schemas }
  return { ...document, components, paths, webhooks }
}

function tidy(value: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item) => tidy(item, schemas))
  if (typeof value !== 'object' || value === null) return value
  const copy: Json = Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, tidy(item, schemas)]),
  )
  // Ours, not JSON Schema's.
  delete copy.normalize
  delete copy.failFast
  delete copy.maxDepth
  // By OpenAPI's rules its values would be the names of schemas; the constants in them say enough.
  delete copy.discriminator
  if ('in' in copy && hasDefault(copy.schema)) copy.required = false
  if (copy.type !== 'object' || typeof copy.title !== 'string') return copy
  // Examples are given with the answer or the body; the plugin has moved them there where it could.
  delete copy.examples
  const known = schemas[copy.title]
  if (known !== undefined && !isDeepStrictEqual(known, copy))
    throw new Error(`two schemas are named ${copy.title}`)
  schemas[copy.title] = copy
  return { $ref: `#/components/schemas/${copy.title}` }
}

function hasDefault(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && 'default' in schema
}
