import type { Database } from '../../platform/database/database.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { SecretBox } from './secret-box.ts'

interface Row {
  id: number
  secret: Buffer
  old_secret: Buffer | null
}

/**
 * Seals with the first key what an earlier first key has sealed, so that the latter can be dropped: the
 * secrets themselves are known to receivers and stay as they are. Says in the log which cannot be read.
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
        'the secret of a webhook cannot be read with the present SECRET_KEY; renew it',
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
  if (count > 0) log.info({ webhooks: count }, 'secrets of webhooks are kept under the new SECRET_KEY')
}
