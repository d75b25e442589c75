import type { Metrics } from '../metrics/metrics.ts';
import type { Database } from './database.ts';

/** How near the application is to having no connection left. */
export function measureConnections(
  metrics: Metrics,
  database: Pick<Database, 'waiting' | 'inUse' | 'mostConnections'>,
): void {
  metrics.gauge({
    name: 'database_connections',
    help: 'Connections to the database that are in use.',
    read: () => database.inUse(),
  });
  metrics.gauge({
    name: 'database_connections_max',
    help: 'Connections to the database that there may be.',
    read: () => database.mostConnections,
  });
  metrics.gauge({
    name: 'database_connections_waiting',
    help: 'Callers that wait for a connection to the database.',
    read: () => database.waiting(),
  });
}
