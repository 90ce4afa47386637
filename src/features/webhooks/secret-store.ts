import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { SecretBox } from './secret-box.ts'

interface Row {
  id: number
  secret: Buffer
  old_secret: Buffer | null
}

/**
 * Re-encrypts secrets that an older key encrypted with the first key, so that the older key can be removed from
 * SECRET_KEY. The secrets themselves do not change, since receivers know them. It logs those it cannot decrypt.
 */
export async function resealSecrets(db: Database, secrets: SecretBox, log: Logger): Promise<void> {
  const { rows } = await db.query<Row & object>({ text: 'SELECT id, secret, old_secret FROM webhooks' })
  const resealed = (sealed: Buffer) => {
    const text = secrets.isCurrent(sealed) ? undefined : secrets.open(sealed)
    return text === undefined ? sealed : secrets.seal(text)
  }
  let count = 0
  for (const { id, secret, old_secret: oldSecret } of rows) {
    if (secrets.open(secret) === undefined) {
      log.warn(
        { webhookId: id },
        'webhook secret cannot be decrypted with the current SECRET_KEY; renew the secret',
      )
    }
    const next = { secret: resealed(secret), oldSecret: oldSecret && resealed(oldSecret) }
    if (next.secret === secret && next.oldSecret === oldSecret) continue
    const { rowCount } = await db.query({
      text: 'UPDATE webhooks SET secret = $2, old_secret = $3 WHERE id = $1 AND secret = $4',
      values: [id, next.secret, next.oldSecret, secret],
    })
    count += rowCount ?? 0
  }
  if (count > 0) log.info({ webhooks: count }, 'webhook secrets re-encrypted with the new SECRET_KEY')
}
