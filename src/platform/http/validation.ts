import { Ajv, type ErrorObject, type ValidateFunction } from 'ajv'
import type { DataValidationCxt } from 'ajv/dist/types/index.js'
import { distance } from 'fastest-levenshtein'
import type { FastifySchemaCompiler } from 'fastify'
import { type FieldError, validationError } from '../../core/errors.ts'
import { isInstant } from '../../core/moment.ts'

/** Keywords of our schemas beyond JSON Schema. */
export interface SchemaRegistry {
  /** Functions of the keyword `normalize`. They bring text into its canonical form before it is checked. */
  normalizers: Record<string, (text: string) => string>
  /** Functions of the keyword `format`. `message` follows the path of a value that does not match. */
  formats: Record<string, { is: (text: string) => boolean; message: string }>
}

const ownFormats: SchemaRegistry['formats'] = {
  'plain-text': {
    is: (text) => !text.includes('\0') && text.isWellFormed(),
    message: 'must not contain NUL or half a surrogate pair',
  },
  uuid: {
    is: (text) => /^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(text),
    message: 'must be a UUID',
  },
  'date-time': { is: isInstant, message: 'must be a time with its zone, such as 2025-12-15T12:00:00Z' },
  binary: { is: () => true, message: 'is a file' },
}

/** The parts of a schema that the compiler reads. Ajv reads the whole schema. */
interface ObjectSchema {
  /** For large bodies: stop at the first error, so that many errors cost no more than one. */
  failFast?: true
  properties?: Record<string, { type?: unknown; items?: { type?: unknown } }>
}

const MAX_ERRORS = 20
const roots: Record<string, string> = {
  querystring: 'query',
  params: 'path',
  headers: 'headers',
  body: 'body',
}

/**
 * Returns a compiler for JSON Schema validators. Bodies are validated without type coercion. Query and path
 * parameters are text, so integers and booleans in them are converted first.
 */
export function validatorCompiler(schemaRegistry: SchemaRegistry): FastifySchemaCompiler<ObjectSchema> {
  const formats = { ...ownFormats, ...schemaRegistry.formats }
  const thorough = createAjv(schemaRegistry.normalizers, formats, true)
  const fast = createAjv(schemaRegistry.normalizers, formats, false)
  return ({ schema, httpPart = 'body' }) => {
    const validate = (schema.failFast ? fast : thorough).compile(schema)
    const fromText = httpPart === 'querystring' || httpPart === 'params'
    return (data: unknown) => {
      if (fromText) coerce(schema, data as Record<string, unknown>)
      if (validate(data)) return { value: data }
      return { error: validationError(fieldErrors(validate, roots[httpPart] ?? httpPart, formats)) }
    }
  }
}

/** Returns a validator for bodies that arrive by another protocol. It throws the error that an HTTP request would get. */
export function bodyValidator<T>(schemaRegistry: SchemaRegistry, schema: unknown): (body: unknown) => T {
  const validate = validatorCompiler(schemaRegistry)({ schema } as Parameters<
    ReturnType<typeof validatorCompiler>
  >[0])
  return (body) => {
    const result = validate(body) as { value: T } | { error: Error }
    if ('error' in result) throw result.error
    return result.value
  }
}

function createAjv(
  normalizers: SchemaRegistry['normalizers'],
  formats: SchemaRegistry['formats'],
  allErrors: boolean,
): Ajv {
  const ajv = new Ajv({
    allErrors,
    useDefaults: true,
    strict: true,
    // Errors carry the schema that they are about: unknown fields are compared with its properties.
    verbose: true,
    allowUnionTypes: true,
    discriminator: true,
  })
  for (const [name, { is }] of Object.entries(formats)) ajv.addFormat(name, is)
  ajv.addKeyword('failFast')
  ajv.addKeyword({ keyword: 'maxDepth', schemaType: 'number', validate: isShallow, errors: false })
  ajv.addKeyword({
    keyword: 'normalize',
    schemaType: 'string',
    modifying: true,
    // Ajv runs untyped keywords before those of strings. `enum` is the first of them that reads the text.
    before: 'enum',
    validate: (name: string, data: unknown, _parent?: unknown, at?: DataValidationCxt) => {
      if (typeof data === 'string') at!.parentData[at!.parentDataProperty] = normalizers[name]!(data)
      return true
    },
  })
  return ajv
}

/** Returns true if arrays and objects are nested at most `most` levels deep, which no JSON reader's stack overflows on. */
function isShallow(most: number, value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return true
  return most > 0 && Object.values(value).every((item) => isShallow(most - 1, item))
}

const integerText = /^-?\d{1,15}$/

function coerce({ properties = {} }: ObjectSchema, data: Record<string, unknown>): void {
  for (const [name, property] of Object.entries(properties)) {
    const value = data[name]
    if (value === undefined) continue
    if (property.type === 'array') {
      data[name] = (Array.isArray(value) ? value : [value]).map((item) => coerced(property.items?.type, item))
    } else {
      data[name] = coerced(property.type, value)
    }
  }
}

function coerced(type: unknown, value: unknown): unknown {
  if (type === 'integer' && typeof value === 'string' && integerText.test(value)) return Number(value)
  if (type === 'boolean' && (value === 'true' || value === 'false')) return value === 'true'
  return value
}

function fieldErrors(
  validate: ValidateFunction,
  root: string,
  formats: SchemaRegistry['formats'],
): FieldError[] {
  return (
    (validate.errors ?? [])
      // The `enum` of the discriminating property reports the same error with the allowed values.
      .filter(({ keyword }) => keyword !== 'discriminator')
      .slice(0, MAX_ERRORS)
      .map((error) => fieldError(error, root, formats))
  )
}

function fieldError(error: ErrorObject, root: string, formats: SchemaRegistry['formats']): FieldError {
  const steps = error.instancePath
    .split('/')
    .slice(1)
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))
  const property = error.params.additionalProperty ?? error.params.missingProperty
  const path = [root, ...steps, ...(property === undefined ? [] : [property])].join('.')
  return { path: path.slice(0, 200), message: message(error, formats) }
}

function withArticle(type: string): string {
  if (type === 'null') return type
  return `${/^[aio]/.test(type) ? 'an' : 'a'} ${type}`
}

/** Suggests a known field whose name differs in at most two letters. */
function unknownField(name: string, known: string[]): string {
  const isNear = (one: string) => one.length > 3 && distance(one, name) <= 2
  const near = name.length > 3 && name.length < 100 ? known.find(isNear) : undefined
  return `is not a known field${near === undefined ? '' : `; did you mean ${near}?`}`
}

function message(
  { keyword, params, parentSchema, message = 'is invalid' }: ErrorObject,
  formats: SchemaRegistry['formats'],
): string {
  switch (keyword) {
    case 'type':
      return `must be ${[params.type].flat().map(withArticle).join(' or ')}`
    case 'minimum':
      return `must be at least ${params.limit}`
    case 'maximum':
      return `must be at most ${params.limit}`
    case 'minItems':
    case 'maxItems':
      return `must have at ${keyword === 'minItems' ? 'least' : 'most'} ${params.limit} items`
    case 'minProperties':
    case 'maxProperties':
      return `must have at ${keyword === 'minProperties' ? 'least' : 'most'} ${params.limit} fields`
    case 'uniqueItems':
      return 'must not contain an item twice'
    case 'additionalProperties':
      return unknownField(params.additionalProperty, Object.keys(parentSchema?.properties ?? {}))
    case 'required':
      return 'is required'
    case 'enum':
      return `must be one of ${params.allowedValues.join(', ')}`
    case 'minLength':
      return params.limit === 1 ? 'must not be empty' : `must have at least ${params.limit} characters`
    case 'maxLength':
      return `must have at most ${params.limit} characters`
    case 'maxDepth':
      return 'is nested too deeply'
    case 'format':
      return formats[params.format]?.message ?? message
    default:
      return message
  }
}
