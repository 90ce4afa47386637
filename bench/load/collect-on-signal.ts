/** Imported into a server under test: SIGUSR2 collects its garbage, so that a figure is not the moment's. */
process.on('SIGUSR2', () => globalThis.gc?.())
