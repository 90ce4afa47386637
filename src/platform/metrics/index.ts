export { metricsRoutes } from '../http/metrics-routes.ts'
export { labelled, mergeFamilies } from './exposition.ts'
export { createMetrics, type Family, type Metrics } from './metrics.ts'
export { registerProcessMetrics } from './process-metrics.ts'
