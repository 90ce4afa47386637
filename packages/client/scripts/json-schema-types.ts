/** What this reads of JSON Schema 2020-12; a keyword that would change the type and is not here is an error. */
export interface Schema {
  $ref?: string
  title?: string
  description?: string
  type?: string | string[]
  const?: unknown
  enum?: unknown[]
  properties?: Record<string, Schema>
  required?: string[]
  additionalProperties?: boolean | Schema
  items?: Schema
  oneOf?: Schema[]
  anyOf?: Schema[]
  allOf?: Schema[]
}

const typed = new Set([
  ...['$ref', 'type', 'const', 'enum', 'properties', 'required', 'additionalProperties', 'items'],
  ...['oneOf', 'anyOf', 'allOf'],
])
/** They say more than a type can. */
const silent = new Set([
  ...['title', 'description', 'examples', 'example', 'default', 'format', 'pattern', 'contentEncoding'],
  ...['minLength', 'maxLength', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'],
  ...['minItems', 'maxItems', 'uniqueItems', 'minProperties', 'maxProperties', 'contentMediaType'],
  ...['deprecated', 'readOnly', 'writeOnly', '$comment', 'propertyNames'],
])
const primitives: Record<string, string> = {
  string: 'string',
  integer: 'number',
  number: 'number',
  boolean: 'boolean',
  null: 'null',
}

/**
 * The TypeScript type of what a schema describes. `name` says how a `$ref` is called. What callers
 * write may have `undefined` for what they leave out (`input`), what the server writes has not.
 */
export function typeOf(schema: Schema, name: (ref: string) => string, input = false): string {
  const unknown = Object.keys(schema).find((key) => !typed.has(key) && !silent.has(key))
  if (unknown !== undefined)
    throw new Error(`the keyword "${unknown}" has no type: ${JSON.stringify(schema)}`)
  const recur = (inner: Schema) => typeOf(inner, name, input)

  if (schema.$ref !== undefined) return name(schema.$ref)
  if ('const' in schema) return literal(schema.const)
  if (schema.enum) return union(schema.enum.map(literal))
  // Alternatives of an object are whole ones, or say only what is required.
  const options = schema.oneOf ?? schema.anyOf
  const areWhole = options?.every(({ $ref, properties }) => $ref ?? properties)
  if (options && (areWhole || !schema.properties)) return union(options.map(recur))
  if (schema.allOf) return schema.allOf.map((part) => `(${recur(part)})`).join(' & ')
  if (schema.type === undefined) return schema.properties ? objectType(schema, recur, input) : 'unknown'
  return union(
    [schema.type].flat().map((type) => {
      if (type === 'object') return objectType(schema, recur, input)
      if (type === 'array') return arrayOf(schema.items ? recur(schema.items) : 'unknown')
      const primitive = primitives[type]
      if (primitive === undefined) throw new Error(`there is no type "${type}"`)
      return primitive
    }),
  )
}

/** An object with these members, each with its description. */
export function objectOf(
  members: { name: string; type: string; optional: boolean; description?: string | undefined }[],
): string {
  const lines = members.map(({ name, type, optional, description }) => {
    const comment = description === undefined ? '' : `/** ${description.replaceAll('*/', '* /')} */\n`
    const key = /^[a-z_$][\w$]*$/i.test(name) ? name : literal(name)
    return `${comment}${key}${optional ? '?' : ''}: ${type}\n`
  })
  return `{\n${lines.join('')}}`.replaceAll('\n', '\n  ').replace(/\n {2}\}$/, '\n}')
}

function objectType(
  { properties, required = [], additionalProperties: more }: Schema,
  recur: (schema: Schema) => string,
  input: boolean,
): string {
  if (!properties) return `Record<string, ${typeof more === 'object' ? recur(more) : 'unknown'}>`
  return objectOf(
    Object.entries(properties).map(([name, property]) => {
      const optional = !required.includes(name)
      const type = optional && input ? union([recur(property), 'undefined']) : recur(property)
      return { name, type, optional, description: property.description }
    }),
  )
}

function arrayOf(item: string): string {
  return /^\w+$/.test(item) ? `${item}[]` : `Array<${item}>`
}

export function union(types: string[]): string {
  return [...new Set(types)].join(' | ') || 'never'
}

function literal(value: unknown): string {
  if (typeof value !== 'string') return JSON.stringify(value)
  return `'${JSON.stringify(value).slice(1, -1).replaceAll("'", "\\'").replaceAll('\\"', '"')}'`
}
