import manifest from '../../package.json' with { type: 'json' }

/** Of Taskwire. */
export const { version } = manifest
