import { createTokenSigner } from './access-token.ts'

/** What the link for the first admin carries. */
export interface SetupTokens {
  issue(): Promise<string>
  verify(token: string): Promise<boolean>
}

const LIFETIME_SECONDS = 30 * 60

/**
 * Tokens that say that their bearer reads the output of the server. They may be used again until they expire:
 * who takes one must see that there is no admin yet.
 */
export function createSetupTokens({ keys }: { keys: readonly string[] }): SetupTokens {
  const signer = createTokenSigner({
    keys,
    purpose: 'setup token',
    typ: 'setup+jwt',
    lifetimeSeconds: LIFETIME_SECONDS,
  })
  return {
    issue: () => signer.sign({}),
    verify: async (token) => (await signer.verify(token)) !== undefined,
  }
}
