import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

/** Encrypts secrets that the server must read again, so that the database alone does not reveal them. */
export interface SecretBox {
  /** Encrypts with the first key. */
  seal(text: string): Buffer
  /** Decrypts; undefined if none of the keys encrypted it. */
  open(sealed: Buffer): string | undefined
  /** Returns whether the first key encrypted it. */
  isCurrent(sealed: Buffer): boolean
}

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts with keys derived from `keys` by HKDF (RFC 5869). The first key encrypts, all keys decrypt. The output is
 * a nonce of 12 bytes, the AES-256-GCM ciphertext and a tag of 16 bytes.
 */
export function createSecretBox(keys: readonly string[]): SecretBox {
  const derived = keys.map((key) => Buffer.from(hkdfSync('sha256', key, '', 'taskwire webhook secret', 32)))
  const [first] = derived
  if (!first) throw new Error('secrets need a key')
  return {
    seal(text) {
      const nonce = randomBytes(NONCE_BYTES)
      const cipher = createCipheriv(CIPHER, first, nonce)
      return Buffer.concat([nonce, cipher.update(text, 'utf8'), cipher.final(), cipher.getAuthTag()])
    },
    open(sealed) {
      for (const key of derived) {
        const text = opened(sealed, key)
        if (text !== undefined) return text
      }
      return undefined
    },
    isCurrent: (sealed) => opened(sealed, first) !== undefined,
  }
}

function opened(sealed: Buffer, key: Buffer): string | undefined {
  if (sealed.length < NONCE_BYTES + TAG_BYTES) return undefined
  const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, NONCE_BYTES), {
    authTagLength: TAG_BYTES,
  })
  decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
  try {
    const text = decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES))
    return Buffer.concat([text, decipher.final()]).toString('utf8')
  } catch {
    return undefined // Another key encrypted it, or it was tampered with.
  }
}
