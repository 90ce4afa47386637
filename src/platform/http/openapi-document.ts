import { isDeepStrictEqual } from 'node:util'

type Json = Record<string, unknown>

/**
 * Returns the document with each titled schema once, under `components.schemas`, with a description for each
 * response, and without `required` on parameters that have a default.
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
  // These keywords are ours, not JSON Schema's.
  delete copy.normalize
  delete copy.failFast
  delete copy.maxDepth
  // OpenAPI expects names of schemas as its values. The constants in the schemas are enough.
  delete copy.discriminator
  if (copy.description === 'Default Response') copy.description = describedContent(copy.content)
  if ('in' in copy && hasDefault(copy.schema)) copy.required = false
  if (copy.type !== 'object' || typeof copy.title !== 'string') return copy
  // The plugin moves examples to the response or the body where it can.
  delete copy.examples
  const known = schemas[copy.title]
  if (known !== undefined && !isDeepStrictEqual(known, copy))
    throw new Error(`two schemas are named ${copy.title}`)
  schemas[copy.title] = copy
  return { $ref: `#/components/schemas/${copy.title}` }
}

/** Describes a response by the name of its schema: "The task", "A list of tasks". */
function describedContent(content: unknown): string {
  const [{ schema } = {}] = Object.values((content ?? {}) as Record<string, { schema?: Json }>)
  const name = wordsOf(schema)
  if (name) return `The ${name}`
  const item = wordsOf(schema?.items)
  return item ? `A list of ${item.replace(/y$/, 'ie')}s` : 'Success'
}

/** Returns the name of a referenced schema as lower-case words. */
function wordsOf(schema: unknown): string | undefined {
  const name = (schema as Json | undefined)?.$ref
  if (typeof name !== 'string') return undefined
  return name
    .slice(name.lastIndexOf('/') + 1)
    .replace(/\B([A-Z])/g, ' $1')
    .toLowerCase()
    .replace(/\bapi\b/, 'API')
}

function hasDefault(schema: unknown): boolean {
  return typeof schema === 'object' && schema !== null && 'default' in schema
}
